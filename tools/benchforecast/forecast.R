# Forecasts tasks with R forecast's stlf(msts): reads lines of
# id,start,step,horizon,y1,y2,… from stdin, writes series,timestamp,value,lower,upper.
# The level is the first argument.
suppressMessages(library(forecast))
level <- as.numeric(commandArgs(TRUE)[1])
lines <- readLines(file("stdin"))
cat("series,timestamp,value,lower,upper\n")
cpu <- 0
for (line in lines) {
  cells <- strsplit(line, ",")[[1]]
  start <- as.numeric(cells[2]); step <- as.numeric(cells[3]); h <- as.numeric(cells[4])
  y <- as.numeric(cells[-(1:4)])
  periods <- c(24, 168)[length(y) > 2 * c(24, 168)]
  before <- proc.time()
  f <- stlf(msts(y, periods), h = h, level = 100 * level)
  cpu <- cpu + sum((proc.time() - before)[1:2])
  at <- start + (length(y) + seq_len(h) - 1) * step
  cat(sprintf("%s,%.0f,%.10g,%.10g,%.10g", cells[1], at, f$mean, f$lower[, 1], f$upper[, 1]), sep = "\n")
  cat("\n")
}
cat(sprintf("cpu %f\n", cpu), file = stderr())

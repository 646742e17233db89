# Forecasts tasks with R prophet, daily and weekly seasons: reads lines of
# id,start,step,horizon,y1,y2,… from stdin, writes series,timestamp,value,lower,upper.
# The level is the first argument.
suppressMessages(library(prophet))
level <- as.numeric(commandArgs(TRUE)[1])
lines <- readLines(file("stdin"))
cat("series,timestamp,value,lower,upper\n")
cpu <- 0
for (line in lines) {
  cells <- strsplit(line, ",")[[1]]
  start <- as.numeric(cells[2]); step <- as.numeric(cells[3]); h <- as.numeric(cells[4])
  y <- as.numeric(cells[-(1:4)])
  at <- as.POSIXct(start + (seq_along(y) - 1) * step, origin = "1970-01-01", tz = "UTC")
  before <- proc.time()
  m <- suppressMessages(prophet(data.frame(ds = at, y = y), interval.width = level, yearly.seasonality = FALSE))
  ahead <- start + (length(y) + seq_len(h) - 1) * step
  f <- predict(m, data.frame(ds = as.POSIXct(ahead, origin = "1970-01-01", tz = "UTC")))
  cpu <- cpu + sum((proc.time() - before)[1:2])
  cat(sprintf("%s,%.0f,%.10g,%.10g,%.10g", cells[1], ahead, f$yhat, f$yhat_lower, f$yhat_upper), sep = "\n")
  cat("\n")
}
cat(sprintf("cpu %f\n", cpu), file = stderr())

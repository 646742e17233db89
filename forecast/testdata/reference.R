# Reference values for reference_test.go: R's own stl and ets, and mstl of the package forecast.
#
#   Rscript reference.R
#
# writes stl.csv, mstl.csv and damped_ets.csv beside itself.
suppressMessages(library(forecast))
cat(R.version.string, "forecast", as.character(packageVersion("forecast")), "\n")
options(digits = 15)

wave <- function(t, m) sin(2 * pi * t / m) + 0.4 * cos(4 * pi * t / m)
# Looks like noise, is the same on every machine.
rough <- function(t) ((t * t * 37 + t * 11) %% 101) / 101 - 0.5
write <- function(file, ...) write.csv(format(data.frame(...), digits = 15), file, quote = FALSE, row.names = FALSE)

# The seasonal part, every point smoothed (jump 1), windows as in the program: the season 11 or
# 15 cycles, the trend and the low pass R's defaults.
stls <- list()
for (case in list(c(7, 56, 11), c(8, 61, 15), c(24, 75, 11))) {
  m <- case[1]; n <- case[2]; w <- case[3]
  t <- 0:(n - 1)
  y <- 20 + 0.1 * t + 5 * wave(t, m) * (1 + t / n) + 3 * rough(t)
  fit <- stl(ts(y, frequency = m), s.window = w, s.jump = 1, robust = FALSE)
  stls[[length(stls) + 1]] <- data.frame(period = m, window = w, y = y, seasonal = as.numeric(fit$time.series[, "seasonal"]))
}
do.call(write, c("stl.csv", do.call(rbind, stls)))

# A short and a long season.
t <- 0:149
y <- 50 + 0.05 * t + 6 * wave(t, 6) + 4 * wave(t, 42) + 2 * rough(t)
fit <- mstl(msts(y, c(6, 42)), s.window = c(11, 15), s.jump = 1)
write("mstl.csv", y = y, short = as.numeric(fit[, "Seasonal6"]), long = as.numeric(fit[, "Seasonal42"]))

# The filter with given parameters, from the mean of the first four values and no trend.
y <- 30 + 8 * (1 - 0.9^(0:39)) / 0.1 / 5 + 2 * rough(0:39)
fit <- ets(y, model = "AAN", damped = TRUE, alpha = 0.35, beta = 0.1, phi = 0.9)
filter <- function(alpha, beta, phi, h = 1) {
  f <- fit
  f$par <- c(alpha = alpha, beta = beta, phi = phi, l = mean(y[1:4]), b = 0)
  f$initstate <- c(l = mean(y[1:4]), b = 0)
  f$states[1, ] <- f$initstate
  f <- ets(y, model = f, use.initial.values = TRUE)
  list(sse = sum(f$residuals^2), mean = as.numeric(forecast(f, h = h)$mean))
}
given <- filter(0.35, 0.1, 0.9, 6)
# The least sum of squares over the parameters the program admits.
best <- NULL
for (start in list(c(0, -3, 1), c(-1, 0, 0), c(1, -1, -1))) {
  logistic <- function(x) 1 / (1 + exp(-x))
  decode <- function(q) c(logistic(q[1]), logistic(q[1]) * logistic(q[2]), 0.8 + 0.18 * logistic(q[3]))
  o <- optim(start, function(q) { p <- decode(pmax(pmin(q, 12), -12)); filter(p[1], p[2], p[3])$sse }, control = list(maxit = 2000))
  if (is.null(best) || o$value < best$value) best <- c(o, list(p = decode(o$par)))
}
print(best$p)
found <- filter(best$p[1], best$p[2], best$p[3], 6)
write("damped_ets.csv",
  kind = c(rep("y", 40), "sse", rep("forecast", 6), "least_sse", rep("least_forecast", 6)),
  value = c(y, given$sse, given$mean, found$sse, found$mean))

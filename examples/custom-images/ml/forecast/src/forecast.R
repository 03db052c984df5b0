# Forecasts the daily departures of each airport. The last `horizon` days are the test.

suppressPackageStartupMessages(library(data.table))
library(jsonlite)

WEEK <- 7

arguments <- function(names) {
  given <- commandArgs(trailingOnly = TRUE)
  values <- given[match(paste0("--", names), given) + 1]
  if (anyNA(values)) stop("missing arguments: ", paste(names[is.na(values)], collapse = ", "))
  setNames(as.list(values), names)
}

predicted <- function(train, method, horizon) {
  weekly <- ts(train, frequency = WEEK)
  if (method == "arima") {
    fit <- arima(weekly, order = c(1, 0, 1), seasonal = list(order = c(0, 1, 1), period = WEEK), method = "CSS")
    return(as.numeric(predict(fit, n.ahead = horizon)$pred))
  }
  if (method == "holt-winters") {
    # Without a trend: a year of departures has none.
    fit <- HoltWinters(weekly, beta = FALSE)
    return(as.numeric(predict(fit, n.ahead = horizon)))
  }
  stop("unknown method '", method, "'; use arima or holt-winters")
}

main <- function() {
  given <- arguments(c("daily", "method", "horizon", "forecast"))
  horizon <- as.integer(given$horizon)
  files <- list.files(given$daily, pattern = "\\.csv$", full.names = TRUE)
  daily <- rbindlist(lapply(files, fread, colClasses = list(character = "date")))
  setorder(daily, origin, date)
  days <- daily[, .N, by = origin][, min(N)]
  if (days <= horizon + 2 * WEEK) {
    stop("a horizon of ", horizon, " days leaves ", max(days - horizon, 0), " of ", days, " days to learn from; use a ",
         "shorter horizon")
  }
  found <- daily[, {
    test <- seq(.N - horizon + 1, .N)
    list(date = date[test], departures = departures[test],
         forecast = round(predicted(departures[-test], given$method, horizon), 1))
  }, by = origin]
  error <- found[, mean(abs(departures - forecast))]
  dir.create(given$forecast, recursive = TRUE, showWarnings = FALSE)
  fwrite(found, file.path(given$forecast, "forecast.csv"))
  write_json(list(method = given$method, horizon = horizon, mean_absolute_error = error),
             file.path(given$forecast, "metrics.json"), auto_unbox = TRUE, digits = 6)
  cat(given$method, ": mean absolute error ", format(error, digits = 4), " departures a day\n", sep = "")
}

main()

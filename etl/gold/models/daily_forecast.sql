/* model
title: Forecast by day
question: What are the next four weeks likely to bring, and how wrong have such forecasts been?
grain: [tenant_id, series, day]
freshness_seconds: 86400
incremental_key: [tenant_id]
transform: forecast
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  series:
    {type: text, description: "What is forecast: revenue (in the tenant's currency) or active_customers (customers with any event that day)."}
  day:
    {type: date, description: Day ahead in the tenant's time zone. Tenants with less than 15 weeks of history have none.}
  forecast:
    {type: double, unit: as its series, description: Most likely value.}
  lower_80:
    {type: double, unit: as its series, description: Lower end of the band that is to hold 80 of 100 days.}
  upper_80:
    {type: double, unit: as its series, description: Upper end of that band.}
  lower_95:
    {type: double, unit: as its series, description: Lower end of the band that is to hold 95 of 100 days.}
  upper_95:
    {type: double, unit: as its series, description: Upper end of that band.}
  method:
    {type: text, description: The method that erred less when the past was predicted.}
  error:
    {type: double, unit: as its series, description: Mean absolute error of that method over 8 trials of 28 days on the past.}
  baseline_error:
    {type: double, unit: as its series, description: The same of predicting each day to be like the same weekday of the week before.}
  coverage_80:
    {type: double, unit: ratio, description: Share of days of a trial that lay within a band of 80 % made from the other trials.}
  trained_to:
    {type: date, description: Last complete day that the forecast knows of.}
  model_version:
    {type: text, description: Version of the method.}
checks:
  - not_null: [forecast, lower_80, upper_80, lower_95, upper_95, method, error, baseline_error, coverage_80, trained_to]
  - name: bands_contain_the_forecast_and_each_other
    sql: >-
      SELECT tenant_id, series, day FROM gold.daily_forecast
      WHERE lower_95 > lower_80 OR lower_80 > forecast OR forecast > upper_80 OR upper_80 > upper_95
  - name: never_worse_than_the_baseline
    sql: SELECT tenant_id, series, day FROM gold.daily_forecast WHERE error > baseline_error
*/
WITH yesterdays AS (
  SELECT id AS tenant_id, CAST(LOCAL_DAY(AS_OF(), timezone) - INTERVAL '1' DAY AS DATE) AS last_day
  FROM silver.tenants
)
SELECT r.tenant_id, 'revenue' AS series, r.day, CAST(r.revenue AS DOUBLE) AS value, y.last_day
FROM gold.daily_revenue AS r
JOIN yesterdays AS y ON y.tenant_id = r.tenant_id
UNION ALL
SELECT a.tenant_id, 'active_customers' AS series, a.day, CAST(a.daily_active AS DOUBLE) AS value, y.last_day
FROM gold.daily_active_customers AS a
JOIN yesterdays AS y ON y.tenant_id = a.tenant_id
WHERE a.daily_active > 0

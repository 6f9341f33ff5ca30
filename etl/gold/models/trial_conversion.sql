/* model
title: Trial conversion
question: How many trials turn into paying customers?
grain: [tenant_id, month]
freshness_seconds: 900
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  month:
    {type: date, description: First day of the month in which the trials started. Months without a trial have no row.}
  is_complete:
    {type: boolean, description: Whether every trial of the month has had 30 days to convert.}
  trials_started:
    {type: bigint, unit: trials, description: Trial subscriptions that started in the month.}
  trials_converted:
    {type: bigint, unit: trials, description: Of these those whose customer paid within 30 days by now.}
  conversion_ratio:
    {type: double, unit: ratio, formula: trials_converted / trials_started, description: Part of the trials that converted; empty until all have had 30 days.}
checks:
  - not_null: [is_complete, trials_started, trials_converted]
  - name: converted_trials_had_started
    sql: SELECT tenant_id, month FROM gold.trial_conversion WHERE trials_converted > trials_started
*/
WITH tenant AS (
  SELECT
    id AS tenant_id,
    LOCAL_DAY(AS_OF(), timezone) AS as_of_day
  FROM silver.tenants
),
terms AS (
  SELECT
    s.tenant_id,
    s.id,
    s.customer_id,
    s.is_trial,
    s.start_date,
    t.as_of_day
  FROM silver.subscriptions AS s
  JOIN tenant AS t ON t.tenant_id = s.tenant_id
  WHERE s.start_date <= t.as_of_day
    AND (s.is_trial OR (s.monthly_amount > 0 AND (s.end_date IS NULL OR s.end_date > s.start_date)))
),
trials AS (
  SELECT
    trial.tenant_id,
    trial.id,
    trial.as_of_day,
    CAST(DATE_TRUNC('month', trial.start_date) AS DATE) AS month,
    COUNT(paid.id) AS payments
  FROM terms AS trial
  LEFT JOIN terms AS paid
    ON paid.tenant_id = trial.tenant_id
    AND paid.customer_id = trial.customer_id
    AND NOT paid.is_trial
    AND paid.start_date >= trial.start_date
    AND paid.start_date <= CAST(trial.start_date + INTERVAL '30' DAY AS DATE)
  WHERE trial.is_trial
  GROUP BY trial.tenant_id, trial.id, trial.as_of_day, CAST(DATE_TRUNC('month', trial.start_date) AS DATE)
),
months AS (
  SELECT
    tenant_id,
    month,
    DATE_DIFF('day', LAST_DAY(month), as_of_day) > 30 AS is_complete,
    COUNT(*) AS trials_started,
    COUNT(*) FILTER (WHERE payments > 0) AS trials_converted
  FROM trials
  GROUP BY tenant_id, month, as_of_day
)
SELECT
  tenant_id,
  month,
  is_complete,
  trials_started,
  trials_converted,
  CASE WHEN is_complete
    THEN CAST(trials_converted AS DOUBLE) / NULLIF(CAST(trials_started AS DOUBLE), 0) END AS conversion_ratio
FROM months

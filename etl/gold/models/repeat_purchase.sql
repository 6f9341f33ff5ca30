/* model
title: Repeat purchase
question: How many first-time buyers come back, and how soon?
grain: [tenant_id, cohort_month]
freshness_seconds: 900
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  cohort_month:
    {type: date, description: "First day of the month of the first completed order, in the tenant's time zone."}
  buyers:
    {type: bigint, unit: customers, description: Customers whose first completed order was placed in the month.}
  repeat_buyers:
    {type: bigint, unit: customers, description: Of these those with a second completed order by now.}
  repeat_ratio:
    {type: double, unit: ratio, formula: repeat_buyers / buyers, description: Part of the buyers who have come back by now.}
  repeat_buyers_30_days:
    {type: bigint, unit: customers, description: Buyers whose second order came within 30 days; empty until all have had 30 days.}
  repeat_ratio_30_days:
    {type: double, unit: ratio, formula: repeat_buyers_30_days / buyers, description: Part of the buyers who came back within 30 days; empty until all have had 30 days.}
  repeat_buyers_90_days:
    {type: bigint, unit: customers, description: Buyers whose second order came within 90 days; empty until all have had 90 days.}
  repeat_ratio_90_days:
    {type: double, unit: ratio, formula: repeat_buyers_90_days / buyers, description: Part of the buyers who came back within 90 days; empty until all have had 90 days.}
  average_days_to_second_order:
    {type: double, unit: days, formula: sum of days from first to second order / repeat_buyers, description: How long those who came back took; 0 for two orders on one day.}
checks:
  - not_null: [buyers, repeat_buyers]
  - name: later_is_more
    sql: >-
      SELECT tenant_id, cohort_month FROM gold.repeat_purchase
      WHERE repeat_buyers > buyers OR repeat_buyers_90_days > repeat_buyers
      OR repeat_buyers_30_days > repeat_buyers_90_days
  - name: every_buyer_is_counted_once
    sql: >-
      SELECT COUNT(*) AS buyers FROM gold.customer_days WHERE day = first_day
      EXCEPT SELECT COALESCE(SUM(buyers), 0) AS buyers FROM gold.repeat_purchase
*/
WITH tenant AS (
  SELECT
    id AS tenant_id,
    LOCAL_DAY(AS_OF(), timezone) AS as_of_day
  FROM silver.tenants
),
second_orders AS (
  SELECT
    tenant_id,
    customer_id,
    first_day,
    MIN(day) FILTER (WHERE day > first_day OR completed_orders > 1) AS second_day
  FROM gold.customer_days
  GROUP BY tenant_id, customer_id, first_day
),
buyers AS (
  SELECT
    tenant_id,
    CAST(DATE_TRUNC('month', first_day) AS DATE) AS cohort_month,
    DATE_DIFF('day', first_day, second_day) AS days_between
  FROM second_orders
),
cohorts AS (
  SELECT
    tenant_id,
    cohort_month,
    COUNT(*) AS buyers,
    COUNT(days_between) AS repeat_buyers,
    COUNT(*) FILTER (WHERE days_between <= 30) AS repeat_buyers_30_days,
    COUNT(*) FILTER (WHERE days_between <= 90) AS repeat_buyers_90_days,
    SUM(days_between) AS days_between
  FROM buyers
  GROUP BY tenant_id, cohort_month
),
aged AS (
  SELECT
    c.tenant_id,
    c.cohort_month,
    c.buyers,
    c.repeat_buyers,
    c.days_between,
    CASE WHEN DATE_DIFF('day', LAST_DAY(c.cohort_month), t.as_of_day) > 30
      THEN c.repeat_buyers_30_days END AS repeat_buyers_30_days,
    CASE WHEN DATE_DIFF('day', LAST_DAY(c.cohort_month), t.as_of_day) > 90
      THEN c.repeat_buyers_90_days END AS repeat_buyers_90_days
  FROM cohorts AS c
  JOIN tenant AS t ON t.tenant_id = c.tenant_id
)
SELECT
  tenant_id,
  cohort_month,
  buyers,
  repeat_buyers,
  CAST(repeat_buyers AS DOUBLE) / NULLIF(CAST(buyers AS DOUBLE), 0) AS repeat_ratio,
  repeat_buyers_30_days,
  CAST(repeat_buyers_30_days AS DOUBLE) / NULLIF(CAST(buyers AS DOUBLE), 0) AS repeat_ratio_30_days,
  repeat_buyers_90_days,
  CAST(repeat_buyers_90_days AS DOUBLE) / NULLIF(CAST(buyers AS DOUBLE), 0) AS repeat_ratio_90_days,
  CAST(days_between AS DOUBLE) / NULLIF(CAST(repeat_buyers AS DOUBLE), 0) AS average_days_to_second_order
FROM aged

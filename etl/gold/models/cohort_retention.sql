/* model
title: Cohort retention
question: Of the customers who first bought in a month, how many still buy, and how much, month after month?
grain: [tenant_id, cohort_month, month_number]
freshness_seconds: 900
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  cohort_month:
    {type: date, description: "First day of the month of the cohort's first completed orders, in the tenant's time zone."}
  month_number:
    {type: bigint, unit: months, description: Months since the cohort's month; 0 is the cohort's month itself.}
  month:
    {type: date, description: The month that the numbers are about.}
  cohort_size:
    {type: bigint, unit: customers, description: Customers whose first completed order was placed in the cohort's month.}
  is_complete:
    {type: boolean, description: Whether the month was over when the data was taken; the numbers of an unfinished one are empty.}
  customers:
    {type: bigint, unit: customers, description: Customers of the cohort with a completed order in the month.}
  customer_retention:
    {type: double, unit: ratio, formula: customers / cohort_size, description: Part of the cohort that bought in the month; 1 in month 0.}
  revenue:
    {type: "decimal(38,2)", unit: tenant currency, description: Revenue of the month from the cohort.}
  revenue_retention:
    {type: double, unit: ratio, formula: revenue / revenue of month 0, description: Revenue against that of the cohort's first month; may exceed 1.}
checks:
  - not_null: [month, cohort_size, is_complete]
  - name: all_of_a_cohort_buys_in_its_month
    sql: >-
      SELECT tenant_id, cohort_month FROM gold.cohort_retention
      WHERE month_number = 0 AND is_complete AND customers <> cohort_size
  - name: every_buyer_is_in_one_cohort
    sql: >-
      SELECT COUNT(*) AS buyers FROM gold.customer_days WHERE day = first_day
      EXCEPT SELECT COALESCE(SUM(cohort_size), 0) AS buyers FROM gold.cohort_retention WHERE month_number = 0
  - name: unfinished_months_are_empty
    sql: >-
      SELECT tenant_id, cohort_month, month_number FROM gold.cohort_retention
      WHERE is_complete = (customers IS NULL) OR is_complete = (revenue IS NULL)
*/
WITH tenant AS (
  SELECT
    id AS tenant_id,
    LOCAL_DAY(AS_OF(), timezone) AS as_of_day
  FROM silver.tenants
),
purchases AS (
  SELECT
    tenant_id,
    customer_id,
    CAST(DATE_TRUNC('month', first_day) AS DATE) AS cohort_month,
    CAST(DATE_TRUNC('month', day) AS DATE) AS month,
    revenue
  FROM gold.customer_days
),
activity AS (
  SELECT
    tenant_id,
    cohort_month,
    month,
    COUNT(DISTINCT customer_id) AS customers,
    SUM(revenue) AS revenue
  FROM purchases
  GROUP BY tenant_id, cohort_month, month
),
cohorts AS (
  SELECT
    a.tenant_id,
    a.cohort_month,
    a.customers AS cohort_size,
    a.revenue AS first_revenue,
    t.as_of_day
  FROM activity AS a
  JOIN tenant AS t ON t.tenant_id = a.tenant_id
  WHERE a.month = a.cohort_month
),
cells AS (
  SELECT
    c.tenant_id,
    c.cohort_month,
    c.cohort_size,
    c.first_revenue,
    c.as_of_day,
    CAST(s.moment AS DATE) AS month
  FROM cohorts AS c
  CROSS JOIN UNNEST(GENERATE_SERIES(
    c.cohort_month, GREATEST(c.cohort_month, c.as_of_day), INTERVAL '1' MONTH
  )) AS s(moment)
),
filled AS (
  SELECT
    c.tenant_id,
    c.cohort_month,
    c.month,
    c.cohort_size,
    c.first_revenue,
    CAST(c.month + INTERVAL '1' MONTH AS DATE) <= c.as_of_day AS is_complete,
    COALESCE(a.customers, 0) AS customers,
    COALESCE(a.revenue, 0) AS revenue
  FROM cells AS c
  LEFT JOIN activity AS a ON a.tenant_id = c.tenant_id AND a.cohort_month = c.cohort_month AND a.month = c.month
)
SELECT
  tenant_id,
  cohort_month,
  (EXTRACT(YEAR FROM month) - EXTRACT(YEAR FROM cohort_month)) * 12
    + EXTRACT(MONTH FROM month) - EXTRACT(MONTH FROM cohort_month) AS month_number,
  month,
  cohort_size,
  is_complete,
  CASE WHEN is_complete THEN customers END AS customers,
  CASE WHEN is_complete
    THEN CAST(customers AS DOUBLE) / NULLIF(CAST(cohort_size AS DOUBLE), 0) END AS customer_retention,
  CASE WHEN is_complete THEN revenue END AS revenue,
  CASE WHEN is_complete
    THEN CAST(revenue AS DOUBLE) / NULLIF(CAST(first_revenue AS DOUBLE), 0) END AS revenue_retention
FROM filled

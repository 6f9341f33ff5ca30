/* model
title: Customer acquisition by month
question: How many people signed up, and how many bought for the first time, each month?
grain: [tenant_id, month]
freshness_seconds: 300
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  month:
    {type: date, description: First day of the month in the tenant's time zone. Months without a signup or first purchase have no row.}
  signups:
    {type: bigint, unit: customers, description: Customers who signed up in the month.}
  signups_converted:
    {type: bigint, unit: customers, description: Of these signups those with a completed order by now.}
  new_customers:
    {type: bigint, unit: customers, description: Customers whose first completed order was placed in the month.}
  customers_to_date:
    {type: bigint, unit: customers, description: Signups up to and including the month.}
checks:
  - not_null: [signups, signups_converted, new_customers, customers_to_date]
  - name: converted_signups_are_signups
    sql: SELECT tenant_id, month FROM gold.customer_acquisition_monthly WHERE signups_converted > signups
  - name: every_customer_is_counted_once
    sql: >-
      SELECT COUNT(*) AS customers FROM silver.customers
      EXCEPT SELECT COALESCE(SUM(signups), 0) AS customers FROM gold.customer_acquisition_monthly
*/
WITH milestones AS (
  SELECT
    tenant_id,
    CAST(DATE_TRUNC('month', signup_day) AS DATE) AS signup_month,
    CAST(DATE_TRUNC('month', first_order_day) AS DATE) AS first_order_month
  FROM gold.customer_lifetime_value
),
by_month AS (
  SELECT
    tenant_id,
    signup_month AS month,
    COUNT(*) AS signups,
    COUNT(first_order_month) AS signups_converted,
    0 AS new_customers
  FROM milestones
  GROUP BY tenant_id, signup_month
  UNION ALL
  SELECT
    tenant_id,
    first_order_month AS month,
    0 AS signups,
    0 AS signups_converted,
    COUNT(*) AS new_customers
  FROM milestones
  WHERE first_order_month IS NOT NULL
  GROUP BY tenant_id, first_order_month
),
totals AS (
  SELECT
    tenant_id,
    month,
    SUM(signups) AS signups,
    SUM(signups_converted) AS signups_converted,
    SUM(new_customers) AS new_customers
  FROM by_month
  GROUP BY tenant_id, month
)
SELECT
  tenant_id,
  month,
  signups,
  signups_converted,
  new_customers,
  SUM(signups) OVER (
    PARTITION BY tenant_id ORDER BY month ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ) AS customers_to_date
FROM totals

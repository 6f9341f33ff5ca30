/* model
title: Platform usage by tenant and month
question: Which tenants use the platform, how much, and who is growing?
audience: platform
grain: [tenant_id, month]
freshness_seconds: 3600
incremental_key: [month]
columns:
  tenant_id:
    {type: bigint, description: The tenant.}
  name:
    {type: text, description: The tenant's name.}
  plan:
    {type: text, description: What the tenant pays the platform for now.}
  currency:
    {type: text, description: ISO 4217 code of the row's amounts. Do not add up over tenants.}
  month:
    {type: date, description: First day of the month in the tenant's time zone. Months without orders and visits have no row.}
  is_complete:
    {type: boolean, description: Whether the month was over when the data was taken.}
  signups:
    {type: bigint, unit: customers, description: The tenant's customers who signed up in the month.}
  orders:
    {type: bigint, unit: orders, description: Orders of every status.}
  revenue:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of the totals of completed orders.}
  visits:
    {type: bigint, unit: visits, description: Visits to the tenant's shop.}
  events:
    {type: bigint, unit: events, description: Events of these visits.}
  most_active_customers:
    {type: bigint, unit: customers, description: "Highest MAU of any day of the month."}
  orders_share:
    {type: double, unit: ratio, formula: orders / orders of all tenants in the month, description: Part of the platform's orders.}
  events_share:
    {type: double, unit: ratio, formula: events / events of all tenants in the month, description: Part of the platform's events.}
checks:
  - not_null: [name, plan, currency, is_complete, signups, orders, revenue, visits, events]
  - name: no_order_is_lost
    sql: >-
      SELECT COUNT(*) AS orders FROM silver.orders
      EXCEPT SELECT COALESCE(SUM(orders), 0) AS orders FROM gold.platform_usage
*/
WITH order_months AS (
  SELECT tenant_id, CAST(DATE_TRUNC('month', day) AS DATE) AS month, orders, revenue
  FROM gold.daily_revenue
),
visit_months AS (
  SELECT tenant_id, CAST(DATE_TRUNC('month', day) AS DATE) AS month, visits, events
  FROM gold.daily_visits
),
active_months AS (
  SELECT tenant_id, CAST(DATE_TRUNC('month', day) AS DATE) AS month, monthly_active
  FROM gold.daily_active_customers
),
parts AS (
  SELECT tenant_id, month, orders, revenue, 0 AS visits, 0 AS events
  FROM order_months
  UNION ALL
  SELECT tenant_id, month, 0 AS orders, 0 AS revenue, visits, events
  FROM visit_months
),
totals AS (
  SELECT
    tenant_id,
    month,
    SUM(orders) AS orders,
    SUM(revenue) AS revenue,
    SUM(visits) AS visits,
    SUM(events) AS events
  FROM parts
  GROUP BY tenant_id, month
),
active AS (
  SELECT tenant_id, month, MAX(monthly_active) AS most_active_customers
  FROM active_months
  GROUP BY tenant_id, month
)
SELECT
  u.tenant_id,
  t.name,
  t.plan,
  t.currency,
  u.month,
  CAST(u.month + INTERVAL '1' MONTH AS DATE) <= LOCAL_DAY(AS_OF(), t.timezone) AS is_complete,
  COALESCE(s.signups, 0) AS signups,
  u.orders,
  u.revenue,
  u.visits,
  u.events,
  COALESCE(a.most_active_customers, 0) AS most_active_customers,
  CAST(u.orders AS DOUBLE)
    / NULLIF(CAST(SUM(u.orders) OVER (PARTITION BY u.month) AS DOUBLE), 0) AS orders_share,
  CAST(u.events AS DOUBLE)
    / NULLIF(CAST(SUM(u.events) OVER (PARTITION BY u.month) AS DOUBLE), 0) AS events_share
FROM totals AS u
JOIN silver.tenants AS t ON t.id = u.tenant_id
LEFT JOIN active AS a ON a.tenant_id = u.tenant_id AND a.month = u.month
LEFT JOIN gold.customer_acquisition_monthly AS s ON s.tenant_id = u.tenant_id AND s.month = u.month

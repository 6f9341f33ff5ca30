/* model
title: Tenant summary
question: How is the business doing, in one row?
grain: [tenant_id]
freshness_seconds: 60
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  name:
    {type: text, description: The tenant's name.}
  currency:
    {type: text, description: ISO 4217 code of every amount in the row.}
  timezone:
    {type: text, description: IANA name of the time zone in which the tenant's days begin.}
  as_of_day:
    {type: date, description: The tenant's calendar day at the moment the data stands at.}
  customers:
    {type: bigint, unit: customers, description: Customers on file.}
  orders:
    {type: bigint, unit: orders, description: Orders of every status.}
  completed_orders:
    {type: bigint, unit: orders, description: Orders with status completed.}
  revenue:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of the totals of completed orders.}
  average_order_value:
    {type: double, unit: tenant currency, formula: revenue / completed_orders, description: What a completed order is worth; empty without any.}
  active_subscriptions:
    {type: bigint, unit: subscriptions, description: Subscriptions in force on as_of_day that are not trials.}
  paying_customers:
    {type: bigint, unit: customers, description: Customers whose subscriptions in force amount to more than zero.}
  mrr:
    {type: "decimal(38,2)", unit: tenant currency a month, description: Monthly amounts of the active subscriptions.}
  first_order_at:
    {type: timestamptz, description: Time of the earliest order of any status.}
  last_order_at:
    {type: timestamptz, description: Time of the latest order of any status.}
checks:
  - not_null: [name, currency, timezone, customers, orders, revenue, mrr]
  - name: one_row_for_every_tenant
    sql: SELECT id FROM silver.tenants EXCEPT SELECT tenant_id FROM gold.tenant_summary
  - name: completed_orders_are_orders
    sql: SELECT tenant_id FROM gold.tenant_summary WHERE completed_orders > orders
*/
WITH tenant AS (
  SELECT
    id AS tenant_id,
    name,
    currency,
    timezone,
    LOCAL_DAY(AS_OF(), timezone) AS as_of_day
  FROM silver.tenants
),
customer_totals AS (
  SELECT tenant_id, COUNT(*) AS customers
  FROM silver.customers
  GROUP BY tenant_id
),
order_totals AS (
  SELECT
    tenant_id,
    COUNT(*) AS orders,
    COUNT(*) FILTER (WHERE status = 'completed') AS completed_orders,
    SUM(total) FILTER (WHERE status = 'completed') AS revenue,
    MIN(order_date) AS first_order_at,
    MAX(order_date) AS last_order_at
  FROM silver.orders
  GROUP BY tenant_id
),
-- In force on a day: started on it or before, and ending after it.
subscription_totals AS (
  SELECT
    s.tenant_id,
    COUNT(*) AS active_subscriptions,
    COUNT(DISTINCT s.customer_id) FILTER (WHERE s.monthly_amount > 0) AS paying_customers,
    SUM(s.monthly_amount) AS mrr
  FROM silver.subscriptions AS s
  JOIN tenant AS t ON t.tenant_id = s.tenant_id
  WHERE NOT s.is_trial
    AND s.start_date <= t.as_of_day
    AND (s.end_date IS NULL OR s.end_date > t.as_of_day)
  GROUP BY s.tenant_id
)
SELECT
  t.tenant_id,
  t.name,
  t.currency,
  t.timezone,
  t.as_of_day,
  COALESCE(c.customers, 0) AS customers,
  COALESCE(o.orders, 0) AS orders,
  COALESCE(o.completed_orders, 0) AS completed_orders,
  COALESCE(o.revenue, 0) AS revenue,
  CAST(o.revenue AS DOUBLE) / NULLIF(CAST(o.completed_orders AS DOUBLE), 0) AS average_order_value,
  COALESCE(s.active_subscriptions, 0) AS active_subscriptions,
  COALESCE(s.paying_customers, 0) AS paying_customers,
  COALESCE(s.mrr, 0) AS mrr,
  o.first_order_at,
  o.last_order_at
FROM tenant AS t
LEFT JOIN customer_totals AS c ON c.tenant_id = t.tenant_id
LEFT JOIN order_totals AS o ON o.tenant_id = t.tenant_id
LEFT JOIN subscription_totals AS s ON s.tenant_id = t.tenant_id

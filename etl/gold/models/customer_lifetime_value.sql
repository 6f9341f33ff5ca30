/* model
title: Customer lifetime value
question: What has each customer been worth so far, and who is worth most?
grain: [tenant_id, customer_id]
freshness_seconds: 300
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  customer_id:
    {type: bigint, description: The customer.}
  customer_name:
    {type: text, description: Name as the tenant knows it; the only personal data in gold.}
  signup_day:
    {type: date, description: Day of the signup in the tenant's time zone.}
  completed_orders:
    {type: bigint, unit: orders, description: Orders with status completed.}
  order_revenue:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of the totals of completed orders.}
  subscription_revenue:
    {type: "decimal(38,2)", unit: tenant currency, description: Paid invoices that belong to a subscription.}
  lifetime_value:
    {type: "decimal(38,2)", unit: tenant currency, formula: order_revenue + subscription_revenue, description: What the customer has brought so far.}
  average_order_value:
    {type: double, unit: tenant currency, formula: order_revenue / completed_orders, description: What a completed order is worth; empty without any.}
  first_order_day:
    {type: date, description: Day of the first completed order in the tenant's time zone.}
  last_order_day:
    {type: date, description: Day of the latest completed order in the tenant's time zone.}
  days_since_last_order:
    {type: bigint, unit: days, description: From the latest completed order to the day the data stands at.}
  value_rank:
    {type: bigint, unit: rank, description: Place by lifetime value within the tenant from 1; equal values share a place.}
checks:
  - not_null: [customer_name, signup_day, order_revenue, subscription_revenue, lifetime_value, value_rank]
  - name: every_customer_once
    sql: SELECT tenant_id, id FROM silver.customers EXCEPT SELECT tenant_id, customer_id FROM gold.customer_lifetime_value
  - name: value_is_the_sum_of_its_parts
    sql: >-
      SELECT customer_id FROM gold.customer_lifetime_value
      WHERE lifetime_value <> order_revenue + subscription_revenue
*/
WITH purchases AS (
  SELECT
    tenant_id,
    customer_id,
    SUM(completed_orders) AS completed_orders,
    SUM(revenue) AS order_revenue,
    MIN(day) AS first_order_day,
    MAX(day) AS last_order_day
  FROM gold.customer_days
  GROUP BY tenant_id, customer_id
),
-- An invoice for an order is the same money as the order, so only subscriptions' invoices add to it.
bills AS (
  SELECT tenant_id, customer_id, SUM(amount) AS subscription_revenue
  FROM silver.invoices
  WHERE status = 'paid' AND subscription_id IS NOT NULL
  GROUP BY tenant_id, customer_id
),
worth AS (
  SELECT
    c.tenant_id,
    c.id AS customer_id,
    c.name AS customer_name,
    LOCAL_DAY(c.created_at, t.timezone) AS signup_day,
    LOCAL_DAY(AS_OF(), t.timezone) AS as_of_day,
    COALESCE(p.completed_orders, 0) AS completed_orders,
    COALESCE(p.order_revenue, 0) AS order_revenue,
    COALESCE(b.subscription_revenue, 0) AS subscription_revenue,
    COALESCE(p.order_revenue, 0) + COALESCE(b.subscription_revenue, 0) AS lifetime_value,
    p.first_order_day,
    p.last_order_day
  FROM silver.customers AS c
  JOIN silver.tenants AS t ON t.id = c.tenant_id
  LEFT JOIN purchases AS p ON p.tenant_id = c.tenant_id AND p.customer_id = c.id
  LEFT JOIN bills AS b ON b.tenant_id = c.tenant_id AND b.customer_id = c.id
)
SELECT
  tenant_id,
  customer_id,
  customer_name,
  signup_day,
  completed_orders,
  order_revenue,
  subscription_revenue,
  lifetime_value,
  CAST(order_revenue AS DOUBLE) / NULLIF(CAST(completed_orders AS DOUBLE), 0) AS average_order_value,
  first_order_day,
  last_order_day,
  DATE_DIFF('day', last_order_day, as_of_day) AS days_since_last_order,
  RANK() OVER (PARTITION BY tenant_id ORDER BY lifetime_value DESC) AS value_rank
FROM worth

/* model
title: Purchases by customer and day
question: What did each customer buy on each day?
grain: [tenant_id, customer_id, day]
freshness_seconds: 300
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  customer_id:
    {type: bigint, description: The customer.}
  day:
    {type: date, description: Day of the orders in the tenant's time zone. Days without a completed order have no row.}
  completed_orders:
    {type: bigint, unit: orders, description: Orders with status completed.}
  revenue:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of the totals of completed orders.}
  first_day:
    {type: date, description: Day of the customer's first completed order ever.}
checks:
  - not_null: [completed_orders, revenue, first_day]
  - name: revenue_adds_up_to_the_orders
    sql: >-
      SELECT COALESCE(SUM(total), 0) AS revenue FROM silver.orders WHERE status = 'completed'
      EXCEPT SELECT COALESCE(SUM(revenue), 0) AS revenue FROM gold.customer_days
  - name: the_first_day_comes_first
    sql: SELECT tenant_id, customer_id FROM gold.customer_days WHERE first_day > day
*/
WITH completed AS (
  SELECT
    o.tenant_id,
    o.customer_id,
    o.total,
    LOCAL_DAY(o.order_date, t.timezone) AS day
  FROM silver.orders AS o
  JOIN silver.tenants AS t ON t.id = o.tenant_id
  WHERE o.status = 'completed'
),
days AS (
  SELECT
    tenant_id,
    customer_id,
    day,
    COUNT(*) AS completed_orders,
    SUM(total) AS revenue
  FROM completed
  GROUP BY tenant_id, customer_id, day
)
SELECT
  tenant_id,
  customer_id,
  day,
  completed_orders,
  revenue,
  MIN(day) OVER (PARTITION BY tenant_id, customer_id) AS first_day
FROM days

/* model
title: Revenue by day
question: How much was sold on each day, and what was refunded or cancelled?
grain: [tenant_id, day]
freshness_seconds: 60
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  day:
    {type: date, description: Day of the order in the tenant's time zone. Days without an order have no row.}
  orders:
    {type: bigint, unit: orders, description: Orders of every status.}
  completed_orders:
    {type: bigint, unit: orders, description: Orders with status completed.}
  revenue:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of the totals of completed orders.}
  average_order_value:
    {type: double, unit: tenant currency, formula: revenue / completed_orders, description: What a completed order is worth; empty without any.}
  discount:
    {type: "decimal(38,2)", unit: tenant currency, description: Discounts granted on completed orders.}
  refunded_orders:
    {type: bigint, unit: orders, description: Orders of this day that are refunded by now.}
  refunded_amount:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of the totals of refunded orders.}
  cancelled_orders:
    {type: bigint, unit: orders, description: Orders of this day that are cancelled by now.}
  cancelled_amount:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of the totals of cancelled orders.}
  pending_orders:
    {type: bigint, unit: orders, description: Orders of this day that are still pending.}
  pending_amount:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of the totals of pending orders.}
  buyers:
    {type: bigint, unit: customers, description: Customers with a completed order this day. Do not add up over days.}
  new_customers:
    {type: bigint, unit: customers, description: Buyers whose first completed order ever was placed this day.}
  returning_customers:
    {type: bigint, unit: customers, formula: buyers - new_customers, description: Buyers who had bought before this day.}
checks:
  - not_null: [revenue, refunded_amount, cancelled_amount, pending_amount]
  - name: every_order_has_one_known_status
    sql: >-
      SELECT tenant_id, day FROM gold.daily_revenue
      WHERE orders <> completed_orders + refunded_orders + cancelled_orders + pending_orders
  - name: no_order_is_lost
    sql: >-
      SELECT COUNT(*) AS orders FROM silver.orders
      EXCEPT SELECT COALESCE(SUM(orders), 0) AS orders FROM gold.daily_revenue
  - name: new_customers_are_buyers
    sql: SELECT tenant_id, day FROM gold.daily_revenue WHERE new_customers > buyers
*/
WITH local_orders AS (
  SELECT
    o.tenant_id,
    o.customer_id,
    o.status,
    o.total,
    o.discount,
    LOCAL_DAY(o.order_date, t.timezone) AS day
  FROM silver.orders AS o
  JOIN silver.tenants AS t ON t.id = o.tenant_id
),
first_purchase AS (
  SELECT tenant_id, customer_id, MIN(day) AS day
  FROM local_orders
  WHERE status = 'completed'
  GROUP BY tenant_id, customer_id
),
new_customer_totals AS (
  SELECT tenant_id, day, COUNT(*) AS new_customers
  FROM first_purchase
  GROUP BY tenant_id, day
),
day_totals AS (
  SELECT
    tenant_id,
    day,
    COUNT(*) AS orders,
    COUNT(*) FILTER (WHERE status = 'completed') AS completed_orders,
    SUM(total) FILTER (WHERE status = 'completed') AS revenue,
    SUM(discount) FILTER (WHERE status = 'completed') AS discount,
    COUNT(*) FILTER (WHERE status = 'refunded') AS refunded_orders,
    SUM(total) FILTER (WHERE status = 'refunded') AS refunded_amount,
    COUNT(*) FILTER (WHERE status = 'cancelled') AS cancelled_orders,
    SUM(total) FILTER (WHERE status = 'cancelled') AS cancelled_amount,
    COUNT(*) FILTER (WHERE status = 'pending') AS pending_orders,
    SUM(total) FILTER (WHERE status = 'pending') AS pending_amount,
    COUNT(DISTINCT customer_id) FILTER (WHERE status = 'completed') AS buyers
  FROM local_orders
  GROUP BY tenant_id, day
)
SELECT
  d.tenant_id,
  d.day,
  d.orders,
  d.completed_orders,
  COALESCE(d.revenue, 0) AS revenue,
  CAST(d.revenue AS DOUBLE) / NULLIF(CAST(d.completed_orders AS DOUBLE), 0) AS average_order_value,
  COALESCE(d.discount, 0) AS discount,
  d.refunded_orders,
  COALESCE(d.refunded_amount, 0) AS refunded_amount,
  d.cancelled_orders,
  COALESCE(d.cancelled_amount, 0) AS cancelled_amount,
  d.pending_orders,
  COALESCE(d.pending_amount, 0) AS pending_amount,
  d.buyers,
  COALESCE(n.new_customers, 0) AS new_customers,
  d.buyers - COALESCE(n.new_customers, 0) AS returning_customers
FROM day_totals AS d
LEFT JOIN new_customer_totals AS n ON n.tenant_id = d.tenant_id AND n.day = d.day

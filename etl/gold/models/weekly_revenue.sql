/* model
title: Revenue by week
question: How much was sold in each week, and did it come from new or from returning customers?
grain: [tenant_id, week]
freshness_seconds: 300
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  week:
    {type: date, description: "Monday of the week in the tenant's time zone. Weeks without an order have no row."}
  is_complete:
    {type: boolean, description: Whether the week was over when the data was taken; an unfinished one compares with nothing.}
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
    {type: bigint, unit: orders, description: Orders of this week that are refunded by now.}
  refunded_amount:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of the totals of refunded orders.}
  refund_ratio:
    {type: double, unit: ratio, formula: "refunded_orders / (completed_orders + refunded_orders)", description: Part of the orders once paid that is refunded by now.}
  cancelled_orders:
    {type: bigint, unit: orders, description: Orders of this week that are cancelled by now.}
  cancelled_amount:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of the totals of cancelled orders.}
  cancellation_ratio:
    {type: double, unit: ratio, formula: cancelled_orders / orders, description: Part of the week's orders that is cancelled by now.}
  buyers:
    {type: bigint, unit: customers, description: Customers with a completed order in the week. Do not add up over weeks.}
  new_customers:
    {type: bigint, unit: customers, description: Buyers whose first completed order ever was placed in the week.}
  returning_customers:
    {type: bigint, unit: customers, formula: buyers - new_customers, description: Buyers who had bought before the week.}
  new_customer_revenue:
    {type: "decimal(38,2)", unit: tenant currency, description: Revenue from new customers.}
  returning_customer_revenue:
    {type: "decimal(38,2)", unit: tenant currency, formula: revenue - new_customer_revenue, description: Revenue from returning customers.}
checks:
  - not_null: [is_complete, revenue, refunded_amount, cancelled_amount, new_customer_revenue]
  - name: adds_up_to_the_days
    sql: >-
      SELECT tenant_id, SUM(orders) AS orders, SUM(revenue) AS revenue FROM gold.daily_revenue GROUP BY tenant_id
      EXCEPT SELECT tenant_id, SUM(orders) AS orders, SUM(revenue) AS revenue FROM gold.weekly_revenue GROUP BY tenant_id
  - name: new_customers_are_buyers
    sql: SELECT tenant_id, week FROM gold.weekly_revenue WHERE new_customers > buyers OR new_customer_revenue > revenue
*/
WITH day_totals AS (
  SELECT
    tenant_id,
    CAST(DATE_TRUNC('week', day) AS DATE) AS week,
    orders,
    completed_orders,
    revenue,
    discount,
    refunded_orders,
    refunded_amount,
    cancelled_orders,
    cancelled_amount
  FROM gold.daily_revenue
),
totals AS (
  SELECT
    tenant_id,
    week,
    SUM(orders) AS orders,
    SUM(completed_orders) AS completed_orders,
    SUM(revenue) AS revenue,
    SUM(discount) AS discount,
    SUM(refunded_orders) AS refunded_orders,
    SUM(refunded_amount) AS refunded_amount,
    SUM(cancelled_orders) AS cancelled_orders,
    SUM(cancelled_amount) AS cancelled_amount
  FROM day_totals
  GROUP BY tenant_id, week
),
purchases AS (
  SELECT
    tenant_id,
    CAST(DATE_TRUNC('week', day) AS DATE) AS week,
    customer_id,
    revenue,
    CAST(DATE_TRUNC('week', day) AS DATE) = CAST(DATE_TRUNC('week', first_day) AS DATE) AS is_new
  FROM gold.customer_days
),
buyer_totals AS (
  SELECT
    tenant_id,
    week,
    COUNT(DISTINCT customer_id) AS buyers,
    COUNT(DISTINCT customer_id) FILTER (WHERE is_new) AS new_customers,
    SUM(revenue) FILTER (WHERE is_new) AS new_customer_revenue
  FROM purchases
  GROUP BY tenant_id, week
)
SELECT
  d.tenant_id,
  d.week,
  CAST(d.week + INTERVAL '1' WEEK AS DATE) <= LOCAL_DAY(AS_OF(), t.timezone) AS is_complete,
  d.orders,
  d.completed_orders,
  d.revenue,
  CAST(d.revenue AS DOUBLE) / NULLIF(CAST(d.completed_orders AS DOUBLE), 0) AS average_order_value,
  d.discount,
  d.refunded_orders,
  d.refunded_amount,
  CAST(d.refunded_orders AS DOUBLE)
    / NULLIF(CAST(d.completed_orders + d.refunded_orders AS DOUBLE), 0) AS refund_ratio,
  d.cancelled_orders,
  d.cancelled_amount,
  CAST(d.cancelled_orders AS DOUBLE) / NULLIF(CAST(d.orders AS DOUBLE), 0) AS cancellation_ratio,
  COALESCE(b.buyers, 0) AS buyers,
  COALESCE(b.new_customers, 0) AS new_customers,
  COALESCE(b.buyers, 0) - COALESCE(b.new_customers, 0) AS returning_customers,
  COALESCE(b.new_customer_revenue, 0) AS new_customer_revenue,
  d.revenue - COALESCE(b.new_customer_revenue, 0) AS returning_customer_revenue
FROM totals AS d
JOIN silver.tenants AS t ON t.id = d.tenant_id
LEFT JOIN buyer_totals AS b ON b.tenant_id = d.tenant_id AND b.week = d.week

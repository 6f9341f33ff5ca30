/* model
title: Revenue by product and month
question: How does the revenue of each product develop?
grain: [tenant_id, month, product_id]
freshness_seconds: 900
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  month:
    {type: date, description: First day of the month in the tenant's time zone. Months in which the product was not sold have no row.}
  product_id:
    {type: bigint, description: The product.}
  sku:
    {type: text, description: The tenant's own article number.}
  name:
    {type: text, description: Name of the product.}
  category:
    {type: text, description: Category in which the tenant files it now.}
  completed_orders:
    {type: bigint, unit: orders, description: Completed orders that contain the product.}
  units_sold:
    {type: bigint, unit: units, description: Quantity over completed orders.}
  revenue:
    {type: "decimal(38,2)", unit: tenant currency, formula: sum of quantity * unit price - item discount, description: Sum of item totals of completed orders; before order discount and tax.}
  revenue_share:
    {type: double, unit: ratio, formula: revenue / product revenue of the month, description: Part of the month's product revenue.}
  revenue_rank:
    {type: bigint, unit: rank, description: Place by revenue within the month from 1; equal revenues share a place.}
checks:
  - not_null: [sku, name, category, completed_orders, units_sold, revenue]
  - name: revenue_adds_up_to_the_items_sold
    sql: >-
      SELECT COALESCE(SUM(i.total), 0) AS revenue FROM silver.order_items AS i
      JOIN silver.orders AS o ON o.tenant_id = i.tenant_id AND o.id = i.order_id
      WHERE o.status = 'completed'
      EXCEPT SELECT COALESCE(SUM(revenue), 0) AS revenue FROM gold.product_revenue_monthly
*/
WITH completed AS (
  SELECT
    o.tenant_id,
    o.id,
    CAST(DATE_TRUNC('month', LOCAL_DAY(o.order_date, t.timezone)) AS DATE) AS month
  FROM silver.orders AS o
  JOIN silver.tenants AS t ON t.id = o.tenant_id
  WHERE o.status = 'completed'
),
order_products AS (
  SELECT
    i.tenant_id,
    i.product_id,
    i.order_id,
    o.month,
    SUM(i.quantity) AS quantity,
    SUM(i.total) AS total
  FROM silver.order_items AS i
  JOIN completed AS o ON o.tenant_id = i.tenant_id AND o.id = i.order_id
  GROUP BY i.tenant_id, i.product_id, i.order_id, o.month
),
sales AS (
  SELECT
    tenant_id,
    month,
    product_id,
    COUNT(*) AS completed_orders,
    SUM(quantity) AS units_sold,
    SUM(total) AS revenue
  FROM order_products
  GROUP BY tenant_id, month, product_id
)
SELECT
  s.tenant_id,
  s.month,
  s.product_id,
  p.sku,
  p.name,
  p.category,
  s.completed_orders,
  s.units_sold,
  s.revenue,
  CAST(s.revenue AS DOUBLE)
    / NULLIF(CAST(SUM(s.revenue) OVER (PARTITION BY s.tenant_id, s.month) AS DOUBLE), 0) AS revenue_share,
  RANK() OVER (PARTITION BY s.tenant_id, s.month ORDER BY s.revenue DESC) AS revenue_rank
FROM sales AS s
JOIN silver.products AS p ON p.tenant_id = s.tenant_id AND p.id = s.product_id

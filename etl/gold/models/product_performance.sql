/* model
title: Product performance
question: Which products earn the money, and which will run out?
grain: [tenant_id, product_id]
freshness_seconds: 300
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  product_id:
    {type: bigint, description: The product.}
  sku:
    {type: text, description: The tenant's own article number.}
  name:
    {type: text, description: Name of the product.}
  category:
    {type: text, description: Category the tenant filed it under.}
  is_active:
    {type: boolean, description: Whether it is on sale.}
  completed_orders:
    {type: bigint, unit: orders, description: Completed orders that contain the product.}
  units_sold:
    {type: bigint, unit: units, description: Quantity over completed orders.}
  revenue:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of item totals of completed orders; before order discount and tax.}
  cost_of_goods:
    {type: "decimal(38,2)", unit: tenant currency, formula: units_sold * cost, description: Units sold at the product's present cost.}
  margin:
    {type: "decimal(38,2)", unit: tenant currency, formula: revenue - cost_of_goods, description: What the product has earned.}
  margin_ratio:
    {type: double, unit: ratio, formula: margin / revenue, description: Part of the revenue that is margin; empty without revenue.}
  revenue_share:
    {type: double, unit: ratio, formula: revenue / revenue of all products, description: Part of the revenue of all the tenant's products.}
  revenue_rank:
    {type: bigint, unit: rank, description: Place by revenue within the tenant from 1; equal revenues share a place.}
  last_sold_day:
    {type: date, description: Day of the latest completed order in the tenant's time zone.}
  units_sold_30_days:
    {type: bigint, unit: units, description: Units of completed orders in the 30 days before the day the data stands at.}
  stock_quantity:
    {type: bigint, unit: units, description: Units in stock.}
  stock_cover_days:
    {type: double, unit: days, formula: 30 * stock_quantity / units_sold_30_days, description: How long the stock lasts at the pace of the last 30 days; empty if none sold.}
checks:
  - not_null: [sku, name, units_sold, revenue, cost_of_goods, margin, revenue_rank, stock_quantity]
  - name: every_product_once
    sql: SELECT tenant_id, id FROM silver.products EXCEPT SELECT tenant_id, product_id FROM gold.product_performance
  - name: revenue_adds_up_to_the_items_sold
    sql: >-
      SELECT COALESCE(SUM(i.total), 0) AS revenue FROM silver.order_items AS i
      JOIN silver.orders AS o ON o.tenant_id = i.tenant_id AND o.id = i.order_id
      WHERE o.status = 'completed'
      EXCEPT SELECT COALESCE(SUM(revenue), 0) AS revenue FROM gold.product_performance
*/
WITH tenant AS (
  SELECT
    id AS tenant_id,
    timezone,
    LOCAL_DAY(AS_OF(), timezone) AS as_of_day
  FROM silver.tenants
),
completed AS (
  SELECT
    o.tenant_id,
    o.id,
    LOCAL_DAY(o.order_date, t.timezone) AS day,
    t.as_of_day
  FROM silver.orders AS o
  JOIN tenant AS t ON t.tenant_id = o.tenant_id
  WHERE o.status = 'completed'
),
order_products AS (
  SELECT
    i.tenant_id,
    i.product_id,
    i.order_id,
    o.day,
    o.as_of_day,
    SUM(i.quantity) AS quantity,
    SUM(i.total) AS total
  FROM silver.order_items AS i
  JOIN completed AS o ON o.tenant_id = i.tenant_id AND o.id = i.order_id
  GROUP BY i.tenant_id, i.product_id, i.order_id, o.day, o.as_of_day
),
sales AS (
  SELECT
    tenant_id,
    product_id,
    COUNT(*) AS completed_orders,
    CAST(SUM(quantity) AS BIGINT) AS units_sold,
    SUM(total) AS revenue,
    MAX(day) AS last_sold_day,
    SUM(quantity) FILTER (
      WHERE day >= CAST(as_of_day - INTERVAL '30' DAY AS DATE) AND day < as_of_day
    ) AS units_sold_30_days
  FROM order_products
  GROUP BY tenant_id, product_id
),
performance AS (
  SELECT
    p.tenant_id,
    p.id AS product_id,
    p.sku,
    p.name,
    p.category,
    p.is_active,
    p.stock_quantity,
    s.last_sold_day,
    COALESCE(s.completed_orders, 0) AS completed_orders,
    COALESCE(s.units_sold, 0) AS units_sold,
    COALESCE(s.units_sold_30_days, 0) AS units_sold_30_days,
    COALESCE(s.revenue, 0) AS revenue,
    CAST(p.cost * COALESCE(s.units_sold, 0) AS DECIMAL(38, 2)) AS cost_of_goods
  FROM silver.products AS p
  LEFT JOIN sales AS s ON s.tenant_id = p.tenant_id AND s.product_id = p.id
)
SELECT
  tenant_id,
  product_id,
  sku,
  name,
  category,
  is_active,
  completed_orders,
  units_sold,
  revenue,
  cost_of_goods,
  revenue - cost_of_goods AS margin,
  CAST(revenue - cost_of_goods AS DOUBLE) / NULLIF(CAST(revenue AS DOUBLE), 0) AS margin_ratio,
  CAST(revenue AS DOUBLE)
    / NULLIF(CAST(SUM(revenue) OVER (PARTITION BY tenant_id) AS DOUBLE), 0) AS revenue_share,
  RANK() OVER (PARTITION BY tenant_id ORDER BY revenue DESC) AS revenue_rank,
  last_sold_day,
  units_sold_30_days,
  stock_quantity,
  CAST(stock_quantity AS DOUBLE) * 30 / NULLIF(CAST(units_sold_30_days AS DOUBLE), 0) AS stock_cover_days
FROM performance

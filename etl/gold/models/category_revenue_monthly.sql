/* model
title: Revenue by category and month
question: Which categories carry the business, and which grow?
grain: [tenant_id, month, category]
freshness_seconds: 900
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  month:
    {type: date, description: First day of the month in the tenant's time zone. Months in which nothing of the category was sold have no row.}
  category:
    {type: text, description: Category in which the tenant files the products now.}
  products_sold:
    {type: bigint, unit: products, description: Different products sold.}
  units_sold:
    {type: bigint, unit: units, description: Quantity over completed orders.}
  revenue:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of item totals of completed orders; before order discount and tax.}
  revenue_share:
    {type: double, unit: ratio, formula: revenue / product revenue of the month, description: Part of the month's product revenue.}
checks:
  - not_null: [products_sold, units_sold, revenue]
  - name: adds_up_to_the_products
    sql: >-
      SELECT COALESCE(SUM(revenue), 0) AS revenue FROM gold.product_revenue_monthly
      EXCEPT SELECT COALESCE(SUM(revenue), 0) AS revenue FROM gold.category_revenue_monthly
*/
WITH categories AS (
  SELECT
    tenant_id,
    month,
    category,
    COUNT(*) AS products_sold,
    SUM(units_sold) AS units_sold,
    SUM(revenue) AS revenue
  FROM gold.product_revenue_monthly
  GROUP BY tenant_id, month, category
)
SELECT
  tenant_id,
  month,
  category,
  products_sold,
  units_sold,
  revenue,
  CAST(revenue AS DOUBLE)
    / NULLIF(CAST(SUM(revenue) OVER (PARTITION BY tenant_id, month) AS DOUBLE), 0) AS revenue_share
FROM categories

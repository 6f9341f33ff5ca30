/* model
title: Customer segments
question: Who buys recently, often and much, and who is about to leave?
grain: [tenant_id, customer_id]
freshness_seconds: 3600
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  customer_id:
    {type: bigint, description: The customer.}
  segment:
    {type: text, formula: "first that fits: Champions R, F, M >= 4; Loyal R, F >= 3; New or occasional R >= 4; Attention R = 3; At risk F >= 3; Dormant", description: "Where recency, frequency and money put the customer; Unscored without a completed order in the last 365 days."}
  days_since_last_order:
    {type: bigint, unit: days, description: From the latest completed order to the day the data stands at.}
  completed_orders:
    {type: bigint, unit: orders, description: Completed orders of the last 365 days.}
  revenue:
    {type: "decimal(38,2)", unit: tenant currency, description: Revenue of the last 365 days.}
  recency_score:
    {type: bigint, unit: score, formula: "min(5, 1 + floor(5 * percent rank of last order day))", description: "From 1 to 5 among the tenant's buyers; 5 bought most recently, equals share a score."}
  frequency_score:
    {type: bigint, unit: score, formula: "min(5, 1 + floor(5 * percent rank of completed orders))", description: "From 1 to 5 among the tenant's buyers; 5 ordered most often, equals share a score."}
  money_score:
    {type: bigint, unit: score, formula: "min(5, 1 + floor(5 * percent rank of revenue))", description: "From 1 to 5 among the tenant's buyers; 5 brought most revenue, equals share a score."}
checks:
  - not_null: [segment, completed_orders, revenue]
  - name: every_customer_once
    sql: SELECT tenant_id, id FROM silver.customers EXCEPT SELECT tenant_id, customer_id FROM gold.customer_segments
  - name: scores_are_1_to_5
    sql: >-
      SELECT tenant_id, customer_id FROM gold.customer_segments
      WHERE recency_score NOT BETWEEN 1 AND 5 OR frequency_score NOT BETWEEN 1 AND 5 OR money_score NOT BETWEEN 1 AND 5
*/
WITH tenant AS (
  SELECT
    id AS tenant_id,
    LOCAL_DAY(AS_OF(), timezone) AS as_of_day
  FROM silver.tenants
),
buyers AS (
  SELECT
    d.tenant_id,
    d.customer_id,
    DATE_DIFF('day', MAX(d.day), t.as_of_day) AS days_since_last_order,
    SUM(d.completed_orders) AS completed_orders,
    SUM(d.revenue) AS revenue
  FROM gold.customer_days AS d
  JOIN tenant AS t ON t.tenant_id = d.tenant_id
  WHERE d.day > CAST(t.as_of_day - INTERVAL '365' DAY AS DATE) AND d.day <= t.as_of_day
  GROUP BY d.tenant_id, d.customer_id, t.as_of_day
),
ranked AS (
  SELECT
    tenant_id,
    customer_id,
    days_since_last_order,
    completed_orders,
    revenue,
    PERCENT_RANK() OVER (PARTITION BY tenant_id ORDER BY days_since_last_order DESC) AS recency,
    PERCENT_RANK() OVER (PARTITION BY tenant_id ORDER BY completed_orders) AS frequency,
    PERCENT_RANK() OVER (PARTITION BY tenant_id ORDER BY revenue) AS money
  FROM buyers
),
scored AS (
  SELECT
    tenant_id,
    customer_id,
    days_since_last_order,
    completed_orders,
    revenue,
    LEAST(5, 1 + CAST(FLOOR(5 * recency) AS BIGINT)) AS recency_score,
    LEAST(5, 1 + CAST(FLOOR(5 * frequency) AS BIGINT)) AS frequency_score,
    LEAST(5, 1 + CAST(FLOOR(5 * money) AS BIGINT)) AS money_score
  FROM ranked
)
SELECT
  c.tenant_id,
  c.id AS customer_id,
  CASE
    WHEN s.customer_id IS NULL THEN 'Unscored'
    WHEN s.recency_score >= 4 AND s.frequency_score >= 4 AND s.money_score >= 4 THEN 'Champions'
    WHEN s.recency_score >= 3 AND s.frequency_score >= 3 THEN 'Loyal'
    WHEN s.recency_score >= 4 THEN 'New or occasional'
    WHEN s.recency_score = 3 THEN 'Attention'
    WHEN s.frequency_score >= 3 THEN 'At risk'
    ELSE 'Dormant'
  END AS segment,
  s.days_since_last_order,
  COALESCE(s.completed_orders, 0) AS completed_orders,
  COALESCE(s.revenue, 0) AS revenue,
  s.recency_score,
  s.frequency_score,
  s.money_score
FROM silver.customers AS c
LEFT JOIN scored AS s ON s.tenant_id = c.tenant_id AND s.customer_id = c.id

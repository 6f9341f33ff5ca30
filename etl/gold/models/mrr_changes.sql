/* model
title: MRR change log
question: Which customer changed monthly recurring revenue, when, how and by how much?
grain: [tenant_id, customer_id, day]
freshness_seconds: 300
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  customer_id:
    {type: bigint, description: The customer.}
  day:
    {type: date, description: "Day on which the customer's MRR differs from the day before."}
  movement:
    {type: text, formula: "before = 0: new, or reactivation if ever paid; after = 0: churn; more: expansion; less: contraction", description: "What happened: new, expansion, contraction, churn or reactivation."}
  amount:
    {type: "decimal(38,2)", unit: tenant currency a month, formula: "abs(mrr_after - mrr_before)", description: Size of the movement; never negative.}
  mrr_before:
    {type: "decimal(38,2)", unit: tenant currency a month, description: The customer's MRR the day before.}
  mrr_after:
    {type: "decimal(38,2)", unit: tenant currency a month, formula: sum of monthly amounts of subscriptions in force that are no trials, description: The customer's MRR from this day on.}
checks:
  - not_null: [movement, amount, mrr_before, mrr_after]
  - name: a_movement_moves
    sql: SELECT tenant_id, customer_id, day FROM gold.mrr_changes WHERE amount <= 0 OR mrr_before < 0 OR mrr_after < 0
  - name: each_movement_starts_where_the_one_before_ended
    sql: >-
      SELECT tenant_id, customer_id, day FROM gold.mrr_changes
      QUALIFY mrr_before <> COALESCE(LAG(mrr_after) OVER (PARTITION BY tenant_id, customer_id ORDER BY day), 0)
*/
WITH tenant AS (
  SELECT
    id AS tenant_id,
    LOCAL_DAY(AS_OF(), timezone) AS as_of_day
  FROM silver.tenants
),
-- In force on a day: started on it or before, and ending after it.
terms AS (
  SELECT
    s.tenant_id,
    s.customer_id,
    s.monthly_amount,
    s.start_date,
    s.end_date,
    t.as_of_day
  FROM silver.subscriptions AS s
  JOIN tenant AS t ON t.tenant_id = s.tenant_id
  WHERE NOT s.is_trial AND s.start_date <= t.as_of_day
),
steps AS (
  SELECT tenant_id, customer_id, start_date AS day, monthly_amount AS step
  FROM terms
  UNION ALL
  SELECT tenant_id, customer_id, end_date AS day, -monthly_amount AS step
  FROM terms
  WHERE end_date <= as_of_day
),
days AS (
  SELECT tenant_id, customer_id, day, SUM(step) AS step
  FROM steps
  GROUP BY tenant_id, customer_id, day
  HAVING SUM(step) <> 0
),
levels AS (
  SELECT
    tenant_id,
    customer_id,
    day,
    step,
    SUM(step) OVER (
      PARTITION BY tenant_id, customer_id ORDER BY day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS mrr_after,
    ROW_NUMBER() OVER (PARTITION BY tenant_id, customer_id ORDER BY day) AS place
  FROM days
)
SELECT
  tenant_id,
  customer_id,
  day,
  CASE
    WHEN place = 1 THEN 'new'
    WHEN mrr_after = step THEN 'reactivation'
    WHEN mrr_after = 0 THEN 'churn'
    WHEN step > 0 THEN 'expansion'
    ELSE 'contraction'
  END AS movement,
  ABS(step) AS amount,
  mrr_after - step AS mrr_before,
  mrr_after
FROM levels

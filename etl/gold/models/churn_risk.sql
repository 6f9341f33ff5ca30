/* model
title: Risk of losing a customer
question: Which customers are unlikely to buy again within 60 days, why, and how often was such a statement right?
grain: [tenant_id, customer_id]
freshness_seconds: 86400
incremental_key: [tenant_id]
transform: churn_risk
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  customer_id:
    {type: bigint, description: A customer with a completed order in the last 120 days.}
  churn_probability:
    {type: double, unit: ratio, description: Probability of no completed order within the next 60 days.}
  risk:
    {type: text, description: "high from two thirds on, medium from one third on, else low."}
  main_reason:
    {type: text, description: "The feature that moves this customer's probability furthest from a typical customer's, and in which direction."}
  method:
    {type: text, description: "logistic regression, or the average of all customers where the regression was no better."}
  brier_score:
    {type: double, unit: squared error, description: Mean squared distance between probability and outcome for customers of 60 days ago; 0 is perfect.}
  baseline_brier_score:
    {type: double, unit: squared error, description: The same of giving everyone the average probability.}
  calibration_error:
    {type: double, unit: ratio, description: Mean gap between probability and share of lost customers over five groups of equal size.}
  customers_judged:
    {type: bigint, unit: customers, description: How many customers of 60 days ago these scores are of.}
  model_version:
    {type: text, description: Version of the method.}
checks:
  - not_null: [churn_probability, risk, main_reason, method, brier_score, baseline_brier_score, calibration_error]
  - name: probabilities_are_ratios
    sql: SELECT tenant_id, customer_id FROM gold.churn_risk WHERE churn_probability < 0 OR churn_probability > 1
  - name: never_worse_than_the_average
    sql: SELECT tenant_id, customer_id FROM gold.churn_risk WHERE brier_score > baseline_brier_score
*/
WITH todays AS (
  SELECT id AS tenant_id, timezone, LOCAL_DAY(AS_OF(), timezone) AS today
  FROM silver.tenants
),
samples AS (
  SELECT tenant_id, timezone, 'now' AS sample, today AS day FROM todays
  UNION ALL
  SELECT tenant_id, timezone, 'recent' AS sample, CAST(today - INTERVAL '60' DAY AS DATE) AS day FROM todays
  UNION ALL
  SELECT tenant_id, timezone, 'earlier' AS sample, CAST(today - INTERVAL '120' DAY AS DATE) AS day FROM todays
),
purchases AS (
  SELECT o.tenant_id, o.customer_id, o.status, o.total, LOCAL_DAY(o.order_date, t.timezone) AS day
  FROM silver.orders AS o
  JOIN todays AS t ON t.tenant_id = o.tenant_id
),
visits AS (
  SELECT e.tenant_id, e.customer_id, e.session_id, LOCAL_DAY(MIN(e.created_at), t.timezone) AS day
  FROM silver.events AS e
  JOIN todays AS t ON t.tenant_id = e.tenant_id
  WHERE e.customer_id IS NOT NULL
  GROUP BY e.tenant_id, e.customer_id, e.session_id, t.timezone
),
before AS (
  SELECT
    s.tenant_id,
    s.sample,
    s.day,
    p.customer_id,
    MIN(p.day) FILTER (WHERE p.status = 'completed') AS first_day,
    MAX(p.day) FILTER (WHERE p.status = 'completed') AS last_day,
    COUNT(*) FILTER (WHERE p.status = 'completed') AS orders,
    COUNT(*) FILTER (WHERE p.status = 'completed' AND DATE_DIFF('day', p.day, s.day) <= 90) AS orders_90d,
    SUM(p.total) FILTER (WHERE p.status = 'completed' AND DATE_DIFF('day', p.day, s.day) <= 90) AS revenue_90d,
    COUNT(*) FILTER (
      WHERE p.status IN ('refunded', 'cancelled') AND DATE_DIFF('day', p.day, s.day) <= 90
    ) AS lost_orders_90d
  FROM samples AS s
  JOIN purchases AS p ON p.tenant_id = s.tenant_id AND p.day < s.day
  GROUP BY s.tenant_id, s.sample, s.day, p.customer_id
),
after AS (
  SELECT s.tenant_id, s.sample, p.customer_id, COUNT(*) AS orders
  FROM samples AS s
  JOIN purchases AS p
    ON p.tenant_id = s.tenant_id AND p.day >= s.day AND DATE_DIFF('day', s.day, p.day) < 60
  WHERE p.status = 'completed'
  GROUP BY s.tenant_id, s.sample, p.customer_id
),
recent_visits AS (
  SELECT s.tenant_id, s.sample, v.customer_id, COUNT(*) AS visits
  FROM samples AS s
  JOIN visits AS v ON v.tenant_id = s.tenant_id AND v.day < s.day AND DATE_DIFF('day', v.day, s.day) <= 30
  GROUP BY s.tenant_id, s.sample, v.customer_id
),
subscribed AS (
  SELECT s.tenant_id, s.sample, b.customer_id, COUNT(*) AS subscriptions
  FROM samples AS s
  JOIN silver.subscriptions AS b
    ON b.tenant_id = s.tenant_id AND b.start_date < s.day AND COALESCE(b.end_date, s.day) >= s.day
  GROUP BY s.tenant_id, s.sample, b.customer_id
)
SELECT
  b.tenant_id,
  b.customer_id,
  b.sample,
  CAST(DATE_DIFF('day', b.last_day, b.day) AS DOUBLE) AS days_since_last_order,
  CAST(DATE_DIFF('day', b.first_day, b.day) AS DOUBLE) AS days_as_customer,
  CAST(b.orders_90d AS DOUBLE) AS orders_90d,
  CAST(COALESCE(b.revenue_90d, 0) AS DOUBLE) AS revenue_90d,
  CAST(b.lost_orders_90d AS DOUBLE) AS lost_orders_90d,
  CAST(DATE_DIFF('day', b.first_day, b.last_day) AS DOUBLE) / NULLIF(CAST(b.orders - 1 AS DOUBLE), 0)
    AS days_between_orders,
  CAST(COALESCE(v.visits, 0) AS DOUBLE) AS visits_30d,
  CAST(COALESCE(u.subscriptions, 0) AS DOUBLE) AS active_subscriptions,
  CASE WHEN b.sample = 'now' THEN NULL ELSE a.orders IS NULL END AS is_lost
FROM before AS b
LEFT JOIN after AS a ON a.tenant_id = b.tenant_id AND a.sample = b.sample AND a.customer_id = b.customer_id
LEFT JOIN recent_visits AS v ON v.tenant_id = b.tenant_id AND v.sample = b.sample AND v.customer_id = b.customer_id
LEFT JOIN subscribed AS u ON u.tenant_id = b.tenant_id AND u.sample = b.sample AND u.customer_id = b.customer_id
WHERE DATE_DIFF('day', b.last_day, b.day) <= 120

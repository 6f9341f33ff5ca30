/* model
title: MRR by month
question: Where did recurring revenue come from, where did it go, and how healthy is that?
grain: [tenant_id, month]
freshness_seconds: 300
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  month:
    {type: date, description: First day of the month. Every month since the first paid subscription has a row.}
  last_day:
    {type: date, description: "Day whose evening the end values are of. The month's last, or the day the data stands at."}
  is_complete:
    {type: boolean, description: Whether the month was over when the data was taken.}
  start_mrr:
    {type: "decimal(38,2)", unit: tenant currency a month, description: MRR when the month began.}
  new_mrr:
    {type: "decimal(38,2)", unit: tenant currency a month, description: From customers who had never paid before.}
  expansion_mrr:
    {type: "decimal(38,2)", unit: tenant currency a month, description: From paying customers who pay more.}
  reactivation_mrr:
    {type: "decimal(38,2)", unit: tenant currency a month, description: From customers who had left and pay again.}
  contraction_mrr:
    {type: "decimal(38,2)", unit: tenant currency a month, description: Lost with customers who pay less.}
  churn_mrr:
    {type: "decimal(38,2)", unit: tenant currency a month, description: Lost with customers who pay nothing any more.}
  end_mrr:
    {type: "decimal(38,2)", unit: tenant currency a month, formula: start + new + expansion + reactivation - contraction - churn, description: MRR in the evening of last_day.}
  net_new_mrr:
    {type: "decimal(38,2)", unit: tenant currency a month, formula: end_mrr - start_mrr, description: What the month added.}
  arr:
    {type: "decimal(38,2)", unit: tenant currency a year, formula: 12 * end_mrr, description: Annual recurring revenue at the end.}
  customers_at_start:
    {type: bigint, unit: customers, description: Customers with MRR when the month began.}
  customers_lost:
    {type: bigint, unit: customers, description: Of these those without MRR at the end.}
  paying_customers:
    {type: bigint, unit: customers, description: Customers with MRR at the end.}
  arpa:
    {type: double, unit: tenant currency a month, formula: end_mrr / paying_customers, description: Average revenue per paying customer.}
  customer_churn_ratio:
    {type: double, unit: ratio, formula: customers_lost / customers_at_start, description: Part of the customers at the start who are gone at the end.}
  gross_churn_ratio:
    {type: double, unit: ratio, formula: "1 - sum(min(end, start)) / sum(start) over customers with MRR at the start", description: Part of the MRR at the start that was lost or reduced.}
  net_churn_ratio:
    {type: double, unit: ratio, formula: "1 - sum(end) / sum(start) over customers with MRR at the start", description: Gross churn less expansion; negative when the same customers pay more than before.}
  quick_ratio:
    {type: double, unit: ratio, formula: "(new_mrr + expansion_mrr) / (contraction_mrr + churn_mrr)", description: MRR gained for each unit lost; reactivation is left out.}
  predicted_lifetime_value:
    {type: double, unit: tenant currency, formula: "arpa / (customers lost / customers at start over this and the two months before)", description: What a paying customer will bring at the present churn and a margin of 1; empty until three months are over or while nobody leaves.}
checks:
  - not_null: [start_mrr, new_mrr, expansion_mrr, reactivation_mrr, contraction_mrr, churn_mrr, end_mrr]
  - name: the_books_close
    sql: >-
      SELECT tenant_id, month FROM gold.mrr_monthly
      WHERE start_mrr + new_mrr + expansion_mrr + reactivation_mrr - contraction_mrr - churn_mrr <> end_mrr
  - name: each_month_starts_where_the_one_before_ended
    sql: >-
      SELECT tenant_id, month FROM gold.mrr_monthly
      QUALIFY start_mrr <> COALESCE(LAG(end_mrr) OVER (PARTITION BY tenant_id ORDER BY month), 0)
  - name: no_month_is_missing
    sql: >-
      SELECT tenant_id, month FROM gold.mrr_monthly
      QUALIFY CAST(month + INTERVAL '1' MONTH AS DATE) <> LEAD(month) OVER (PARTITION BY tenant_id ORDER BY month)
  - name: the_end_is_what_the_subscriptions_say
    sql: >-
      SELECT m.tenant_id, m.month FROM gold.mrr_monthly AS m
      LEFT JOIN silver.subscriptions AS s ON s.tenant_id = m.tenant_id AND NOT s.is_trial
      AND s.start_date <= m.last_day AND (s.end_date IS NULL OR s.end_date > m.last_day)
      GROUP BY m.tenant_id, m.month, m.end_mrr, m.paying_customers
      HAVING m.end_mrr <> COALESCE(SUM(s.monthly_amount), 0)
      OR m.paying_customers <> COUNT(DISTINCT s.customer_id) FILTER (WHERE s.monthly_amount > 0)
*/
WITH tenant AS (
  SELECT
    id AS tenant_id,
    LOCAL_DAY(AS_OF(), timezone) AS as_of_day
  FROM silver.tenants
),
changes AS (
  SELECT
    tenant_id,
    customer_id,
    day,
    CAST(DATE_TRUNC('month', day) AS DATE) AS month,
    movement,
    amount,
    mrr_before,
    mrr_after
  FROM gold.mrr_changes
),
movements AS (
  SELECT
    tenant_id,
    month,
    SUM(amount) FILTER (WHERE movement = 'new') AS new_mrr,
    SUM(amount) FILTER (WHERE movement = 'expansion') AS expansion_mrr,
    SUM(amount) FILTER (WHERE movement = 'reactivation') AS reactivation_mrr,
    SUM(amount) FILTER (WHERE movement = 'contraction') AS contraction_mrr,
    SUM(amount) FILTER (WHERE movement = 'churn') AS churn_mrr,
    SUM(mrr_after - mrr_before) AS net_new_mrr
  FROM changes
  GROUP BY tenant_id, month
),
-- Customers whose MRR did not change in a month start and end it alike, and lose nothing.
customers AS (
  SELECT
    tenant_id,
    month,
    customer_id,
    MIN_BY(mrr_before, day) AS start_mrr,
    MAX_BY(mrr_after, day) AS end_mrr
  FROM changes
  GROUP BY tenant_id, month, customer_id
),
customer_totals AS (
  SELECT
    tenant_id,
    month,
    COUNT(*) FILTER (WHERE start_mrr = 0 AND end_mrr > 0) AS customers_gained,
    COUNT(*) FILTER (WHERE start_mrr > 0 AND end_mrr = 0) AS customers_lost,
    SUM(GREATEST(start_mrr - end_mrr, 0)) FILTER (WHERE start_mrr > 0) AS gross_loss,
    SUM(start_mrr - end_mrr) FILTER (WHERE start_mrr > 0) AS net_loss
  FROM customers
  GROUP BY tenant_id, month
),
first_months AS (
  SELECT c.tenant_id, MIN(c.month) AS month, t.as_of_day
  FROM changes AS c
  JOIN tenant AS t ON t.tenant_id = c.tenant_id
  GROUP BY c.tenant_id, t.as_of_day
),
months AS (
  SELECT f.tenant_id, f.as_of_day, CAST(s.moment AS DATE) AS month
  FROM first_months AS f
  CROSS JOIN UNNEST(GENERATE_SERIES(f.month, GREATEST(f.month, f.as_of_day), INTERVAL '1' MONTH)) AS s(moment)
),
filled AS (
  SELECT
    m.tenant_id,
    m.month,
    LEAST(LAST_DAY(m.month), m.as_of_day) AS last_day,
    CAST(m.month + INTERVAL '1' MONTH AS DATE) <= m.as_of_day AS is_complete,
    COALESCE(v.new_mrr, 0) AS new_mrr,
    COALESCE(v.expansion_mrr, 0) AS expansion_mrr,
    COALESCE(v.reactivation_mrr, 0) AS reactivation_mrr,
    COALESCE(v.contraction_mrr, 0) AS contraction_mrr,
    COALESCE(v.churn_mrr, 0) AS churn_mrr,
    COALESCE(v.net_new_mrr, 0) AS net_new_mrr,
    COALESCE(c.customers_gained, 0) - COALESCE(c.customers_lost, 0) AS net_new_customers,
    COALESCE(c.customers_lost, 0) AS customers_lost,
    COALESCE(c.gross_loss, 0) AS gross_loss,
    COALESCE(c.net_loss, 0) AS net_loss
  FROM months AS m
  LEFT JOIN movements AS v ON v.tenant_id = m.tenant_id AND v.month = m.month
  LEFT JOIN customer_totals AS c ON c.tenant_id = m.tenant_id AND c.month = m.month
),
levels AS (
  SELECT
    tenant_id,
    month,
    last_day,
    is_complete,
    new_mrr,
    expansion_mrr,
    reactivation_mrr,
    contraction_mrr,
    churn_mrr,
    net_new_mrr,
    net_new_customers,
    customers_lost,
    gross_loss,
    net_loss,
    SUM(net_new_mrr) OVER (
      PARTITION BY tenant_id ORDER BY month ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS end_mrr,
    SUM(net_new_customers) OVER (
      PARTITION BY tenant_id ORDER BY month ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS paying_customers,
    ROW_NUMBER() OVER (PARTITION BY tenant_id ORDER BY month) AS place
  FROM filled
),
churn AS (
  SELECT
    tenant_id,
    month,
    CASE WHEN is_complete AND place >= 3 THEN SUM(customers_lost) OVER (
      PARTITION BY tenant_id ORDER BY month ROWS BETWEEN 2 PRECEDING AND CURRENT ROW
    ) END AS lost_in_3_months,
    SUM(paying_customers - net_new_customers) OVER (
      PARTITION BY tenant_id ORDER BY month ROWS BETWEEN 2 PRECEDING AND CURRENT ROW
    ) AS at_start_in_3_months
  FROM levels
)
SELECT
  l.tenant_id,
  l.month,
  l.last_day,
  l.is_complete,
  l.end_mrr - l.net_new_mrr AS start_mrr,
  l.new_mrr,
  l.expansion_mrr,
  l.reactivation_mrr,
  l.contraction_mrr,
  l.churn_mrr,
  l.end_mrr,
  l.net_new_mrr,
  12 * l.end_mrr AS arr,
  l.paying_customers - l.net_new_customers AS customers_at_start,
  l.customers_lost,
  l.paying_customers,
  CAST(l.end_mrr AS DOUBLE) / NULLIF(CAST(l.paying_customers AS DOUBLE), 0) AS arpa,
  CAST(l.customers_lost AS DOUBLE)
    / NULLIF(CAST(l.paying_customers - l.net_new_customers AS DOUBLE), 0) AS customer_churn_ratio,
  CAST(l.gross_loss AS DOUBLE) / NULLIF(CAST(l.end_mrr - l.net_new_mrr AS DOUBLE), 0) AS gross_churn_ratio,
  CAST(l.net_loss AS DOUBLE) / NULLIF(CAST(l.end_mrr - l.net_new_mrr AS DOUBLE), 0) AS net_churn_ratio,
  CAST(l.new_mrr + l.expansion_mrr AS DOUBLE)
    / NULLIF(CAST(l.contraction_mrr + l.churn_mrr AS DOUBLE), 0) AS quick_ratio,
  CAST(l.end_mrr AS DOUBLE) * CAST(c.at_start_in_3_months AS DOUBLE)
    / NULLIF(CAST(l.paying_customers * c.lost_in_3_months AS DOUBLE), 0) AS predicted_lifetime_value
FROM levels AS l
JOIN churn AS c ON c.tenant_id = l.tenant_id AND c.month = l.month

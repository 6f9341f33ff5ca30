/* model
title: Invoices by month
question: How much was billed and paid in each month, how fast, and how much was still owed at its end?
grain: [tenant_id, month]
freshness_seconds: 300
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  month:
    {type: date, description: First day of the month. Every month since the first invoice has a row.}
  last_day:
    {type: date, description: "Day whose evening the amounts owed are of. The month's last, or the day the data stands at."}
  is_complete:
    {type: boolean, description: Whether the month was over when the data was taken.}
  invoices_issued:
    {type: bigint, unit: invoices, description: Invoices by issue date; drafts and cancelled ones never count.}
  billed_amount:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of the amounts of the invoices issued.}
  invoices_paid:
    {type: bigint, unit: invoices, description: Invoices by the day they were paid.}
  paid_amount:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of the amounts of the invoices paid.}
  paid_late:
    {type: bigint, unit: invoices, description: Of the invoices paid those paid after their due date.}
  average_days_to_pay:
    {type: double, unit: days, formula: sum of days from issue to payment / invoices_paid, description: How long the invoices paid in the month took.}
  outstanding_invoices:
    {type: bigint, unit: invoices, description: Issued but not paid in the evening of last_day.}
  outstanding_amount:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of the amounts outstanding.}
  overdue_invoices:
    {type: bigint, unit: invoices, description: Of the outstanding those whose due date had passed.}
  overdue_amount:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of the amounts overdue.}
checks:
  - not_null: [billed_amount, paid_amount, outstanding_amount, overdue_amount]
  - name: what_is_overdue_is_outstanding
    sql: >-
      SELECT tenant_id, month FROM gold.invoices_monthly
      WHERE overdue_amount > outstanding_amount OR overdue_amount < 0 OR overdue_invoices > outstanding_invoices
  - name: the_last_month_agrees_with_the_invoices
    sql: >-
      SELECT m.tenant_id, m.month FROM gold.invoices_monthly AS m
      LEFT JOIN silver.invoices AS i ON i.tenant_id = m.tenant_id AND i.status NOT IN ('draft', 'cancelled')
      AND i.issue_date <= m.last_day AND (i.paid_date IS NULL OR i.paid_date > m.last_day)
      WHERE CAST(DATE_TRUNC('month', m.last_day) AS DATE) = m.month
      GROUP BY m.tenant_id, m.month, m.outstanding_amount, m.overdue_amount, m.last_day
      HAVING m.outstanding_amount <> COALESCE(SUM(i.amount), 0)
      OR m.overdue_amount <> COALESCE(SUM(i.amount) FILTER (WHERE i.due_date < m.last_day), 0)
*/
WITH tenant AS (
  SELECT
    id AS tenant_id,
    LOCAL_DAY(AS_OF(), timezone) AS as_of_day
  FROM silver.tenants
),
-- An invoice is owed from the day of issue, overdue from the day after it is due, and neither once paid.
bills AS (
  SELECT
    i.tenant_id,
    i.amount,
    i.issue_date,
    i.due_date,
    CASE WHEN i.paid_date <= t.as_of_day THEN i.paid_date END AS paid_date,
    CAST(i.due_date + INTERVAL '1' DAY AS DATE) AS overdue_from,
    t.as_of_day
  FROM silver.invoices AS i
  JOIN tenant AS t ON t.tenant_id = i.tenant_id
  WHERE i.status NOT IN ('draft', 'cancelled') AND i.issue_date <= t.as_of_day
),
entries AS (
  SELECT
    tenant_id, issue_date AS day, 1 AS issued, amount AS billed, 0 AS paid, CAST(0 AS DECIMAL(12, 2)) AS collected,
    0 AS late, 0 AS days_to_pay, 1 AS owed, amount AS owed_amount, 0 AS overdue, CAST(0 AS DECIMAL(12, 2)) AS overdue_amount
  FROM bills
  UNION ALL
  SELECT
    tenant_id, paid_date AS day, 0 AS issued, 0 AS billed, 1 AS paid, amount AS collected,
    CASE WHEN paid_date > due_date THEN 1 ELSE 0 END AS late, DATE_DIFF('day', issue_date, paid_date) AS days_to_pay,
    0 AS owed, 0 AS owed_amount, 0 AS overdue, 0 AS overdue_amount
  FROM bills
  WHERE paid_date IS NOT NULL
  UNION ALL
  SELECT
    tenant_id, GREATEST(paid_date, issue_date) AS day, 0 AS issued, 0 AS billed, 0 AS paid, 0 AS collected,
    0 AS late, 0 AS days_to_pay, -1 AS owed, -amount AS owed_amount, 0 AS overdue, 0 AS overdue_amount
  FROM bills
  WHERE paid_date IS NOT NULL
  UNION ALL
  SELECT
    tenant_id, overdue_from AS day, 0 AS issued, 0 AS billed, 0 AS paid, 0 AS collected,
    0 AS late, 0 AS days_to_pay, 0 AS owed, 0 AS owed_amount, 1 AS overdue, amount AS overdue_amount
  FROM bills
  WHERE overdue_from <= as_of_day
  UNION ALL
  SELECT
    tenant_id, GREATEST(paid_date, overdue_from) AS day, 0 AS issued, 0 AS billed, 0 AS paid, 0 AS collected,
    0 AS late, 0 AS days_to_pay, 0 AS owed, 0 AS owed_amount, -1 AS overdue, -amount AS overdue_amount
  FROM bills
  WHERE paid_date IS NOT NULL AND overdue_from <= as_of_day
),
dated AS (
  SELECT
    tenant_id, CAST(DATE_TRUNC('month', day) AS DATE) AS month, issued, billed, paid, collected, late, days_to_pay,
    owed, owed_amount, overdue, overdue_amount
  FROM entries
),
totals AS (
  SELECT
    tenant_id,
    month,
    SUM(issued) AS issued,
    SUM(billed) AS billed,
    SUM(paid) AS paid,
    SUM(collected) AS collected,
    SUM(late) AS late,
    SUM(days_to_pay) AS days_to_pay,
    SUM(owed) AS owed,
    SUM(owed_amount) AS owed_amount,
    SUM(overdue) AS overdue,
    SUM(overdue_amount) AS overdue_amount
  FROM dated
  GROUP BY tenant_id, month
),
first_months AS (
  SELECT d.tenant_id, MIN(d.month) AS month, t.as_of_day
  FROM totals AS d
  JOIN tenant AS t ON t.tenant_id = d.tenant_id
  GROUP BY d.tenant_id, t.as_of_day
),
months AS (
  SELECT f.tenant_id, f.as_of_day, CAST(s.moment AS DATE) AS month
  FROM first_months AS f
  CROSS JOIN UNNEST(GENERATE_SERIES(f.month, GREATEST(f.month, f.as_of_day), INTERVAL '1' MONTH)) AS s(moment)
)
SELECT
  m.tenant_id,
  m.month,
  LEAST(LAST_DAY(m.month), m.as_of_day) AS last_day,
  CAST(m.month + INTERVAL '1' MONTH AS DATE) <= m.as_of_day AS is_complete,
  COALESCE(d.issued, 0) AS invoices_issued,
  COALESCE(d.billed, 0) AS billed_amount,
  COALESCE(d.paid, 0) AS invoices_paid,
  COALESCE(d.collected, 0) AS paid_amount,
  COALESCE(d.late, 0) AS paid_late,
  CAST(d.days_to_pay AS DOUBLE) / NULLIF(CAST(d.paid AS DOUBLE), 0) AS average_days_to_pay,
  COALESCE(SUM(d.owed) OVER (
    PARTITION BY m.tenant_id ORDER BY m.month ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ), 0) AS outstanding_invoices,
  COALESCE(SUM(d.owed_amount) OVER (
    PARTITION BY m.tenant_id ORDER BY m.month ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ), 0) AS outstanding_amount,
  COALESCE(SUM(d.overdue) OVER (
    PARTITION BY m.tenant_id ORDER BY m.month ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ), 0) AS overdue_invoices,
  COALESCE(SUM(d.overdue_amount) OVER (
    PARTITION BY m.tenant_id ORDER BY m.month ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ), 0) AS overdue_amount
FROM months AS m
LEFT JOIN totals AS d ON d.tenant_id = m.tenant_id AND d.month = m.month

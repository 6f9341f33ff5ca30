/* model
title: Invoice ageing
question: How much is owed now, and for how long has it been due?
grain: [tenant_id, bucket_number]
freshness_seconds: 60
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  bucket_number:
    {type: bigint, unit: place, description: "Order of the buckets: 1 is not due yet, 5 is longest due."}
  bucket:
    {type: text, description: "Days past the due date: not due, 1 to 30, 31 to 60, 61 to 90, over 90."}
  as_of_day:
    {type: date, description: The tenant's calendar day that the days are counted to.}
  invoices:
    {type: bigint, unit: invoices, description: "Outstanding invoices; every bucket has a row, with 0 if it is empty."}
  amount:
    {type: "decimal(38,2)", unit: tenant currency, description: Sum of their amounts.}
checks:
  - not_null: [bucket, as_of_day, invoices, amount]
  - name: five_buckets_for_every_tenant
    sql: >-
      SELECT tenant_id FROM gold.invoice_ageing GROUP BY tenant_id HAVING COUNT(*) <> 5
      UNION ALL SELECT id AS tenant_id FROM silver.tenants AS t
      WHERE NOT EXISTS (SELECT 1 FROM gold.invoice_ageing AS a WHERE a.tenant_id = t.id)
*/
WITH tenant AS (
  SELECT
    id AS tenant_id,
    LOCAL_DAY(AS_OF(), timezone) AS as_of_day
  FROM silver.tenants
),
buckets AS (
  SELECT 1 AS bucket_number, 'not due' AS bucket
  UNION ALL SELECT 2 AS bucket_number, '1 to 30' AS bucket
  UNION ALL SELECT 3 AS bucket_number, '31 to 60' AS bucket
  UNION ALL SELECT 4 AS bucket_number, '61 to 90' AS bucket
  UNION ALL SELECT 5 AS bucket_number, 'over 90' AS bucket
),
outstanding AS (
  SELECT
    i.tenant_id,
    i.amount,
    DATE_DIFF('day', i.due_date, t.as_of_day) AS days_due
  FROM silver.invoices AS i
  JOIN tenant AS t ON t.tenant_id = i.tenant_id
  WHERE i.status NOT IN ('draft', 'cancelled')
    AND i.issue_date <= t.as_of_day
    AND (i.paid_date IS NULL OR i.paid_date > t.as_of_day)
),
sorted AS (
  SELECT
    tenant_id,
    amount,
    CASE
      WHEN days_due <= 0 THEN 1
      WHEN days_due <= 30 THEN 2
      WHEN days_due <= 60 THEN 3
      WHEN days_due <= 90 THEN 4
      ELSE 5
    END AS bucket_number
  FROM outstanding
),
totals AS (
  SELECT tenant_id, bucket_number, COUNT(*) AS invoices, SUM(amount) AS amount
  FROM sorted
  GROUP BY tenant_id, bucket_number
)
SELECT
  t.tenant_id,
  b.bucket_number,
  b.bucket,
  t.as_of_day,
  COALESCE(s.invoices, 0) AS invoices,
  COALESCE(s.amount, 0) AS amount
FROM tenant AS t
CROSS JOIN buckets AS b
LEFT JOIN totals AS s ON s.tenant_id = t.tenant_id AND s.bucket_number = b.bucket_number

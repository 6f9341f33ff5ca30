/* model
title: Active customers by day
question: How many customers visit the shop, each day and over the last week and month?
grain: [tenant_id, day]
freshness_seconds: 300
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  day:
    {type: date, description: Day in the tenant's time zone. Every day since the first visit of a known customer has a row.}
  is_complete:
    {type: boolean, description: Whether the day was over when the data was taken.}
  daily_active:
    {type: bigint, unit: customers, description: "DAU: known customers with an event on the day. Do not add up over days."}
  weekly_active:
    {type: bigint, unit: customers, description: "WAU: known customers with an event on the day or the 6 before."}
  monthly_active:
    {type: bigint, unit: customers, description: "MAU: known customers with an event on the day or the 29 before."}
  stickiness:
    {type: double, unit: ratio, formula: daily_active / monthly_active, description: Part of the month's customers who were there on the day.}
checks:
  - not_null: [is_complete, daily_active, weekly_active, monthly_active]
  - name: a_longer_time_has_more_customers
    sql: >-
      SELECT tenant_id, day FROM gold.daily_active_customers
      WHERE daily_active < 0 OR daily_active > weekly_active OR weekly_active > monthly_active
*/
WITH tenant AS (
  SELECT
    id AS tenant_id,
    timezone,
    LOCAL_DAY(AS_OF(), timezone) AS as_of_day
  FROM silver.tenants
),
-- Converting to local time is dear. Within one day of UTC a visit touches the local days of its first and its last
-- event and no other, so only these two are converted.
visits AS (
  SELECT
    tenant_id,
    customer_id,
    session_id,
    MIN(created_at) AS began_at,
    MAX(created_at) AS ended_at
  FROM silver.events
  WHERE customer_id IS NOT NULL
  GROUP BY tenant_id, customer_id, session_id, LOCAL_DAY(created_at, 'UTC')
),
touched AS (
  SELECT v.tenant_id, v.customer_id, LOCAL_DAY(v.began_at, t.timezone) AS day
  FROM visits AS v
  JOIN tenant AS t ON t.tenant_id = v.tenant_id
  UNION ALL
  SELECT v.tenant_id, v.customer_id, LOCAL_DAY(v.ended_at, t.timezone) AS day
  FROM visits AS v
  JOIN tenant AS t ON t.tenant_id = v.tenant_id
  WHERE v.ended_at > v.began_at
),
active_days AS (
  SELECT
    a.tenant_id,
    a.day,
    LEAD(a.day) OVER (PARTITION BY a.tenant_id, a.customer_id ORDER BY a.day) AS next_day,
    t.as_of_day
  FROM (SELECT DISTINCT tenant_id, customer_id, day FROM touched) AS a
  JOIN tenant AS t ON t.tenant_id = a.tenant_id
  WHERE a.day <= t.as_of_day
),
-- A customer counts from an active day until the window has passed, or the next active day takes over.
steps AS (
  SELECT tenant_id, day, 1 AS daily, 1 AS weekly, 1 AS monthly
  FROM active_days
  UNION ALL
  SELECT
    tenant_id,
    LEAST(CAST(day + INTERVAL '7' DAY AS DATE), COALESCE(next_day, CAST(day + INTERVAL '7' DAY AS DATE))) AS day,
    0 AS daily,
    -1 AS weekly,
    0 AS monthly
  FROM active_days
  UNION ALL
  SELECT
    tenant_id,
    LEAST(CAST(day + INTERVAL '30' DAY AS DATE), COALESCE(next_day, CAST(day + INTERVAL '30' DAY AS DATE))) AS day,
    0 AS daily,
    0 AS weekly,
    -1 AS monthly
  FROM active_days
),
totals AS (
  SELECT tenant_id, day, SUM(daily) AS daily, SUM(weekly) AS weekly, SUM(monthly) AS monthly
  FROM steps
  GROUP BY tenant_id, day
),
first_days AS (
  SELECT tenant_id, as_of_day, MIN(day) AS day
  FROM active_days
  GROUP BY tenant_id, as_of_day
),
days AS (
  SELECT f.tenant_id, f.as_of_day, CAST(s.moment AS DATE) AS day
  FROM first_days AS f
  CROSS JOIN UNNEST(GENERATE_SERIES(f.day, GREATEST(f.day, f.as_of_day), INTERVAL '1' DAY)) AS s(moment)
),
running AS (
  SELECT
    d.tenant_id,
    d.day,
    d.day < d.as_of_day AS is_complete,
    COALESCE(s.daily, 0) AS daily_active,
    SUM(COALESCE(s.weekly, 0)) OVER (
      PARTITION BY d.tenant_id ORDER BY d.day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS weekly_active,
    SUM(COALESCE(s.monthly, 0)) OVER (
      PARTITION BY d.tenant_id ORDER BY d.day ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS monthly_active
  FROM days AS d
  LEFT JOIN totals AS s ON s.tenant_id = d.tenant_id AND s.day = d.day
)
SELECT
  tenant_id,
  day,
  is_complete,
  daily_active,
  weekly_active,
  monthly_active,
  CAST(daily_active AS DOUBLE) / NULLIF(CAST(monthly_active AS DOUBLE), 0) AS stickiness
FROM running

/* model
title: Visits and funnel by day
question: How many visits were there each day, and how far on the way to a purchase did they get?
grain: [tenant_id, day]
freshness_seconds: 300
incremental_key: [tenant_id]
columns:
  tenant_id:
    {type: bigint, description: Tenant the row belongs to.}
  day:
    {type: date, description: "Day in the tenant's time zone on which visits began; for the funnel, on which they first viewed a page. Days without either have no row."}
  visits:
    {type: bigint, unit: visits, description: "Visits, that is sessions, whose first event was on the day."}
  events:
    {type: bigint, unit: events, description: Events of these visits.}
  known_visits:
    {type: bigint, unit: visits, description: Of these visits those in which the customer was known.}
  bounced_visits:
    {type: bigint, unit: visits, description: Of these visits those of a single event.}
  bounce_ratio:
    {type: double, unit: ratio, formula: bounced_visits / visits, description: Part of the visits that ended with their first event.}
  events_per_visit:
    {type: double, unit: events, formula: events / visits, description: How much happens in a visit.}
  average_seconds:
    {type: double, unit: seconds, formula: sum of seconds from first to last event / visits, description: How long a visit takes.}
  page_view_visits:
    {type: bigint, unit: visits, description: "Funnel, step 1: visits that viewed a page."}
  product_view_visits:
    {type: bigint, unit: visits, description: "Step 2: of step 1 those that viewed a product afterwards."}
  add_to_cart_visits:
    {type: bigint, unit: visits, description: "Step 3: of step 2 those that put something into the cart afterwards."}
  checkout_visits:
    {type: bigint, unit: visits, description: "Step 4: of step 3 those that went to the checkout afterwards."}
  purchase_visits:
    {type: bigint, unit: visits, description: "Step 5: of step 4 those that purchased afterwards."}
  product_view_ratio:
    {type: double, unit: ratio, formula: product_view_visits / page_view_visits, description: Step rate from viewing a page to viewing a product.}
  add_to_cart_ratio:
    {type: double, unit: ratio, formula: add_to_cart_visits / product_view_visits, description: Step rate from viewing a product to the cart.}
  checkout_ratio:
    {type: double, unit: ratio, formula: checkout_visits / add_to_cart_visits, description: Step rate from the cart to the checkout.}
  purchase_ratio:
    {type: double, unit: ratio, formula: purchase_visits / checkout_visits, description: Step rate from the checkout to the purchase.}
  conversion_ratio:
    {type: double, unit: ratio, formula: purchase_visits / page_view_visits, description: Part of the visits that went the whole way.}
checks:
  - not_null: [visits, events, page_view_visits, purchase_visits]
  - name: the_funnel_narrows
    sql: >-
      SELECT tenant_id, day FROM gold.daily_visits
      WHERE product_view_visits > page_view_visits OR add_to_cart_visits > product_view_visits
      OR checkout_visits > add_to_cart_visits OR purchase_visits > checkout_visits
  - name: no_event_is_lost
    sql: >-
      SELECT COUNT(*) AS events FROM silver.events
      EXCEPT SELECT COALESCE(SUM(events), 0) AS events FROM gold.daily_visits
*/
WITH steps AS (
  SELECT
    tenant_id,
    session_id,
    customer_id,
    event_type,
    created_at,
    ROW_NUMBER() OVER (PARTITION BY tenant_id, session_id ORDER BY created_at, id) AS place
  FROM silver.events
),
visits AS (
  SELECT
    tenant_id,
    session_id,
    MIN(created_at) AS began_at,
    DATE_DIFF('second', MIN(created_at), MAX(created_at)) AS seconds,
    COUNT(*) AS events,
    COUNT(customer_id) AS known_events,
    MIN(created_at) FILTER (WHERE event_type = 'page_view') AS page_view_at,
    MIN(place) FILTER (WHERE event_type = 'page_view') AS page_view
  FROM steps
  GROUP BY tenant_id, session_id
),
-- Each step counts from its first event after the step before.
product_views AS (
  SELECT e.tenant_id, e.session_id, MIN(e.place) AS place
  FROM steps AS e
  JOIN visits AS v ON v.tenant_id = e.tenant_id AND v.session_id = e.session_id
  WHERE e.event_type = 'product_view' AND e.place > v.page_view
  GROUP BY e.tenant_id, e.session_id
),
carts AS (
  SELECT e.tenant_id, e.session_id, MIN(e.place) AS place
  FROM steps AS e
  JOIN product_views AS v ON v.tenant_id = e.tenant_id AND v.session_id = e.session_id
  WHERE e.event_type = 'add_to_cart' AND e.place > v.place
  GROUP BY e.tenant_id, e.session_id
),
checkouts AS (
  SELECT e.tenant_id, e.session_id, MIN(e.place) AS place
  FROM steps AS e
  JOIN carts AS v ON v.tenant_id = e.tenant_id AND v.session_id = e.session_id
  WHERE e.event_type = 'checkout' AND e.place > v.place
  GROUP BY e.tenant_id, e.session_id
),
purchases AS (
  SELECT e.tenant_id, e.session_id, MIN(e.place) AS place
  FROM steps AS e
  JOIN checkouts AS v ON v.tenant_id = e.tenant_id AND v.session_id = e.session_id
  WHERE e.event_type = 'purchase' AND e.place > v.place
  GROUP BY e.tenant_id, e.session_id
),
dated AS (
  SELECT
    v.tenant_id,
    v.session_id,
    LOCAL_DAY(v.began_at, t.timezone) AS day,
    v.began_at,
    v.page_view_at,
    t.timezone,
    v.seconds,
    v.events,
    v.known_events
  FROM visits AS v
  JOIN silver.tenants AS t ON t.id = v.tenant_id
),
reached AS (
  SELECT
    d.tenant_id,
    CASE WHEN d.page_view_at = d.began_at THEN d.day ELSE LOCAL_DAY(d.page_view_at, d.timezone) END AS day,
    v.place AS product_view,
    c.place AS cart,
    o.place AS checkout,
    p.place AS purchase
  FROM dated AS d
  LEFT JOIN product_views AS v ON v.tenant_id = d.tenant_id AND v.session_id = d.session_id
  LEFT JOIN carts AS c ON c.tenant_id = d.tenant_id AND c.session_id = d.session_id
  LEFT JOIN checkouts AS o ON o.tenant_id = d.tenant_id AND o.session_id = d.session_id
  LEFT JOIN purchases AS p ON p.tenant_id = d.tenant_id AND p.session_id = d.session_id
  WHERE d.page_view_at IS NOT NULL
),
parts AS (
  SELECT
    tenant_id,
    day,
    COUNT(*) AS visits,
    SUM(events) AS events,
    COUNT(*) FILTER (WHERE known_events > 0) AS known_visits,
    COUNT(*) FILTER (WHERE events = 1) AS bounced_visits,
    SUM(seconds) AS seconds,
    0 AS page_view_visits,
    0 AS product_view_visits,
    0 AS add_to_cart_visits,
    0 AS checkout_visits,
    0 AS purchase_visits
  FROM dated
  GROUP BY tenant_id, day
  UNION ALL
  SELECT
    tenant_id,
    day,
    0 AS visits,
    0 AS events,
    0 AS known_visits,
    0 AS bounced_visits,
    0 AS seconds,
    COUNT(*) AS page_view_visits,
    COUNT(product_view) AS product_view_visits,
    COUNT(cart) AS add_to_cart_visits,
    COUNT(checkout) AS checkout_visits,
    COUNT(purchase) AS purchase_visits
  FROM reached
  GROUP BY tenant_id, day
),
days AS (
  SELECT
    tenant_id,
    day,
    SUM(visits) AS visits,
    SUM(events) AS events,
    SUM(known_visits) AS known_visits,
    SUM(bounced_visits) AS bounced_visits,
    SUM(seconds) AS seconds,
    SUM(page_view_visits) AS page_view_visits,
    SUM(product_view_visits) AS product_view_visits,
    SUM(add_to_cart_visits) AS add_to_cart_visits,
    SUM(checkout_visits) AS checkout_visits,
    SUM(purchase_visits) AS purchase_visits
  FROM parts
  GROUP BY tenant_id, day
)
SELECT
  tenant_id,
  day,
  visits,
  events,
  known_visits,
  bounced_visits,
  CAST(bounced_visits AS DOUBLE) / NULLIF(CAST(visits AS DOUBLE), 0) AS bounce_ratio,
  CAST(events AS DOUBLE) / NULLIF(CAST(visits AS DOUBLE), 0) AS events_per_visit,
  CAST(seconds AS DOUBLE) / NULLIF(CAST(visits AS DOUBLE), 0) AS average_seconds,
  page_view_visits,
  product_view_visits,
  add_to_cart_visits,
  checkout_visits,
  purchase_visits,
  CAST(product_view_visits AS DOUBLE) / NULLIF(CAST(page_view_visits AS DOUBLE), 0) AS product_view_ratio,
  CAST(add_to_cart_visits AS DOUBLE) / NULLIF(CAST(product_view_visits AS DOUBLE), 0) AS add_to_cart_ratio,
  CAST(checkout_visits AS DOUBLE) / NULLIF(CAST(add_to_cart_visits AS DOUBLE), 0) AS checkout_ratio,
  CAST(purchase_visits AS DOUBLE) / NULLIF(CAST(checkout_visits AS DOUBLE), 0) AS purchase_ratio,
  CAST(purchase_visits AS DOUBLE) / NULLIF(CAST(page_view_visits AS DOUBLE), 0) AS conversion_ratio
FROM days

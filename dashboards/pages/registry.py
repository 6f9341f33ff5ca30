"""Every page and every chart. A chart that a page declares has a card, a JSON and a CSV; nothing else is needed."""

from __future__ import annotations

from dashboards.charts.chart import Chart
from dashboards.pages import activity, customers, invoices, products, revenue, subscriptions
from dashboards.pages.page import Page

OVERVIEW = Page(
    name="overview",
    title="Overview",
    question="How is the business doing?",
    charts=(revenue.REVENUE_BY_DAY, customers.ACQUISITION, subscriptions.MRR, revenue.REVENUE_FORECAST),
)
"""What to look at first: the other pages' most telling charts, below the key figures."""

PAGES = {
    page.name: page
    for page in (revenue.PAGE, customers.PAGE, products.PAGE, subscriptions.PAGE, invoices.PAGE, activity.PAGE)
}

CHARTS: dict[str, Chart] = {chart.name: chart for page in (OVERVIEW, *PAGES.values()) for chart in page.charts}

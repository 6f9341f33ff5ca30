"""Small random shops: the models against a short reference in Python, and books that have to close.

The reference says each definition the plain way, day by day and customer by customer, where the
models use windows and running sums.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import duckdb
import numpy as np
import pytest

from etl.gold.compile import check_sql, compile_models, load_models
from tests.unit.etl.gold.silver import COLUMNS, compute_needed, open_silver

COMPILED = [each for each in compile_models(load_models(), silver=COLUMNS) if each.model.transform is None]
AS_OF = datetime(2026, 6, 15, 22, 30, tzinfo=UTC)
FIRST = datetime(2026, 1, 10, tzinfo=UTC)
ZONES = {1: "Europe/Berlin", 2: "Asia/Kolkata", 3: "America/Los_Angeles"}
STEPS = ("page_view", "product_view", "add_to_cart", "checkout", "purchase")

Row = dict[str, object]
Shop = Mapping[str, list[Row]]


def shops(seed: int) -> Shop:
    """Return three tenants' rows, dense enough that ties, gaps and returns happen."""
    rng = np.random.default_rng(seed)
    span_minutes = int((AS_OF - FIRST).total_seconds() // 60)

    def moment() -> datetime:
        return FIRST + timedelta(minutes=int(rng.integers(span_minutes)))

    def day() -> date:
        return moment().date()

    def money() -> Decimal:
        return Decimal(int(rng.integers(0, 10_000))) / 100

    rows: dict[str, list[Row]] = defaultdict(list)
    rows["tenants"] = [{"id": tenant, "timezone": zone} for tenant, zone in ZONES.items()]
    for tenant in ZONES:
        customers = [tenant * 100 + number for number in range(6)]
        rows["customers"] += [{"id": each, "tenant_id": tenant, "created_at": FIRST} for each in customers]
        for number in range(25):
            rows["orders"].append(
                {
                    "id": tenant * 1000 + number,
                    "tenant_id": tenant,
                    "customer_id": int(rng.choice(customers)),
                    "status": str(rng.choice(["completed", "completed", "refunded", "cancelled", "pending"])),
                    "total": money(),
                    "order_date": moment(),
                }
            )
        for number in range(15):
            start = day()
            end = None if rng.random() < 0.3 else start + timedelta(days=int(rng.integers(0, 90)))
            rows["subscriptions"].append(
                {
                    "id": tenant * 1000 + number,
                    "tenant_id": tenant,
                    "customer_id": int(rng.choice(customers)),
                    "is_trial": bool(rng.random() < 0.2),
                    "monthly_amount": Decimal(int(rng.integers(0, 4))) * 10,
                    "start_date": start,
                    "end_date": end,
                }
            )
        for number in range(15):
            issued = day()
            due = issued + timedelta(days=int(rng.integers(0, 30)))
            paid = None if rng.random() < 0.4 else issued + timedelta(days=int(rng.integers(0, 80)))
            rows["invoices"].append(
                {
                    "id": tenant * 1000 + number,
                    "tenant_id": tenant,
                    "customer_id": int(rng.choice(customers)),
                    "status": str(rng.choice(["open", "draft", "cancelled"])) if paid is None else "paid",
                    "amount": money(),
                    "issue_date": issued,
                    "due_date": due,
                    "paid_date": paid,
                }
            )
        for visit in range(15):
            at = moment()
            for number in range(int(rng.integers(1, 9))):
                wanders = number >= len(STEPS) or rng.random() < 0.3
                at += timedelta(minutes=int(rng.choice([0, 0, 1, 400])))  # Equal times, and visits over midnight.
                rows["events"].append(
                    {
                        "id": tenant * 10_000 + visit * 100 + number,
                        "tenant_id": tenant,
                        "session_id": f"{visit}",
                        "customer_id": int(rng.choice(customers)) if rng.random() < 0.7 else None,
                        "event_type": str(rng.choice([*STEPS, "search"])) if wanders else STEPS[number],
                        "created_at": at,
                    }
                )
    return rows


def local_day(moment: object, tenant: object) -> date:
    assert isinstance(moment, datetime)
    return moment.astimezone(ZoneInfo(ZONES[tenant])).date()


def today(tenant: int) -> date:
    return local_day(AS_OF, tenant)


def days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=number) for number in range((last - first).days + 1))


def month_of(day: date) -> date:
    return day.replace(day=1)


def of(shop: Shop, table: str, tenant: int) -> list[Row]:
    return [row for row in shop[table] if row["tenant_id"] == tenant]


@pytest.fixture(scope="module", params=range(5))
def world(request: pytest.FixtureRequest) -> tuple[Shop, duckdb.DuckDBPyConnection]:
    shop = shops(request.param)
    connection = open_silver(shop)
    compute_needed(connection, [each.model.table for each in COMPILED], COMPILED, as_of=AS_OF)
    return shop, connection


World = tuple[Shop, duckdb.DuckDBPyConnection]


def answers(connection: duckdb.DuckDBPyConnection, columns: str, table: str) -> set[tuple[object, ...]]:
    return set(connection.execute(f"SELECT {columns} FROM gold.{table}").fetchall())


def test_every_check_of_every_model_holds(world: World) -> None:
    _, connection = world
    for each in COMPILED:
        for check in each.checks:
            failing = connection.execute(check_sql(check, "duckdb", as_of=AS_OF)).fetchall()
            assert failing == [], f"{each.model.name}: {check.check.name}"


def in_force(shop: Shop, tenant: int, customer: object, day: date) -> Decimal:
    return sum(
        (
            row["monthly_amount"]
            for row in of(shop, "subscriptions", tenant)
            if row["customer_id"] == customer
            and not row["is_trial"]
            and row["start_date"] <= day
            and (row["end_date"] is None or day < row["end_date"])
        ),
        Decimal(0),
    )


def test_the_change_log_is_the_difference_of_days(world: World) -> None:
    shop, connection = world
    expected = set()
    for tenant in ZONES:
        for customer in {row["customer_id"] for row in of(shop, "subscriptions", tenant)}:
            before, has_paid = Decimal(0), False
            for day in days(FIRST.date(), today(tenant)):
                after = in_force(shop, tenant, customer, day)
                if after != before:
                    if not before:
                        movement = "reactivation" if has_paid else "new"
                    elif not after:
                        movement = "churn"
                    else:
                        movement = "expansion" if after > before else "contraction"
                    expected.add((tenant, customer, day, movement, abs(after - before), before, after))
                    before, has_paid = after, True
    found = answers(connection, "tenant_id, customer_id, day, movement, amount, mrr_before, mrr_after", "mrr_changes")
    assert found == expected


def test_mrr_closes_from_any_day_to_any_day(world: World) -> None:
    shop, connection = world
    changes = answers(connection, "tenant_id, customer_id, day, movement, amount", "mrr_changes")
    sign = {"new": 1, "expansion": 1, "reactivation": 1, "contraction": -1, "churn": -1}
    for tenant in ZONES:
        customers = {row["customer_id"] for row in of(shop, "subscriptions", tenant)}
        running = Decimal(0)
        for day in days(FIRST.date(), today(tenant)):
            running += sum(sign[each[3]] * each[4] for each in changes if each[0] == tenant and each[2] == day)
            assert running == sum(in_force(shop, tenant, customer, day) for customer in customers)


def test_churn_compares_each_customers_start_and_end(world: World) -> None:
    shop, connection = world
    found = answers(
        connection,
        "tenant_id, month, last_day, customers_at_start, customers_lost, paying_customers, start_mrr, end_mrr,"
        " gross_churn_ratio, net_churn_ratio",
        "mrr_monthly",
    )
    for tenant, month, last_day, at_start, lost, paying, start_mrr, end_mrr, gross, net in found:
        customers = {row["customer_id"] for row in of(shop, "subscriptions", tenant)}
        start = {each: in_force(shop, tenant, each, month - timedelta(days=1)) for each in customers}
        end = {each: in_force(shop, tenant, each, last_day) for each in customers}
        stayed = [each for each in customers if start[each] > 0]
        assert at_start == len(stayed)
        assert lost == sum(1 for each in stayed if not end[each])
        assert paying == sum(1 for each in customers if end[each] > 0)
        assert (start_mrr, end_mrr) == (sum(start.values()), sum(end.values()))
        if stayed:
            total = sum(start[each] for each in stayed)
            assert gross == pytest.approx(float(1 - sum(min(end[each], start[each]) for each in stayed) / total))
            assert net == pytest.approx(float(1 - sum(end[each] for each in stayed) / total))
        else:
            assert gross is net is None


@pytest.mark.parametrize("column", ["orders", "completed_orders", "revenue", "refunded_amount", "new_customers"])
def test_days_weeks_and_months_add_up_alike(world: World, column: str) -> None:
    _, connection = world
    sums = [
        set(connection.execute(f"SELECT tenant_id, SUM({column}) FROM gold.{table} GROUP BY tenant_id").fetchall())
        for table in ("daily_revenue", "weekly_revenue", "monthly_revenue")
    ]
    assert sums[0] == sums[1] == sums[2]
    assert len(sums[0]) == len(ZONES)


@pytest.mark.parametrize(
    ("table", "period", "begin"),
    [
        ("daily_revenue", "day", lambda day: day),
        ("weekly_revenue", "week", lambda day: day - timedelta(days=day.weekday())),
        ("monthly_revenue", "month", month_of),
    ],
)
def test_revenue_and_buyers_by_period(world: World, table: str, period: str, begin: Callable[[date], date]) -> None:
    shop, connection = world
    expected = set()
    for tenant in ZONES:
        orders = [(local_day(row["order_date"], tenant), row) for row in of(shop, "orders", tenant)]
        first: dict[object, date] = {}
        for day, row in orders:
            if row["status"] == "completed":
                customer = row["customer_id"]
                first[customer] = min(day, first.get(customer, day))
        for start in {begin(day) for day, _ in orders}:
            sold = [row for day, row in orders if begin(day) == start and row["status"] == "completed"]
            buyers = {row["customer_id"] for row in sold}
            new = {customer for customer in buyers if begin(first[customer]) == start}
            revenue = sum((row["total"] for row in sold), Decimal(0))
            expected.add((tenant, start, revenue, len(buyers), len(new), len(buyers - new)))
    columns = f"tenant_id, {period}, revenue, buyers, new_customers, returning_customers"
    assert answers(connection, columns, table) == expected


def test_cohorts(world: World) -> None:
    shop, connection = world
    expected = set()
    for tenant in ZONES:
        bought: dict[object, dict[date, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for row in of(shop, "orders", tenant):
            if row["status"] == "completed":
                bought[row["customer_id"]][month_of(local_day(row["order_date"], tenant))] += row["total"]
        for cohort in {min(months) for months in bought.values()}:
            members = [months for months in bought.values() if min(months) == cohort]
            for number, month in enumerate(date(2026, each, 1) for each in range(cohort.month, 7)):
                is_complete = month < date(2026, 6, 1)
                customers = sum(1 for months in members if month in months) if is_complete else None
                revenue = sum((months.get(month, Decimal(0)) for months in members), Decimal(0))
                expected.add((tenant, cohort, number, len(members), customers, revenue if is_complete else None))
    columns = "tenant_id, cohort_month, month_number, cohort_size, customers, revenue"
    assert answers(connection, columns, "cohort_retention") == expected
    month_0 = connection.execute("SELECT DISTINCT customer_retention FROM gold.cohort_retention WHERE month_number = 0")
    assert {ratio for (ratio,) in month_0.fetchall()} <= {1.0, None}


def test_the_funnel_follows_each_visit(world: World) -> None:
    shop, connection = world
    reached: dict[tuple[int, date], list[int]] = defaultdict(lambda: [0] * len(STEPS))
    for tenant in ZONES:
        visits = defaultdict(list)
        for row in of(shop, "events", tenant):
            visits[row["session_id"]].append(row)
        for events in visits.values():
            step, day = 0, None
            for row in sorted(events, key=lambda row: (row["created_at"], row["id"])):
                if step < len(STEPS) and row["event_type"] == STEPS[step]:
                    day = day or local_day(row["created_at"], tenant)
                    reached[tenant, day][step] += 1
                    step += 1
    columns = ", ".join(f"{step}_visits" for step in STEPS)
    found = answers(connection, f"tenant_id, day, {columns}", "daily_visits")
    assert {row for row in found if row[2]} == {(*key, *counts) for key, counts in reached.items()}
    assert any(counts[2] for counts in reached.values()), "no visit comes as far as the cart: this proves little"


def test_active_customers_of_the_last_1_7_and_30_days(world: World) -> None:
    shop, connection = world
    expected = set()
    for tenant in ZONES:
        active = {
            (local_day(row["created_at"], tenant), row["customer_id"])
            for row in of(shop, "events", tenant)
            if row["customer_id"] is not None and local_day(row["created_at"], tenant) <= today(tenant)
        }
        for day in days(min(day for day, _ in active), today(tenant)):
            counts = [
                len({customer for each, customer in active if timedelta() <= day - each < timedelta(days=length)})
                for length in (1, 7, 30)
            ]
            expected.add((tenant, day, *counts))
    columns = "tenant_id, day, daily_active, weekly_active, monthly_active"
    assert answers(connection, columns, "daily_active_customers") == expected


def test_what_is_owed_at_the_end_of_each_month(world: World) -> None:
    shop, connection = world
    columns = "tenant_id, last_day, billed_amount, paid_amount, outstanding_amount, overdue_amount, month"
    for tenant, last, billed, paid, outstanding, overdue, month in answers(connection, columns, "invoices_monthly"):
        bills = [row for row in of(shop, "invoices", tenant) if row["status"] not in {"draft", "cancelled"}]
        issued = [row for row in bills if row["issue_date"] <= last]
        owed = [row for row in issued if row["paid_date"] is None or row["paid_date"] > last]
        late = [row for row in owed if row["due_date"] < last]
        assert billed == sum((row["amount"] for row in issued if month_of(row["issue_date"]) == month), Decimal(0))
        settled = [row for row in issued if row["paid_date"] and month <= row["paid_date"] <= last]
        assert paid == sum((row["amount"] for row in settled), Decimal(0))
        assert outstanding == sum((row["amount"] for row in owed), Decimal(0))
        assert overdue == sum((row["amount"] for row in late), Decimal(0))

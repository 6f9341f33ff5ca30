"""`lakehouse contract`, `lakehouse lineage` and the lineage page, over contracts in bronze."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from etl.bronze.layout import load_manifest_key
from etl.bronze.manifest import LoadManifest
from etl.contracts.source import open_source, read_contracts
from etl.contracts.store import record_contract
from etl.contracts.table import Column, TableContract, TableId
from lakehouse_admin.wiring import source_url
from saas.models import User
from tests.fakes import FakeStore, _file
from tests.integration.lakehouse_admin.test_command import Answer
from tests.integration.lakehouse_admin.test_console import signed_in

pytestmark = [pytest.mark.integration, pytest.mark.django_db]

ORDERS = TableId.parse("orders")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> FakeStore:
    """Bronze, empty."""
    store = FakeStore()
    for module in ("cli.contract", "cli.lineage", "admin.lineage"):
        monkeypatch.setattr(f"lakehouse_admin.{module}.bronze", lambda: store)
    return store


@pytest.fixture
def contracts(store: FakeStore, settings: object) -> dict[TableId, TableContract]:
    """The source's own contracts, recorded as a load records them."""
    tables = [TableId.parse(name) for name in settings.LAKEHOUSE.source_tables]  # type: ignore[attr-defined]
    with open_source(source_url()) as connection:
        read = read_contracts(connection, tables)
    return {each.table: record_contract(store, each) for each in read}


def a_version_with(store: FakeStore, contract: TableContract, **changes: object) -> TableContract:
    return record_contract(store, replace(contract, **changes))


class TestContract:
    def test_the_list_says_that_the_source_is_as_recorded(self, contracts: dict[TableId, TableContract]):
        answer = Answer("contract")
        assert answer.code == 0
        assert answer.out.count("equal") == len(contracts) == 8
        assert "tenant_id, id" in answer.out

    def test_a_source_that_changed_exits_with_1_and_says_how(
        self, store: FakeStore, contracts: dict[TableId, TableContract]
    ):
        recorded = contracts[ORDERS]
        older = [replace(each, source_type="numeric(10,2)", type="decimal(10,2)") if each.name == "total" else each
                 for each in recorded.columns]  # fmt: skip
        a_version_with(store, recorded, columns=tuple(older))
        for arguments in ([], ["orders"], ["orders", "--diff"], ["--diff"]):
            answer = Answer("contract", *arguments)
            assert answer.code == 1
            assert "total was widened from numeric(10,2) to numeric(12,2)." in answer.out
        document = Answer("contract", "orders", "--json").document
        assert document["equal"] is False
        (table,) = document["tables"]  # type: ignore[misc]
        assert [each["kind"] for each in table["source_changes"]] == ["widened"]
        assert [each["version"] for each in table["versions"]] == [1, 2]

    def test_one_table_in_full_with_the_version_of_each_bronze_file(
        self, store: FakeStore, contracts: dict[TableId, TableContract]
    ):
        file = replace(_file(ORDERS, 5), contract_version=1)
        load = LoadManifest(
            load_id="00000000000000AA", request_id="r", lsn=1, snapshot_at="x", files=(file,), tables=(ORDERS,)
        )
        store.put(load_manifest_key(load.load_id), load.to_json().encode())
        grown = Column(name="gift", attnum=99, source_type="boolean", type="boolean", nullable=True)
        a_version_with(store, contracts[ORDERS], columns=(*contracts[ORDERS].columns, grown))

        answer = Answer("contract", "orders")

        assert "public.orders, version 2, key (tenant_id, id)" in answer.out
        assert "  2: gift (boolean) was added; it may be empty." in answer.out
        assert "public/orders/LOAD00000001.csv.gz: 5 rows, version 1" in answer.out
        assert "gift (boolean) was dropped." in answer.out

    def test_two_recorded_versions(self, store: FakeStore, contracts: dict[TableId, TableContract]):
        a_version_with(store, contracts[ORDERS], key=("id",))
        answer = Answer("contract", "orders", "--diff", "1..2")
        assert (answer.code, answer.out) == (1, "The key was (tenant_id, id) and is now (id).\n")
        backwards = Answer("contract", "orders", "--diff", "2..1", "--json")
        assert backwards.document["changes"][0]["kind"] == "key"  # type: ignore[index]
        same = Answer("contract", "orders", "--diff", "2..2")
        assert (same.code, same.out) == (0, "Nothing changed.\n")

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["orders", "--diff", "1..7"], "public.orders has no version 7; recorded are 1."),
            (["orders", "--diff", "newest"], "'newest' is not two versions of one table."),
            (["--diff", "1..2"], "'1..2' is not two versions of one table."),
            (["nothing"], "Bronze holds no contract of public.nothing."),
        ],
    )
    @pytest.mark.usefixtures("contracts")
    def test_what_is_not_there_is_refused_in_a_sentence(self, arguments: list[str], says: str):
        answer = Answer("contract", *arguments)
        assert answer.code == 1
        assert says in answer.err


class TestLineageVerb:
    @pytest.mark.usefixtures("contracts")
    def test_both_directions(self):
        answer = Answer("lineage", "gold.daily_revenue.revenue")
        assert answer.code == 0
        assert "  source.orders.total" in answer.out
        assert "  dashboard.key-figures" in answer.out
        up = Answer("lineage", "gold.daily_revenue.revenue", "--up", "--json").document
        assert up["columns"] == ["silver.orders.status", "silver.orders.total"]
        assert "down" not in up
        down = Answer("lineage", "source.orders.total", "--down", "--json").document
        assert "dashboard.revenue" in down["down"]  # type: ignore[operator]
        assert "up" not in down

    @pytest.mark.usefixtures("contracts")
    def test_everything(self):
        lines = Answer("lineage").out.splitlines()
        assert "silver.orders.total <- source.orders.total" in lines
        assert "gold.tenant_summary.customers <- rows of silver.customers" in lines
        assert "silver.orders._change_seq <- added by replication: the order of changes" in lines
        document = json.loads(Answer("lineage", "--json").out)
        assert document["dashboard.acquisition"]["columns"]

    @pytest.mark.usefixtures("store")
    def test_an_empty_lake(self):
        assert "Nothing has been replicated yet" in Answer("lineage").err

    @pytest.mark.usefixtures("contracts")
    def test_an_unknown_column(self):
        answer = Answer("lineage", "gold.daily_revenue.revenu")
        assert answer.code == 1
        assert "There is no column revenu" in answer.err


class TestLineagePage:
    @pytest.fixture
    def staff(self) -> Client:
        return signed_in(User.objects.create_superuser("staff@lakeside.example", "a long pass phrase"))

    @pytest.mark.usefixtures("contracts")
    def test_the_whole_lake(self, staff: Client):
        page = staff.get(reverse("lineage")).text
        for node in ("source.orders", "silver.orders", "gold.daily_revenue", "dashboard.revenue"):
            assert f'href="?of={node}"' in page
        assert '<title id="lineage-title">' in page
        assert "8 at the source, 8 in silver" in page

    @pytest.mark.usefixtures("contracts")
    def test_one_column_and_one_table(self, staff: Client):
        column = staff.get(reverse("lineage"), {"of": "gold.daily_revenue.orders"}).text
        assert 'rows of <a href="?of=silver.orders">silver.orders</a>' in column
        assert "gold.tenant_summary" not in column
        status = staff.get(reverse("lineage"), {"of": "silver.orders.status"}).text
        assert "Helps to decide which rows there are in" in status
        table = staff.get(reverse("lineage"), {"of": "gold.daily_revenue"}).text
        assert 'data-node="gold.daily_revenue.revenue"' in table

    @pytest.mark.usefixtures("store")
    def test_what_is_not_there(self, staff: Client):
        assert "Nothing has been replicated yet" in staff.get(reverse("lineage")).text

    @pytest.mark.usefixtures("contracts")
    def test_an_unknown_node_is_not_found(self, staff: Client):
        assert staff.get(reverse("lineage"), {"of": "<script>"}).status_code == 404

    @pytest.mark.usefixtures("contracts")
    def test_only_who_may_see_runs_sees_it(self):
        owner = User.objects.create_user("owner@shop.example", "a long pass phrase")
        for outsider in (Client(), signed_in(owner)):
            answer = outsider.get(reverse("lineage"))
            assert answer.status_code == 302
            assert "/login/" in answer["Location"]
        new = User.objects.create_user("new@lakeside.example", "a long pass phrase", is_staff=True)
        assert signed_in(new).get(reverse("lineage")).status_code == 403
        new.user_permissions.add(Permission.objects.get(codename="view_pipelinerun"))
        assert signed_in(User.objects.get(pk=new.pk)).get(reverse("lineage")).status_code == 200

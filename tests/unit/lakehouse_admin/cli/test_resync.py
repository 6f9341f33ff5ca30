"""`manage.py lakehouse resync`: what it refuses before it touches anything."""

import io

import pytest

from etl.contracts.table import TableId
from etl.replicate.session import ReplicatorConfig
from lakehouse_admin.cli import resync
from lakehouse_admin.cli.verb import Output


@pytest.mark.parametrize(
    ("tables", "everything", "sentence"),
    [
        ([], False, "Say which tables"),
        (["orders"], True, "Say which tables"),
    ],
)
def test_tables_have_to_be_named_well(
    monkeypatch: pytest.MonkeyPatch, tables: list[str], everything: bool, sentence: str
):
    config = ReplicatorConfig(source_url="postgresql://nobody@nowhere/x", tables=(TableId.parse("orders"),), slot="s")
    monkeypatch.setattr(resync, "replicator_config", lambda: config)
    output = Output(out=io.StringIO(), progress=io.StringIO(), as_json=False)
    with pytest.raises(resync.ResyncWhatError, match=sentence):
        resync.handle({"tables": tables, "all": everything}, output)

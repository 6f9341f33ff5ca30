from etl.engine.lake import LakeConfig

LAKE = LakeConfig(lake_uri="/lake", catalog_url="postgresql://role:secret@host/db", memory_limit_bytes=1024, threads=1)


def test_zones_stand_below_the_root() -> None:
    assert (LAKE.bronze_root, LAKE.warehouse) == ("/lake/bronze", "/lake/warehouse")


def test_the_catalogs_password_is_not_printed() -> None:
    assert "secret" not in repr(LAKE)

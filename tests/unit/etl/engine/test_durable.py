from pathlib import Path

import pytest

from etl.engine.durable import DurableFileIO, flush


@pytest.fixture
def flushed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was forced to the disk, in order."""
    paths: list[str] = []
    monkeypatch.setattr(
        "os.fsync", lambda descriptor: paths.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
    )
    return paths


def test_a_file_and_the_folders_around_it_are_flushed(tmp_path: Path, flushed: list[str]) -> None:
    file = tmp_path / "silver" / "orders" / "data" / "tenant_id=1" / "a.parquet"
    file.parent.mkdir(parents=True)
    file.touch()
    flush([str(file), "s3://bucket/other.parquet"])
    assert flushed[0] == str(file)
    assert set(flushed[1:]) == {str(folder) for folder in file.parents[:4]}


def test_metadata_is_on_the_disk_once_it_is_closed(tmp_path: Path, flushed: list[str]) -> None:
    path = str(tmp_path / "metadata" / "v1.json")
    with DurableFileIO().new_output(path).create() as stream:
        assert stream.write(b"{}") == 2
        assert stream.tell() == 2
        assert flushed == []
    assert flushed[0] == path
    assert Path(path).read_bytes() == b"{}"

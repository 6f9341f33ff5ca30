"""Tables that no reader sees: a catalog and a folder of one's own, gone when the work is.

What has to be computed as a table, but must change nothing that anybody reads, is computed
here, by the very code that keeps the lake. The folder lies in the lake, where the engine
may write. A process that was killed leaves its folder; the next one removes it.
"""

from __future__ import annotations

import fcntl
import secrets
import shutil
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.serializers import ToOutputFile
from pyiceberg.table import Table
from pyiceberg.table.refs import MAIN_BRANCH

from etl.engine.catalog import FILE_IO
from etl.engine.lake import LakeConfig

_FOLDER = "scratch"
_LOCK = "in-use"


@contextmanager
def scratch_folder(lake: LakeConfig) -> Iterator[Path]:
    """Make a folder in a lake that is one; it is removed afterwards, and with it those that dead processes left.

    Raises:
        OSError: It cannot be made.
    """
    root = Path(lake.lake_uri) / _FOLDER
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = root / secrets.token_hex(8)
    with ExitStack() as stack:
        with (root / _LOCK).open("w") as one_at_a_time:
            fcntl.flock(one_at_a_time, fcntl.LOCK_EX)
            for other in root.iterdir():
                if other.is_dir() and _is_left(other):
                    shutil.rmtree(other, ignore_errors=True)
            folder.mkdir()
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
            mine = stack.enter_context((folder / _LOCK).open("w"))
            fcntl.flock(mine, fcntl.LOCK_EX)
        yield folder


@contextmanager
def scratch_catalog(folder: Path) -> Iterator[SqlCatalog]:
    """Open a new catalog, and a warehouse for its tables, in a folder of their own below ``folder``.

    One thread at a time writes it.
    """
    home = folder / secrets.token_hex(4)
    home.mkdir()
    catalog = SqlCatalog("scratch", uri=f"sqlite:///{home}/catalog.db", warehouse=str(home), **FILE_IO)
    try:
        yield catalog
    finally:
        catalog.close()


def fork(table: Table, catalog: SqlCatalog, name: str) -> Table:
    """Give a table, as it is loaded, a life of its own under ``name`` in a scratch catalog.

    No row is copied: both name the same files until one of them changes. What the fork writes
    lies in the scratch folder, and it removes no file that it did not write.
    """
    location = f"{catalog.properties['warehouse']}/{name.replace('.', '/')}"
    snapshot = table.current_snapshot()
    metadata = table.metadata.model_copy(
        update={
            "location": location,
            # Its metadata files are not the fork's to remove.
            "metadata_log": [],
            "snapshots": [snapshot] if snapshot is not None else [],
            "snapshot_log": [],
            "refs": {name: ref for name, ref in table.metadata.refs.items() if name == MAIN_BRANCH},
        }
    )
    path = f"{location}/metadata/00000-{uuid.uuid4()}.metadata.json"
    ToOutputFile.table_metadata(metadata, table.io.new_output(path))
    catalog.create_namespace_if_not_exists(name.partition(".")[0])
    return catalog.register_table(name, path)


def _is_left(folder: Path) -> bool:
    """Tell whether nobody uses a folder any more."""
    try:
        with (folder / _LOCK).open("r") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True  # Its process died while it made, or removed, the folder.
    except OSError:
        return False
    return True

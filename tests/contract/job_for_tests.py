"""A job as `etl.jobs` runs them: reads its document, then ends as its name says."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path


def main() -> int:
    document = json.loads(sys.stdin.read())
    progress = Path(document["progress_path"])
    progress.write_text(
        json.dumps({"heartbeat_at": "2026-11-23T08:00:00+00:00", "pid": os.getpid(), "progress": {"rows": 3}})
    )
    sys.stderr.write("a line of the log\n")
    name = sys.argv[1]
    if name == "succeeds":
        return _end(document, {"state": "succeeded", "result": {"given": document["arguments"]}})
    if name == "fails":
        error = {"error_class": "etl.ports.object_store.StoreFullError", "error_message": "no room", "guidance": "!"}
        return _end(document, {"state": "failed", **error})
    if name == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if name == "reads_its_secret":
        return _end(document, {"state": "succeeded", "result": {"length": len(document["secrets"]["source_url"])}})
    if name == "eats":
        hoard = [bytearray(1024**2) for _ in range(8 * 1024)]
        return len(hoard)
    child = os.fork() if name == "hangs_with_a_child" else None
    if child:
        (progress.parent / "child.pid").write_text(str(child))
    while True:
        time.sleep(60)


def _end(document: dict[str, str], result: dict[str, object]) -> int:
    draft = Path(document["result_path"] + ".tmp")
    draft.write_text(json.dumps(result))
    draft.replace(document["result_path"])
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""The runnable units the control plane submits: ``python -m etl.jobs NAME``.

A job is a module here with one function ``run(arguments, progress)``. ``arguments`` is
annotated with a frozen dataclass (whose fields may be dataclasses), built from JSON;
``progress`` is an `etl.jobs.progress.Progress`; the result is a frozen dataclass.

The entry point reads one JSON document from standard input::

    {"arguments": {...}, "secrets": {"source_url": ...}, "result_path": ..., "progress_path": ...}

A field missing from ``arguments`` is looked up in ``secrets`` by its name, so no connection
URL ever stands among the arguments; a missing field that is itself a dataclass is built from
the same names. Names no field has are ignored: what all jobs share is given to every job.
Standard error is the log. ``progress_path`` holds, replaced at least every second, one line::

    {"heartbeat_at": "2026-11-23T07:58:31+00:00", "pid": 4711, "progress": {...}}

``result_path`` appears whole, at the end, as one of::

    {"state": "succeeded", "result": {...}}
    {"state": "failed", "error_class": "etl.ports...", "error_message": ..., "guidance": ...}

Exit codes: 0 succeeded, 1 failed (the result says why), 2 the document was unusable.
"""

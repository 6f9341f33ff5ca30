"""Whether Trino answers as DuckDB does: ``python -m tests.trino``, by `make test-trino`."""

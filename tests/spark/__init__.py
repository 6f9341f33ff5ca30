"""Whether Spark and DuckDB make the same of the same bronze: ``python -m tests.spark``, by `make test-spark`."""

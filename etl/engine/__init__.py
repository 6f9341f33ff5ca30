"""The machinery the stages share: DuckDB computes and writes Parquet, pyiceberg commits."""

"""What the benchmarks measure Lakeside against. Runs in `.venv-bench`; the product never imports it."""

"""One file per table. Each draws compact numbers in `draw` and turns any slice of them into columns in `rows`."""

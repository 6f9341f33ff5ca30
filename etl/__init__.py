"""The data path, in the order data takes it. Pure Python: imports no Django.

1. `etl.contracts`  what a table promises: columns in physical order, types, key, version
2. `etl.replicate`  the source's rows and changes, landed as files in AWS DMS's format
3. `etl.bronze`     those files: names, manifests, verified reading
4. `etl.silver`     typed, checked, one current row per key, in Iceberg
5. `etl.quality`    reconciliation of silver with the source, and checks of its rows
6. `etl.gold`       answers: one SQL file per model, in Iceberg
7. `etl.jobs`       the runnable units the control plane submits
8. `etl.maintain`   what keeps the lake small: forgetting, sweeping, pruning, measuring

`etl.ports` holds the Protocols through which the control plane drives all this on
either backend; `etl.engine` holds the DuckDB and Iceberg machinery the stages share.
"""

"""Answers shaped for readers: one SQL file per model, computed from silver into Iceberg.

1. `model`         what a model is: its title, columns, grain and checks
2. `front_matter`  reads those from the comment at the head of ``models/<name>.sql``
3. `lint`          refuses SQL that means different things on DuckDB, Spark and Trino
4. `shims`         the two words our SQL adds: ``LOCAL_DAY`` and ``AS_OF``
5. `compile`       all files together: references, order, output types, dialects
6. `materialise`   compute, check, commit: each model one Iceberg snapshot
7. `lineage`       from source column to gold column to chart, and back, read from the SQL
"""

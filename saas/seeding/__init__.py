"""Bulk test data for the source application: deterministic, vectorised, loaded by COPY.

Read in this order:

1. `scale` - how many rows of each table, and how they are shared among tenants.
2. `companies`, `words` - the little companies, their customers' names, what they say.
3. `period`, `shapes` - when things happen and how they are distributed.
4. `tables/` - one file per table: draw compact numbers once, render any slice of rows as columns.
5. `plan` - one shop per tenant; `generate(plan)` yields the chunks of all tables.
6. `copy_text` - columns to the text of PostgreSQL's COPY.
7. `load`, `sink`, `references`, `manifest` - chunks into a database in one transaction, and the account of it.
"""

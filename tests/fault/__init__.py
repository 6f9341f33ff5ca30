"""Kills the processes of the data path, again and again, and counts what arrives: `make chaos`, `make mutants`."""

"""Benchmarks: plain scripts that measure Lakeside beside its peers, and never gate a test run.

``python -m tests.bench.<name>`` measures one thing; ``python -m tests.bench`` measures all and
writes docs/performance.md. Every script starts its own PostgreSQL in a folder of its own.
"""

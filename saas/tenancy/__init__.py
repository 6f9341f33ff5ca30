"""Keeps tenants apart: `scope` says whose rows are meant, `managers` refuse to guess, the database enforces both."""

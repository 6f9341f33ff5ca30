"""Every delivery, trigger and kill has one effect: real broker, real workers, real jobs."""

LEASE_SECONDS = 3
"""How long the workers of these tests hold a run."""

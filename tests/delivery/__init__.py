"""Every delivery, trigger and kill has one effect: real broker, real workers, real jobs."""

"""Alerts: what is looked for (`rules`), what becomes of it (`evaluate`), how it travels (`deliver`)."""

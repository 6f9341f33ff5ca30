"""Schedules: when something is due, and what is started then."""

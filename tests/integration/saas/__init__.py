"""The source application against a real PostgreSQL, as the role that production uses."""

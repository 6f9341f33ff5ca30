"""The embedded servers: PostgreSQL and Valkey from wheels, supervised by us."""

"""The source application's API: one tenant's rows as JSON, below `/api/v1/<tenant slug>/`."""

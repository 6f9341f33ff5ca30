"""Questions asked of published gold, each answered with plain data."""

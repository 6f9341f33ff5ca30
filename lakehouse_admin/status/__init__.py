"""What is going on: read-only answers for pages and commands."""

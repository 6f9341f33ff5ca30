"""Commands of the source application."""

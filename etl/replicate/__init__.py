"""The source's rows and changes, landed in bronze."""

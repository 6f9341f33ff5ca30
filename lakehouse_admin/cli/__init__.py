"""The verbs of `manage.py lakehouse`, one a file: parse, call an action, print."""

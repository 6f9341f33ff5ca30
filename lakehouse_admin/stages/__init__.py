"""The five stages of a run: how each starts, and how its outcome is read."""

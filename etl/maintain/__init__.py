"""Keeps the lake small: forgets snapshots, removes files that nothing can reach, prunes bronze, measures what is left."""

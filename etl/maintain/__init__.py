"""Keeps the lake small: forgets snapshots, removes files that nobody reaches, prunes bronze, tells what is left."""

"""The embedded backend: everything on this machine."""

"""The embedded `ObjectStore`: a directory. It stands in `etl` because jobs write through it too."""

from etl.bronze.directory import DirectoryStore

__all__ = ["DirectoryStore"]

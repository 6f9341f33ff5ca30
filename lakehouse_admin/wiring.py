"""Composition root: from settings to one wired backend. The only importer of adapters."""

from __future__ import annotations

from etl.ports import Lakehouse
from etl.ports.query_engine import PublicationReader, QueryEngine
from lakehouse_admin.status.publications import RecordedPublications


def lakehouse() -> Lakehouse:
    """Return the backend that the settings choose.

    Raises:
        OperatorError: The chosen backend lacks a port, or a setting it needs.
    """
    raise NotImplementedError


def query_engine() -> QueryEngine:
    """Return the engine that answers dashboards (`settings.QUERY_ENGINE`)."""
    return lakehouse().queries


def publication_reader() -> PublicationReader:
    """Return the reader of publications (`settings.PUBLICATION_READER`)."""
    return RecordedPublications()

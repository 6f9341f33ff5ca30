"""Whether a text is one JSON document: Spark's own functions also take text that is not."""

from __future__ import annotations

import json
from typing import NoReturn


def is_json(text: str | None) -> bool | None:
    """Tell whether ``text`` is one JSON document by RFC 8259; None for None."""
    if text is None:
        return None
    try:
        json.loads(text, parse_constant=_refuse, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)

"""Numbers as people read them. Rounding happens here, half up, and nowhere before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

NOTHING = "\N{EN DASH}"
"""Shown where a number does not exist, such as an average of nothing."""

_MINUS = "\N{MINUS SIGN}"
_SYMBOLS = {
    "EUR": "€",
    "USD": "$",
    "GBP": "£",
    "JPY": "¥",
    "INR": "₹",
    "KRW": "₩",
    "BRL": "R$",
    "CAD": "C$",
    "AUD": "A$",
    "MXN": "MX$",
    "NOK": "kr\N{NO-BREAK SPACE}",
}
_WITHOUT_MINOR_UNIT = {"JPY", "KRW"}
_STEPS = ((Decimal(10) ** 9, "bn"), (Decimal(10) ** 6, "M"), (Decimal(10) ** 3, "k"))


@dataclass(frozen=True, slots=True)
class Money:
    """Writes amounts of one currency."""

    currency: str
    """ISO 4217."""

    @property
    def prefix(self) -> str:
        """What stands before an amount: a symbol, or the code and a space."""
        return _SYMBOLS.get(self.currency, f"{self.currency}\N{NO-BREAK SPACE}")

    def full(self, amount: Decimal | float | None) -> str:
        """Return ``€1,234.50``: exact to the minor unit."""
        places = 0 if self.currency in _WITHOUT_MINOR_UNIT else 2
        return self._signed(amount, lambda value: f"{_rounded(value, places):,}")

    def short(self, amount: Decimal | float | None) -> str:
        """Return ``€12.3k``: three figures, for tight places."""
        return self._signed(amount, _short)

    def _signed(self, amount: Decimal | float | None, write: Callable[[Decimal], str]) -> str:
        if amount is None:
            return NOTHING
        value = Decimal(str(amount))
        return f"{_MINUS if value < 0 else ''}{self.prefix}{write(abs(value))}"


def count(number: int | None) -> str:
    """Return ``12,345``."""
    return NOTHING if number is None else f"{number:,}".replace("-", _MINUS)


def short_count(number: int | Decimal | None) -> str:
    """Return ``12.3k``: three figures."""
    return NOTHING if number is None else _short(Decimal(number))


def number(value: Decimal | float | None, *, places: int = 1) -> str:
    """Return ``3.2``: a number that counts nothing whole, such as a quotient."""
    return NOTHING if value is None else f"{_rounded(Decimal(str(value)), places):,}".replace("-", _MINUS)


def percent(ratio: Decimal | float | None, *, places: int = 1) -> str:
    """Return ``12.3%`` of a ratio where 1 is the whole."""
    if ratio is None:
        return NOTHING
    value = _rounded(Decimal(str(ratio)) * 100, places)
    return f"{value:,}%".replace("-", _MINUS)


def day(value: date) -> str:
    """Return ``23 Nov 2026``."""
    return f"{value.day} {value:%b %Y}"


def short_day(value: date) -> str:
    """Return ``Mon 23 Nov``."""
    return f"{value:%a} {value.day} {value:%b}"


def short_range(first: date, last: date) -> str:
    """Return ``24 Sep`` to ``23 Oct`` with a dash between; the month once if it is the same."""
    start = f"{first.day}" if (first.year, first.month) == (last.year, last.month) else f"{first.day} {first:%b}"
    return f"{start} \N{EN DASH} {last.day} {last:%b}"


def month(value: date) -> str:
    """Return ``Nov 2026``."""
    return f"{value:%b %Y}"


def plural(number: int, one: str, many: str | None = None) -> str:
    """Return ``1 order`` or ``2 orders``."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def _rounded(value: Decimal, places: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


def _short(value: Decimal) -> str:
    for step, suffix in _STEPS:
        if _rounded(value, 0) >= step:
            scaled = value / step
            places = 2 if scaled < 10 else 1 if scaled < 100 else 0  # noqa: PLR2004 - three figures
            return f"{_rounded(scaled, places):,}{suffix}"
    return f"{_rounded(value, 0):,}"

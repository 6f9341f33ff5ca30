"""The price book: one price an item, with the day and the place where it was read."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

from django.conf import settings

from etl.errors import OperatorError
from lakehouse_admin.costs.money import rounded

STANDARD_BOOK = Path(__file__).with_name("price_book.toml")
ITEMS = frozenset(
    {
        "dms.instance_hour",
        "dms.instance_hour_multi_az",
        "dms.storage_gb_month",
        "s3.storage_gb_month",
        "s3.write_request",
        "s3.read_request",
        "glue.dpu_hour",
        "glue.crawler_dpu_hour",
        "athena.scanned_tb",
    }
)
"""What is counted, and so needs a price."""


class PriceBookError(OperatorError):
    """The price book cannot be read."""

    guidance: ClassVar[str] = (
        "Correct the file that LAKEHOUSE_PRICE_BOOK names; lakehouse_admin/costs/price_book.toml shows its form."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one unit of something costs, in the book's currency."""

    item: str
    service: str
    title: str
    unit: str
    amount: Decimal
    region: str
    date: date
    """When it was read."""
    source: str
    confirmed: bool
    """Whether more than one source agrees."""

    def of(self, quantity: Decimal) -> Decimal:
        """Return what so many units cost."""
        return rounded(quantity * self.amount)


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceBook:
    """The prices of one region."""

    currency: str
    region: str
    """Where the resources are."""
    prices: Mapping[str, Price]
    """By item; of another region where the book knows none for this one."""
    is_charged: bool = False
    """Whether this is what is paid; else the lake is on this machine, and it is what AWS would charge for the same."""

    def cost_of(self, counted: Mapping[str, Decimal]) -> Decimal:
        """Return what the counted quantities, by item, cost together."""
        return sum((self.prices[item].of(quantity) for item, quantity in counted.items()), Decimal(0))

    @property
    def is_of_region(self) -> bool:
        """Whether every price is this region's own."""
        return all(price.region == self.region for price in self.prices.values())

    @property
    def origin(self) -> str:
        """Say which prices these are, in a few words."""
        of_region = next(iter(self.prices.values())).region
        oldest, newest = (pick(price.date for price in self.prices.values()) for pick in (min, max))
        place = self.region if self.is_of_region else f"{of_region}, for want of {self.region}'s own"
        return f"list prices of {place}, read from {oldest} to {newest}"


def current_prices() -> PriceBook:
    """Return the prices that the settings choose: of the lake's region, or the book's own for an embedded lake.

    Raises:
        PriceBookError: The file of LAKEHOUSE_PRICE_BOOK is missing or wrong.
    """
    path = settings.LAKEHOUSE.price_book or STANDARD_BOOK
    if settings.AWS is None:
        return read_book(path)
    return replace(read_book(path, region=settings.AWS.region), is_charged=True)


@cache
def read_book(path: Path, *, region: str | None = None) -> PriceBook:
    """Read the prices for a region, the book's own if None; once a process.

    Raises:
        PriceBookError: The file is missing or wrong; the message says where.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise PriceBookError(f"The price book {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PriceBookError(f"The price book {path} is no TOML: {error}.") from error
    home = _text(document, "region", "The price book")
    wanted = region or home
    prices: dict[str, Price] = {}
    for place, entry in enumerate(document.get("price", ()), start=1):
        price = _price(entry, f"Price {place} of the price book")
        known = prices.get(price.item)
        if price.region not in {wanted, home} or (known is not None and known.region == wanted != price.region):
            continue
        if known is not None and known.region == price.region:
            raise PriceBookError(f"The price book has two prices of {price.item} in {price.region}.")
        prices[price.item] = price
    missing = ITEMS - prices.keys()
    if missing:
        raise PriceBookError(f"The price book has no price of {', '.join(sorted(missing))} in {wanted}, nor in {home}.")
    return PriceBook(currency=_text(document, "currency", "The price book"), region=wanted, prices=prices)


def _price(entry: Mapping[str, Any], where: str) -> Price:
    item = _text(entry, "item", where)
    if item not in ITEMS:
        raise PriceBookError(f"{where}: nothing counts {item}; the items are {', '.join(sorted(ITEMS))}.")
    read_on, confirmed = entry.get("date"), entry.get("confirmed")
    if type(read_on) is not date:
        raise PriceBookError(f"{where} ({item}) needs a date, such as 2026-06-01.")
    if not isinstance(confirmed, bool):
        raise PriceBookError(f"{where} ({item}) needs confirmed = true or false.")
    return Price(
        item=item,
        amount=_amount(_text(entry, "amount", where), f"{where} ({item})"),
        date=read_on,
        confirmed=confirmed,
        **{name: _text(entry, name, f"{where} ({item})") for name in ("service", "title", "unit", "region", "source")},
    )


def _amount(text: str, where: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise PriceBookError(f"{where}: amount must be a number of zero or more in quotes, such as '0.44'.")
    return amount


def _text(entry: Mapping[str, Any], name: str, where: str) -> str:
    text = entry.get(name)
    if not isinstance(text, str) or not text.strip():
        raise PriceBookError(f'{where} needs {name} = "...".')
    return text

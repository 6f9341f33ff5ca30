"""Customers: they sign up along the company's growth curve, a few of them buy a lot, many stop one day."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache

import numpy as np

from saas.seeding import columns, words
from saas.seeding.companies import HOMES, Company
from saas.seeding.period import DAY, HOUR, Clock
from saas.seeding.pools import Grouped
from saas.seeding.shapes import Floats, Ints, chance, zipf
from saas.seeding.stream import Stream

_HOME_SHARE = 0.86
_ZIPF_EXPONENT = 0.6
_FAITHFUL_SHARE = 0.25
_LIFE_SHAPE, _LIFE_DAYS, _SHORTEST_LIFE_DAYS = 0.8, 90, 3
_NO_PHONE_SHARE = 0.2
_UPDATED_SHARE = 0.35


@dataclass(frozen=True, slots=True, kw_only=True)
class Customers:
    """One tenant's customers, in the order of their sign-up."""

    stream: Stream
    signed_up_at: Ints
    leaves_at: Ints
    """When they stop buying."""
    activity: Floats
    """Running sum of how much each one buys."""
    first: Ints
    last: Ints
    between: Ints
    same_name_before: Ints
    """The customer's own number where an earlier one's name is spelled the same in ASCII, else `NONE`."""
    domain: Ints
    home: Ints
    city: Ints
    phone: Ints
    street: Ints
    house: Ints
    postcode: Ints
    metadata: Ints
    """Positions in the pools of segment, acquisition, tags and note, one column each."""
    points: Ints
    updated_at: Ints

    @classmethod
    def draw(cls, stream: Stream, company: Company, clock: Clock) -> Customers:
        """Let customers sign up and give each one a name, an address and habits."""
        rng, count = stream.rng, stream.count
        signed_up_at = np.sort(clock.sample(rng, count, clock.signups(company.growth) * clock.rhythm(company.trade)))
        signed_up_at[0] = clock.start + rng.integers(1, HOUR)  # Someone has to be there for the first order.
        life = _SHORTEST_LIFE_DAYS + rng.weibull(_LIFE_SHAPE, count) * _LIFE_DAYS
        stays = chance(rng, count, _FAITHFUL_SHARE)
        stays[0] = True
        home = np.where(
            chance(rng, count, _HOME_SHARE), HOMES.index(company.home), rng.integers(0, len(HOMES), count)
        ).astype(np.int64)
        pools = _pools()
        language = _LANGUAGE_OF_HOME[home]
        first = pools.first.draw(rng, language)
        last = pools.last.draw(rng, language)
        spelling = pools.first_spelling[first] * len(pools.last) + pools.last_spelling[last]
        _, first_seen, spelled = np.unique(spelling, return_index=True, return_inverse=True)
        number = np.arange(count)
        updated = chance(rng, count, _UPDATED_SHARE)
        return cls(
            stream=stream,
            signed_up_at=signed_up_at,
            leaves_at=np.where(stays, clock.end, signed_up_at + (life * DAY).astype(np.int64)),
            activity=np.cumsum(zipf(rng, count, _ZIPF_EXPONENT)),
            first=first,
            last=last,
            between=rng.integers(0, len(words.BETWEEN_NAMES), count),
            same_name_before=np.where(first_seen[spelled] == number, columns.NONE, number + 1),
            domain=rng.integers(0, len(words.EMAIL_DOMAINS), count),
            home=home,
            city=pools.city.draw(rng, home),
            phone=np.where(chance(rng, count, _NO_PHONE_SHARE), columns.NONE, rng.integers(10**7, 10**8, count)),
            street=pools.street.draw(rng, language),
            house=rng.integers(1, 180, count),
            postcode=rng.integers(1_000, 99_999, count),
            metadata=np.stack([rng.integers(0, len(pool), count) for pool in pools.metadata]),
            points=rng.integers(0, 5_000, count),
            updated_at=signed_up_at
            + np.where(updated, rng.random(count) * (clock.end - signed_up_at), 0).astype(np.int64),
        )

    def eligible(self, instants: Ints) -> Ints:
        """Return how many customers had signed up at each instant."""
        return np.searchsorted(self.signed_up_at, instants, side="right")

    def rows(self, part: slice) -> columns.Column:
        """Return a slice of the rows as columns."""
        pools, take, join = _pools(), columns.take, columns.join
        segment, acquisition, tags, note = (
            take(pool, positions) for pool, positions in zip(pools.metadata, self.metadata[:, part], strict=True)
        )
        same_name = columns.whole(self.same_name_before[part]).cast("string").fill_null("")
        phone = self.phone[part]
        return columns.rows(
            {
                "id": columns.whole(self.stream.ids(part)),
                "tenant_id": columns.whole(self.stream.tenant_ids(part)),
                "email": join(
                    take(pools.first_ascii, self.first[part]),
                    ".",
                    take(pools.last_ascii, self.last[part]),
                    same_name,
                    "@",
                    take(pools.domains, self.domain[part]),
                ),
                "name": join(
                    take(pools.first.texts, self.first[part]),
                    take(pools.between, self.between[part]),
                    take(pools.last.texts, self.last[part]),
                ),
                "country": take(pools.countries, self.home[part]),
                "city": take(pools.city.texts, self.city[part]),
                "phone": join(
                    take(pools.phone_prefixes, self.home[part]),
                    " ",
                    columns.whole(np.where(phone == columns.NONE, phone, phone // 10_000)).cast("string"),
                    " ",
                    columns.digits(phone % 10_000, 4),
                ),
                "metadata": join(
                    '{"segment": ',
                    segment,
                    ', "acquisition": ',
                    acquisition,
                    ', "tags": ',
                    tags,
                    ', "loyalty": {"points": ',
                    columns.digits(self.points[part]),
                    "}",
                    note,
                    "}",
                ),
                "created_at": columns.instants(self.signed_up_at[part]),
                "updated_at": columns.instants(self.updated_at[part]),
            }
        )

    def addresses(self, who: Ints) -> columns.Column:
        """Return the members of a JSON address for each position in ``who``."""
        pools, take = _pools(), columns.take
        return columns.join(
            '{"line1": "',
            columns.digits(self.house[who]),
            " ",
            take(pools.street.texts, self.street[who]),
            '", "postcode": "',
            columns.digits(self.postcode[who], 5),
            '", "city": ',
            take(pools.city_documents, self.city[who]),
            ', "country": "',
            take(pools.countries, self.home[who]),
            '"',
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pools:
    first: Grouped
    last: Grouped
    street: Grouped
    """Escaped for JSON."""
    city: Grouped
    first_ascii: columns.Column
    last_ascii: columns.Column
    first_spelling: Ints
    """Equal numbers for names that are spelled the same in ASCII."""
    last_spelling: Ints
    city_documents: columns.Column
    between: columns.Column
    domains: columns.Column
    countries: columns.Column
    phone_prefixes: columns.Column
    metadata: tuple[columns.Column, ...]


_LANGUAGES = list(words.NAMES)
_LANGUAGE_OF_HOME = np.array([_LANGUAGES.index(home.language) for home in HOMES])


@cache
def _pools() -> _Pools:
    names = list(words.NAMES.values())
    first_ascii = [name for each in names for name in each.first_ascii]
    last_ascii = [name for each in names for name in each.last_ascii]
    return _Pools(
        first=Grouped.of([each.first for each in names]),
        last=Grouped.of([each.last for each in names]),
        street=Grouped.of(
            [[json.dumps(street, ensure_ascii=False)[1:-1] for street in each.streets] for each in names]
        ),
        city=Grouped.of([home.cities for home in HOMES]),
        first_ascii=columns.words(first_ascii),
        last_ascii=columns.words(last_ascii),
        first_spelling=np.unique(first_ascii, return_inverse=True)[1],
        last_spelling=np.unique(last_ascii, return_inverse=True)[1],
        city_documents=columns.documents(city for home in HOMES for city in home.cities),
        between=columns.words(words.BETWEEN_NAMES),
        domains=columns.words(words.EMAIL_DOMAINS),
        countries=columns.words([home.country for home in HOMES]),
        phone_prefixes=columns.words([home.phone for home in HOMES]),
        metadata=(
            columns.documents(words.CUSTOMER_SEGMENTS),
            columns.documents(words.CUSTOMER_ACQUISITION),
            columns.documents(words.CUSTOMER_TAGS),
            columns.members("note", words.CUSTOMER_NOTES),
        ),
    )

"""The tenants: little companies that differ in what they sell, where, to whom and how they grow.

A company is a trade (what it sells, how its customers behave) at a home (currency, time zone, tax,
names). The first eight are written out by hand; larger scales combine the same trades and homes anew.
"""
# ruff: noqa: RUF001 - people, places and products are spelled with such characters

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

_CONSUMER_WEEK = (0.9, 0.88, 0.92, 1.0, 1.12, 1.25, 1.18)
_OFFICE_WEEK = (1.3, 1.34, 1.28, 1.2, 0.95, 0.35, 0.3)
_WEEKEND = (0.7, 0.68, 0.75, 0.85, 1.15, 1.6, 1.45)

_EVENING = (3, 2, 1, 1, 1, 1, 2, 4, 6, 7, 8, 8, 9, 9, 8, 8, 9, 11, 14, 17, 19, 18, 13, 7)
_DAYTIME = (1, 1, 1, 1, 1, 2, 4, 9, 15, 18, 19, 17, 12, 15, 18, 17, 15, 11, 6, 4, 3, 3, 2, 1)
_TWO_PEAKS = (2, 1, 1, 1, 1, 2, 6, 12, 13, 9, 8, 9, 14, 12, 8, 7, 8, 10, 13, 15, 14, 11, 7, 4)

_WINTER, _SPRING, _SUMMER, _AUTUMN = 0.95, 0.3, 0.5, 0.78


class Growth(Enum):
    """The curve along which a company wins its customers."""

    STEADY = auto()
    SQRT = auto()
    LOGISTIC = auto()
    LATE = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """One shelf: what it holds and what that costs."""

    name: str
    code: str
    nouns: tuple[str, ...]
    median_cents: int
    """Before the home's price level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """What a company sells and how its customers behave."""

    industry: str
    title: str
    categories: tuple[Category, ...]
    adjectives: tuple[str, ...]
    searches: tuple[str, ...]
    plans: tuple[tuple[str, int], ...]
    """Name and monthly cents of each subscription plan, cheapest first."""
    weekdays: tuple[float, ...]
    hours: tuple[float, ...]
    season_peak: float
    """Where in the year, 0 to 1, sales are highest."""
    season_strength: float
    campaigns: tuple[float, ...] = (0.35, 0.8)
    """Where in the period campaigns begin, 0 to 1."""
    campaign_days: int = 4
    campaign_lift: float = 1.7
    # How much of the rows of each table, relative to the other trades.
    assortment: float = 1.0
    loyalty: float = 1.0
    basket: float = 1.0
    traffic: float = 1.0
    subscribing: float = 1.0
    invoicing: float = 1.0
    bulk: float = 0.25
    """The chance of one more piece of the same product."""
    coupons: float = 0.16
    cancels: float = 0.04
    refunds: float = 0.04
    invoice_days: int = 14
    trial_days: int = 14
    trials: float = 0.45
    funnel: tuple[float, float, float, float] = (0.62, 0.36, 0.55, 0.68)
    """The chance to go on to product, cart, checkout and purchase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where a company sells most."""

    country: str
    currency: str
    timezone: str
    cities: tuple[str, ...]
    phone: str
    language: str
    """Which of the pools of names."""
    price_level: float
    """Local cents for one US cent, roughly."""
    tax_basis_points: int
    cent_step: int
    """The smallest amount, in hundredths: 100 where the currency has no cents."""
    price_step: int
    price_below: tuple[int, ...]
    """How far below a whole `price_step` prices end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Company:
    """One tenant."""

    number: int
    """From 1; also the tenant's id."""
    name: str
    slug: str
    plan: str
    size: float
    """Customers relative to the other companies."""
    growth: Growth
    trade: Trade
    home: Home

    @property
    def initials(self) -> str:
        """What its order numbers begin with."""
        return "".join(word[0] for word in self.slug.split("-")).upper()[:4]


TRADES = (
    Trade(
        industry="coffee",
        title="Coffee",
        categories=(
            Category(
                name="Beans", code="BEA", nouns=("Espresso", "Filter Roast", "Decaf", "Blend"), median_cents=1_690
            ),
            Category(name="Brewing", code="BRW", nouns=("Dripper", "French Press", "Grinder"), median_cents=4_900),
            Category(name="Cups", code="CUP", nouns=("Mug", "Tumbler", "Tasting Cup"), median_cents=1_850),
        ),
        adjectives=("House", "Harbour", "Huehuetenango", "Sidamo", "Slow", "Café de Olla", "Morning", "No. 7"),
        searches=("decaf", "espresso, dark", "v60 filters", "gift card", "crème", 'grinder "quiet"'),
        plans=(("Taster box", 1_400), ("House box", 2_600), ("Office box", 7_900)),
        weekdays=_CONSUMER_WEEK,
        hours=_TWO_PEAKS,
        season_peak=_WINTER,
        season_strength=0.12,
        loyalty=1.5,
        basket=0.8,
        subscribing=1.6,
        refunds=0.02,
    ),
    Trade(
        industry="outdoor",
        title="Outdoor",
        categories=(
            Category(name="Tents", code="TNT", nouns=("Tent", "Tarp", "Bivouac"), median_cents=24_900),
            Category(name="Clothing", code="CLO", nouns=("Jacket", "Fleece", "Trousers", "Hat"), median_cents=9_900),
            Category(name="Cooking", code="COK", nouns=("Stove", "Kettle", "Spork", "Pot"), median_cents=3_900),
        ),
        adjectives=("Fjell", "Ræv", "Light", "Northern", "Storm", "Three-Season", "Birch", "Skog"),
        searches=("tent 2 person", "ski, cross-country", "jakke", "stove gas", "hat wool", "size chart"),
        plans=(("Repair club", 900), ("Trail club", 1_900), ("Expedition club", 4_900)),
        weekdays=_WEEKEND,
        hours=_EVENING,
        season_peak=_SUMMER,
        season_strength=0.35,
        loyalty=0.7,
        basket=1.1,
        traffic=1.3,
        subscribing=0.6,
        refunds=0.07,
        funnel=(0.7, 0.3, 0.5, 0.6),
    ),
    Trade(
        industry="cosmetics",
        title="Atelier",
        categories=(
            Category(name="Soin", code="SOI", nouns=("Crème", "Sérum", "Masque", "Huile"), median_cents=3_400),
            Category(name="Parfum", code="PAR", nouns=("Eau de Toilette", "Extrait"), median_cents=7_800),
            Category(name="Savon", code="SAV", nouns=("Savon", "Shampoing solide"), median_cents=890),
        ),
        adjectives=("Lumière", "d’Été", "à la Rose", "Fleur d’Oranger", "Minuit", "de Provence", "Douce", "N° 4"),
        searches=("crème nuit", "sans parfum", "coffret, cadeau", "peau sèche", "rose", "échantillon"),
        plans=(("Découverte", 1_900), ("Rituel", 3_900), ("Maison", 6_900)),
        weekdays=_CONSUMER_WEEK,
        hours=_EVENING,
        season_peak=_WINTER,
        season_strength=0.25,
        coupons=0.3,
        basket=1.2,
        traffic=1.2,
        refunds=0.05,
        trial_days=30,
        funnel=(0.66, 0.42, 0.6, 0.7),
    ),
    Trade(
        industry="stationery",
        title="Stationery",
        categories=(
            Category(
                name="Paper", code="PAP", nouns=("Notebook", "Washi", "Letter Set", "Planner"), median_cents=1_200
            ),
            Category(name="Pens", code="PEN", nouns=("Fountain Pen", "Brush Pen", "Pencil"), median_cents=2_400),
            Category(name="Ink", code="INK", nouns=("Ink", "Cartridges"), median_cents=1_500),
        ),
        adjectives=("雲", "Kumo", "Sakura", "Indigo", "A5", "Moon", "藍", "Quiet"),
        searches=("手帳", "ink blue, bottle", "a5 dotted", "fountain pen fine", "sakura", "refill"),
        plans=(("Letter club", 800), ("Ink club", 1_500), ("Studio club", 3_500)),
        weekdays=_CONSUMER_WEEK,
        hours=_EVENING,
        season_peak=_SPRING,
        season_strength=0.2,
        assortment=1.6,
        basket=1.4,
        coupons=0.08,
        refunds=0.015,
        cancels=0.02,
    ),
    Trade(
        industry="bicycles",
        title="Cycles",
        categories=(
            Category(
                name="Bicycles", code="BIC", nouns=("City Bike", "Gravel Bike", "Cargo Bike"), median_cents=119_000
            ),
            Category(name="Parts", code="PRT", nouns=("Chain", "Brake Pads", "Saddle", "Tyre"), median_cents=4_200),
            Category(name="Service", code="SVC", nouns=("Tune-up", "Wheel Truing"), median_cents=8_900),
        ),
        adjectives=("Sprint", "Merri", "Steel", "Everyday", "Yarra", "Eight-Speed", "Tandem", "Red"),
        searches=("chain 11 speed", "kids bike, 20 inch", "helmet", "tyre 700x40", "service near me", "lock"),
        plans=(("Service plan", 1_500), ("Commuter plan", 3_500), ("Fleet plan", 14_900)),
        weekdays=_OFFICE_WEEK,
        hours=_DAYTIME,
        season_peak=_WINTER,
        season_strength=0.3,
        loyalty=0.55,
        basket=0.9,
        traffic=0.9,
        invoicing=1.7,
        invoice_days=30,
        refunds=0.03,
        funnel=(0.6, 0.22, 0.45, 0.55),
    ),
    Trade(
        industry="books",
        title="Books",
        categories=(
            Category(name="Fiction", code="FIC", nouns=("Novel", "Stories", "Mystery", "Poems"), median_cents=1_099),
            Category(name="Non-fiction", code="NON", nouns=("History", "Essays", "Field Guide"), median_cents=1_899),
            Category(name="Children", code="KID", nouns=("Picture Book", "Atlas"), median_cents=899),
        ),
        adjectives=("The Other", "A Short", "Collected", "Illustrated", "“Last”", "Signed", "Pocket", "Winter"),
        searches=("gift, age 7", "booker shortlist", "signed first edition", "brontë", "atlas", 'poems "war"'),
        plans=(("Paperback a month", 1_100), ("Hardback a month", 2_100), ("Library", 5_500)),
        weekdays=_CONSUMER_WEEK,
        hours=_EVENING,
        season_peak=_WINTER,
        season_strength=0.3,
        assortment=2.2,
        loyalty=1.3,
        basket=1.3,
        bulk=0.08,
        coupons=0.1,
        subscribing=0.9,
    ),
    Trade(
        industry="plants",
        title="Botanica",
        categories=(
            Category(
                name="Plantas", code="PLA", nouns=("Monstera", "Suculenta", "Cactus", "Palma"), median_cents=1_900
            ),
            Category(name="Macetas", code="MAC", nouns=("Maceta", "Jardinera", "Base"), median_cents=2_300),
            Category(name="Cuidado", code="CUI", nouns=("Sustrato", "Fertilizante", "Tijeras"), median_cents=990),
        ),
        adjectives=("Verde", "Grande", "Mini", "Terracota", "Oaxaqueña", "del Jardín", "Colgante", "Bebé"),
        searches=("maceta barro", "luz baja, interior", "riego", "cactus", "niño seguro", "mayoreo"),
        plans=(("Una planta", 1_200), ("Tres plantas", 2_900), ("Oficina verde", 9_900)),
        weekdays=_WEEKEND,
        hours=_TWO_PEAKS,
        season_peak=_SPRING,
        season_strength=0.28,
        basket=1.05,
        cancels=0.08,
        refunds=0.06,
        subscribing=0.8,
    ),
    Trade(
        industry="tea",
        title="Tea",
        categories=(
            Category(name="Tea", code="TEA", nouns=("Assam", "Darjeeling", "Masala Chai", "Nilgiri"), median_cents=650),
            Category(name="Spices", code="SPI", nouns=("Cardamom", "Saffron", "Ginger"), median_cents=480),
            Category(name="Teaware", code="WAR", nouns=("Kettle", "Kulhad Set", "Strainer"), median_cents=1_450),
        ),
        adjectives=("First Flush", "Royal", "चाय", "Smoky", "Monsoon", "Estate", "Everyday", "Gold"),
        searches=("masala", "green tea, loose", "diwali gift", "चाय", "cardamom 100g", "wholesale"),
        plans=(("Kettle", 500), ("Teapot", 1_100), ("Samovar", 3_900)),
        weekdays=_OFFICE_WEEK,
        hours=_DAYTIME,
        season_peak=_AUTUMN,
        season_strength=0.22,
        bulk=0.45,
        loyalty=1.1,
        invoicing=1.4,
        invoice_days=30,
        subscribing=1.2,
    ),
)

HOMES = (
    Home(
        country="US",
        currency="USD",
        timezone="America/New_York",
        cities=("New York", "Boston", "Portland", "Philadelphia", "Providence", "Coeur d'Alene"),
        phone="+1",
        language="en",
        price_level=1.0,
        tax_basis_points=825,
        cent_step=1,
        price_step=100,
        price_below=(1, 1, 5, 50),
    ),
    Home(
        country="NO",
        currency="NOK",
        timezone="Europe/Oslo",
        cities=("Oslo", "Bergen", "Tromsø", "Trondheim", "Ålesund", "Bodø"),
        phone="+47",
        language="no",
        price_level=10.5,
        tax_basis_points=2_500,
        cent_step=1,
        price_step=1_000,
        price_below=(0, 100, 100),
    ),
    Home(
        country="FR",
        currency="EUR",
        timezone="Europe/Paris",
        cities=("Paris", "Lyon", "Aix-en-Provence", "Nîmes", "L'Haÿ-les-Roses", "Saint-Étienne"),
        phone="+33",
        language="fr",
        price_level=0.95,
        tax_basis_points=2_000,
        cent_step=1,
        price_step=100,
        price_below=(0, 5, 10, 50),
    ),
    Home(
        country="JP",
        currency="JPY",
        timezone="Asia/Tokyo",
        cities=("東京", "京都", "Osaka", "札幌", "Kobe"),
        phone="+81",
        language="ja",
        price_level=150.0,
        tax_basis_points=1_000,
        cent_step=100,
        price_step=10_000,
        price_below=(0, 1_000, 2_000),
    ),
    Home(
        country="AU",
        currency="AUD",
        timezone="Australia/Melbourne",
        cities=("Melbourne", "Geelong", "Ballarat", "Hobart", "Sydney"),
        phone="+61",
        language="en",
        price_level=1.5,
        tax_basis_points=1_000,
        cent_step=1,
        price_step=100,
        price_below=(0, 1, 5),
    ),
    Home(
        country="GB",
        currency="GBP",
        timezone="Europe/London",
        cities=("London", "Bath", "Stratford-upon-Avon", "Edinburgh", "King's Lynn"),
        phone="+44",
        language="en",
        price_level=0.8,
        tax_basis_points=2_000,
        cent_step=1,
        price_step=100,
        price_below=(1, 1, 5),
    ),
    Home(
        country="MX",
        currency="MXN",
        timezone="America/Mexico_City",
        cities=("Ciudad de México", "Mérida", "Querétaro", "León", "Oaxaca de Juárez"),
        phone="+52",
        language="es",
        price_level=18.0,
        tax_basis_points=1_600,
        cent_step=1,
        price_step=1_000,
        price_below=(0, 100, 50),
    ),
    Home(
        country="IN",
        currency="INR",
        timezone="Asia/Kolkata",
        cities=("Mumbai", "कोलकाता", "Bengaluru", "Guwahati", "New Delhi"),
        phone="+91",
        language="hi",
        price_level=55.0,
        tax_basis_points=500,
        cent_step=1,
        price_step=1_000,
        price_below=(0, 100),
    ),
)

_FIRST = (
    ("Harbour & Pine Coffee", "harbour-pine-coffee", "scale", 1.9, Growth.LOGISTIC),
    ("Fjellrev Outdoor", "fjellrev-outdoor", "growth", 1.4, Growth.STEADY),
    ("Atelier Lumière", "atelier-lumiere", "growth", 1.2, Growth.SQRT),
    ("Kumo Stationery 雲", "kumo-stationery", "growth", 1.0, Growth.LATE),
    ("Brunswick Cycle Works", "brunswick-cycle-works", "starter", 0.6, Growth.STEADY),
    ("Marlow & Finch Books", "marlow-finch-books", "growth", 0.9, Growth.SQRT),
    ("Botánica Verde", "botanica-verde", "starter", 0.5, Growth.LATE),
    ("Chai Junction", "chai-junction", "starter", 0.5, Growth.LOGISTIC),
)

_FIRST_WORDS = (
    "Copper Kettle",
    "Old Mill",
    "North Star",
    "Blue Heron",
    "Juniper",
    "Lantern Lane",
    "Paper Moon",
    "Wild Plum",
    "Silver Birch",
    "Kestrel",
)
"""Enough for the largest scale: 8 trades x 10 names and the first eight."""


def company(number: int) -> Company:
    """Return the ``number``-th company, the same at every scale.

    Args:
        number: From 1 to 88.
    """
    generation, place = divmod(number - 1, len(TRADES))
    trade, home = TRADES[place], HOMES[(place + 3 * generation) % len(HOMES)]
    name, slug, plan, size, growth = _FIRST[(place + generation) % len(_FIRST)]
    if generation:
        name = f"{_FIRST_WORDS[generation - 1]} {trade.title}"
        slug = name.lower().replace(" ", "-")
    return Company(number=number, name=name, slug=slug, plan=plan, size=size, growth=growth, trade=trade, home=home)

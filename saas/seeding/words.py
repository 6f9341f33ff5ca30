"""Pools of words that rows are put together from: names in six languages, streets, notes.

They hold what real data holds: accents, other scripts, apostrophes, quotes, commas, emoji, line breaks.
"""
# ruff: noqa: RUF001 - people, places and products are spelled with such characters

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What people and streets are called in one language; e-mail addresses spell the names in ASCII."""

    first: tuple[str, ...]
    last: tuple[str, ...]
    first_ascii: tuple[str, ...]
    last_ascii: tuple[str, ...]
    streets: tuple[str, ...]


def _names(first: str, last: str, streets: str, *, first_ascii: str = "", last_ascii: str = "") -> Names:
    names = Names(
        first=tuple(first.split()),
        last=tuple(last.split()),
        first_ascii=tuple((first_ascii or _ascii(first)).split()),
        last_ascii=tuple((last_ascii or _ascii(last)).split()),
        streets=tuple(streets.split("; ")),
    )
    assert len(names.first) == len(names.first_ascii)
    assert len(names.last) == len(names.last_ascii)
    return names


def _ascii(text: str) -> str:
    plain = str.maketrans("àáâãäåçèéêëìíîïñòóôõöøùúûüýÿ", "aaaaaaceeeeiiiinoooooouuuuyy")
    return text.lower().translate(plain).replace("æ", "ae").replace("’", "").replace("'", "")


NAMES = {
    "en": _names(
        "Olivia Noah Amelia Liam Grace Ethan Ruby Oscar Maya Jack Isla Theo Chloé Henry Zoe Samuel Nora Leo Ivy Max "
        "Hazel Owen Freya Miles Alice Finn Clara Hugo Esme Jude",
        "Smith Jones O’Brien Taylor Brown D'Souza Wilson Evans Nguyen Walker Patel Hughes Green Lewis Kelly Murphy "
        "Bennett Cooper Reed Bailey Foster Sullivan Hart Marsh Frost Lane Webb Chen Quinn Baker",
        "Harbour Street; Mill Lane; 2nd Avenue; King's Road; Station Road; Elm Court, Apt; Park View; St. John's Hill",
    ),
    "no": _names(
        "Nora Jakob Emma Håkon Ingrid Lars Sigrid Øyvind Maja Aksel Åse Magnus Frida Bjørn Solveig Odin Tuva Eirik "
        "Liv Sondre Astrid Jørgen Ida Kåre",
        "Hansen Johansen Olsen Larsen Andersen Nilsen Bjørnstad Berg Haugen Hagen Solberg Sæther Moen Lien Dahl "
        "Ødegård Strand Lunde Bakken Åsheim Holm Vik",
        "Storgata; Kirkeveien; Bjørnsons gate; Fjellveien; Øvre Slottsgate; Skogstien",
    ),
    "fr": _names(
        "Léa Louis Chloé Gabriel Inès Raphaël Zoé Jules Élise Hugo Anaïs Théo Manon Noël Margaux Rémi Camille Loïc "
        "Maëlle Étienne Océane Benoît Amélie François",
        "Martin Bernard Dubois Lefèvre Moreau Girard Rousseau Fournier Mercier Blanc Guérin Boyer Garnier Chevalier "
        "François Legrand Gauthier Perrin Morin Noël Clément L’Hermite Dupré Besançon",
        "rue de l'Église; avenue Victor-Hugo; boulevard Saint-Michel; place d'Armes; impasse des Lilas; quai Nº",
        first_ascii="lea louis chloe gabriel ines raphael zoe jules elise hugo anais theo manon noel margaux remi "
        "camille loic maelle etienne oceane benoit amelie francois",
    ),
    "ja": _names(
        "佐藤 鈴木 高橋 田中 伊藤 渡辺 山本 中村 小林 加藤 吉田 山田 佐々木 山口 松本 井上 木村 林 清水 森",
        "陽葵 蓮 凛 湊 結菜 颯真 美咲 大翔 花子 健 さくら 翔太 葵 誠 優子 直樹 恵 隼人",
        "銀座; 烏丸通; Midosuji; 大通西; 元町",
        first_ascii="sato suzuki takahashi tanaka ito watanabe yamamoto nakamura kobayashi kato yoshida yamada sasaki "
        "yamaguchi matsumoto inoue kimura hayashi shimizu mori",
        last_ascii="himari ren rin minato yuna soma misaki haruto hanako ken sakura shota aoi makoto yuko naoki megumi "
        "hayato",
    ),
    "es": _names(
        "Sofía Mateo Valentina Santiago Camila Diego Ximena Iñaki Lucía Andrés María José Fernanda Raúl Daniela Ángel "
        "Renata Tomás Paola Joaquín Regina Óscar",
        "García Hernández López Martínez González Pérez Rodríguez Sánchez Ramírez Núñez Flores Gómez Ibáñez Peña "
        "Vázquez Muñoz Castañeda Ortiz Delgado Ríos",
        "Calle 5 de Mayo; Avenida Juárez; Paseo de la Reforma; Callejón del Beso; Privada Cedros, Int.",
        first_ascii="sofia mateo valentina santiago camila diego ximena inaki lucia andres maria jose fernanda raul "
        "daniela angel renata tomas paola joaquin regina oscar",
    ),
    "hi": _names(
        "Aarav Ananya Vihaan Diya Arjun Priya Rohan Meera Kabir Isha आरव Neha Vikram Lakshmi Sanjay Pooja प्रिया Ravi "
        "Kavya Amit",
        "Sharma Das Chatterjee Gupta Reddy Iyer Khan Singh Bose Mehta Nair Kulkarni Verma Joshi Rao Banerjee Kapoor "
        "Mukherjee",
        "MG Road; Park Street; Linking Road; Nehru Marg; Gandhi Nagar, Block",
        first_ascii="aarav ananya vihaan diya arjun priya rohan meera kabir isha aarav neha vikram lakshmi sanjay "
        "pooja priya ravi kavya amit",
    ),
}

BETWEEN_NAMES = (" ",) * 92 + (
    " “Kit” ",
    ' "Sam" ',
    " 🌻 ",
    "-Marie ",
    " van der ",
    " & Söhne, ",
    " J. ",
    " de la ",
)
"""What stands between a first and a last name, almost always a space."""

EMAIL_DOMAINS = ("example.com", "example.com", "example.com", "example.org", "example.net", "mail.example.com")

CUSTOMER_SEGMENTS = ("retail", "retail", "retail", "wholesale", "corporate", "friends")

CUSTOMER_ACQUISITION = (
    {"channel": "search", "campaign": None},
    {"channel": "search", "campaign": "brand, exact"},
    {"channel": "instagram", "campaign": "autumn-reels"},
    {"channel": "referral", "campaign": None, "by": {"kind": "customer", "reward": "10.00"}},
    {"channel": "newsletter", "campaign": 'Issue "One"'},
    {"channel": "direct", "campaign": None},
    {"channel": "fair", "campaign": "Café & Co. 2024 ☕", "by": {"kind": "staff", "booth": 12}},
)

CUSTOMER_TAGS: tuple[list[str], ...] = ([], [], ["newsletter"], ["vip", "newsletter"], ["b2b"], ["gift, often"], ["💛"])

CUSTOMER_NOTES = (None,) * 30 + (
    'Prefers "express" delivery, never on Mondays',
    "Rings twice.\nLeave with the neighbour.",
    "Path on file: C:\\orders\\2024",
    "Allergic to nuts 🥜",
    "",
)

DELIVERY_NOTES = (None,) * 14 + (
    'Leave at the "back" door, no bell',
    "Third floor,\nno lift",
    "Concierge: M. Dupré",
    "🐕 friendly dog",
)

SUPPLIERS = ("Nordlys AS", 'Fratelli "Il Forno" Bianchi', "Ōmi Trading, Ltd.", "Smith & Sons", "Müller GmbH")

ORDER_UTM = (
    None,
    None,
    {"source": "newsletter", "medium": "email", "campaign": "weekly"},
    {"source": "instagram", "medium": "social", "campaign": "reels, spring"},
    {"source": "google", "medium": "cpc", "campaign": "brand"},
    {"source": "partner", "medium": "referral", "campaign": 'the "good" list'},
)

ORDER_GIFTS = (None,) * 12 + (
    {"wrap": True, "message": "Happy birthday! 🎂"},
    {"wrap": True, "message": "To Zoë,\nwith love"},
    {"wrap": False, "message": 'He said "surprise", so: surprise'},
)

CANCEL_REASONS = ("too expensive", "moving away", "Switched to weekly, sadly", 'did not "need" it', "payment failed")

INVOICE_MEMOS = (None,) * 12 + ("PO 4711, line 2", 'Ref. "Q3"', "Merci ! À bientôt", "Second copy\nby post")

PAYMENT_METHODS = ("card", "card", "card", "transfer", "direct debit")

DEVICES = (
    {"type": "mobile", "os": "iOS", "browser": "Safari"},
    {"type": "mobile", "os": "iOS", "browser": "Safari"},
    {"type": "mobile", "os": "Android", "browser": "Chrome"},
    {"type": "mobile", "os": "Android", "browser": "Chrome"},
    {"type": "desktop", "os": "Windows", "browser": "Edge"},
    {"type": "desktop", "os": "macOS", "browser": "Safari"},
    {"type": "desktop", "os": "Linux", "browser": "Firefox"},
    {"type": "tablet", "os": "iPadOS", "browser": "Safari"},
)

PAGES = ("/", "/", "/", "/about", "/collections/new", "/collections/sale?sort=price,asc", "/journal/été", "/contact")

REFERRERS = (
    None,
    None,
    "https://search.example/?q=near+me",
    "https://social.example/reel/91",
    "https://news.example/gifts,2024",
)

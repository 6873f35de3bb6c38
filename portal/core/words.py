"""Text that people type or paste: cleaning, search words, domain names, e-mail lists, warnings, CSV cells."""

import ipaddress
import re
import unicodedata
from enum import Enum


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _ascii_table(keep: str) -> str:
    letters = (chr(code) for code in range(128))
    return "".join(letter.lower() if letter.isalnum() or letter in keep else " " for letter in letters)


MAX_WORDS = 8
MAX_WORD = 60
MAX_QUERY = 500
MAX_EMAIL_LIST = 200_000

_ASCII_TABLES = {keep: _ascii_table(keep) for keep in ("", ".-")}
# Letters that Unicode does not decompose (ß becomes ss by casefold), and the dot of Catalan l·l.
_LETTERS = str.maketrans(
    {
        "œ": "oe",
        "æ": "ae",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ħ": "h",
        "ŧ": "t",
        "\u0131": "i",
        "·": "",
    }
)
# Embeddings, overrides and isolates can reorder what follows; the others cannot be seen. Left-to-right and
# right-to-left marks and the joiners stay: Arabic, Hebrew, Persian and Indic names need them.
_UNWANTED = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u2060\ufeff")

_TEST_WORDS = _set(
    """test tests testing tester teste essai essais demo demos sample example exemple dummy fake foo bar baz foobar
    asdf asdfg asdfgh asdfjkl qsdf qsdfg qwerty qwertz azerty lorem ipsum todo tbd none null undefined unknown
    inconnu placeholder untitled temp tmp"""
)
_FILLER_WORDS = _set(
    """a the my of and la le les de du customer client company companies corp corporation account organization
    organisation societe entreprise compte name nom inc ltd llc limited gmbh ag sa sas sarl eurl bv"""
)

_FORMULA_STARTS = frozenset("=+-@\uff1d\uff0b\uff0d\uff20")

_NOT_A_STREET = frozenset({"", "inconnu", "inconnue", "non applicable", "not applicable", "sans objet", "unknown", "xxxxx"})
# Countries where many good addresses have no house number.
_UNNUMBERED = _set("AE BH BS BW CR GB GG GH GY IE IM IN JE JM KE KW LK NG NI OM PK QA SA TT UG YE ZW")

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)+(?=[a-z][a-z0-9-]){_LABEL}")
# Names under which registries sell: co.uk, com.au. Only before a two-letter country code.
_REGISTRY_LABELS = _set("ac co com edu gob gouv gov mil net or org")
_SHARED_DOMAINS = _set(
    """azurewebsites.net blogspot.com github.io gitlab.io herokuapp.com mail.onmicrosoft.com netlify.app
    onmicrosoft.com onmicrosoft.us pages.dev sharepoint.com vercel.app wixsite.com wordpress.com"""
)

# Families sold under many endings: outlook.fr, yahoo.co.uk.
_FREE_MAIL_FAMILY = re.compile(r"(?:aol|gmx|hotmail|live|outlook|rocketmail|yahoo|yandex)\.(?:com?\.)?(?:com|net|[a-z]{2})")
_FREE_MAIL = _set(
    """126.com 163.com 139.com 189.cn abv.bg aliceadsl.fr alice.it arcor.de att.net
    bbox.fr bell.net bellsouth.net bigpond.com bk.ru bluemail.ch bluewin.ch bol.com.br btinternet.com
    centrum.cz charter.net club-internet.fr comcast.net cox.net daum.net duck.com earthlink.net email.cz
    fastmail.com fastmail.fm foxmail.com free.fr freemail.hu freenet.de gmail.com googlemail.com gmx.eu
    hanmail.net hey.com home.nl hushmail.com icloud.com ig.com.br inbox.lv inbox.ru interia.pl iinet.net.au
    kpnmail.nl laposte.net libero.it list.ru mac.com mail.com mail.de mail.ee mail.ru mailbox.org me.com msn.com
    nate.com naver.com neuf.fr ntlworld.com numericable.fr o2.pl onet.pl optonline.net orange.fr passport.com
    planet.nl pm.me posteo.de proton.me protonmail.ch protonmail.com qq.com rambler.ru rediffmail.com rogers.com
    sapo.pt sbcglobal.net seznam.cz sfr.fr shaw.ca sina.com skynet.be sky.com sohu.com sympatico.ca
    t-online.de talktalk.net telenet.be terra.com.br tin.it tiscali.it tuta.com tutanota.com uol.com.br
    verizon.net virgilio.it virginmedia.com voila.fr walla.co.il wanadoo.fr web.de wp.pl xtra.co.nz ya.ru
    yeah.net ymail.com ziggo.nl zoho.com zohomail.com"""
)


class Caution(Enum):
    """What looks wrong and may be right: the user may override each (R12)."""

    TEST_NAME = "test name"
    ACRONYM = "acronym"
    INCOMPLETE_ADDRESS = "incomplete address"


def normalise(text: str) -> str:
    """Words of `text` without case, accents and punctuation, one space between: for search and sort keys.

    It works character by character, so a part of a word stays a part of the normalised word. A Chinese character is a
    word by itself, since no spaces show where words begin.
    """
    return " ".join(_pieces(text))


def search_text(*parts: str) -> str:
    """The text to keep for searching: each different word behind two spaces, in order.

    What contains a full stop or a hyphen (a domain) is there both word by word and whole. Look for a word of
    search_words() as `'%' + word + '%'`, or, if it has only one or two letters, as `'%  ' + word + '%'`.
    """
    words = dict.fromkeys(word for part in parts for word in normalise(part).split())
    words.update(dict.fromkeys(piece for part in parts for piece in _pieces(part, ".-")))
    return "".join("  " + word for word in words)


def search_words(query: str) -> list[str]:
    """The words, all of which must be found in a search_text(): at most 8, of at most 60 characters, no wildcards.

    A domain stays whole; a URL or an e-mail address is reduced to its domain.
    """
    words = [word for token in query[:MAX_QUERY].split() for word in _token_words(token)]
    return [word[:MAX_WORD] for word in dict.fromkeys(words)][:MAX_WORDS]


def clean(text: str, *, multiline: bool = False) -> str:
    """`text` as it should be stored: NFC, single spaces, nothing that is invisible or reorders the page."""
    if text.isascii() and text.isprintable():  # as nearly all is
        return " ".join(text.split())
    lines = text.splitlines() if multiline else [text]
    return unicodedata.normalize("NFC", "\n".join(_clean_line(line) for line in lines)).strip()


def has_mixed_scripts(word: str) -> bool:
    """Whether one word mixes Latin, Cyrillic and Greek letters, which can look the same."""
    if word.isascii():
        return False
    scripts = {unicodedata.name(letter, "").split(" ")[0] for letter in word if letter.isalpha()}
    return len(scripts & {"LATIN", "CYRILLIC", "GREEK"}) > 1


def domain_name(text: str) -> str:
    """The lower-case ASCII domain of a domain, URL or e-mail address; a leading `www.` is left out.

    Raises ValueError: 'empty', 'not a domain', 'ip address', or 'public suffix' for a name under which others register.
    """
    if not text.strip():
        raise ValueError("empty")
    host = _ascii_host(_host(text.strip()))
    if _is_ip_address(host):
        raise ValueError("ip address")
    domain = host.removeprefix("www.") if host.count(".") > 1 else host
    if len(domain) > 253 or not _DOMAIN.fullmatch(domain):
        raise ValueError("not a domain")
    if _is_public_suffix(domain):
        raise ValueError("public suffix")
    return domain


def display_domain(domain: str) -> str:
    """An ASCII domain in its own letters, or unchanged when those mix scripts."""
    return domain if domain_mixes_scripts(domain) else _in_own_letters(domain)


def domain_mixes_scripts(domain: str) -> bool:
    """Whether a label of an ASCII domain, in its own letters, mixes scripts: a name that looks like another."""
    return any(has_mixed_scripts(label) for label in _in_own_letters(domain).split("."))


def is_free_mail(domain: str) -> bool:
    """Whether anybody gets an address there, so that it proves nothing (R11)."""
    domain = domain.strip().lower().rstrip(".")
    return domain in _FREE_MAIL or _FREE_MAIL_FAMILY.fullmatch(domain) is not None


def name_warnings(name: str) -> list[Caution]:
    """What is odd about a company name (R12); an empty one is the form's business."""
    if not name.strip():
        return []
    warnings = []
    if _is_test_name(name):
        warnings.append(Caution.TEST_NAME)
    letters = re.sub(r"[\s.&'\u2019-]", "", name)
    if letters.isalpha() and letters.isupper() and len(letters) <= 4:
        warnings.append(Caution.ACRONYM)
    return warnings


def address_warnings(street: str, country: str) -> list[Caution]:
    """What is odd about a street line (R12); an empty one is the address check's business."""
    street = clean(street)
    if not street:
        return []
    has_number = any(letter.isnumeric() for letter in street)
    too_little = len(street) < 5 and street.isascii()
    if too_little or normalise(street) in _NOT_A_STREET or not (has_number or country in _UNNUMBERED):
        return [Caution.INCOMPLETE_ADDRESS]
    return []


def split_emails(text: str) -> list[str]:
    """The different addresses of a pasted list or a file, in order; a line without any comes back as it is.

    They are not checked. Raises ValueError('too long') above MAX_EMAIL_LIST characters.
    """
    if len(text) > MAX_EMAIL_LIST:
        raise ValueError("too long")
    found: dict[str, str] = {}
    for line in re.split(r"[;\n]", clean(text, multiline=True)):
        for address in _emails(line) or [line.strip(" ,")]:
            found.setdefault(address.casefold(), address)
    return [address for address in found.values() if address]


def formula_safe(cell: str) -> str:
    """A CSV cell that no spreadsheet runs as a formula (R15): an apostrophe goes before = + - @, tab and line ends.

    Telephone numbers that begin with + get it too; numbers of our own should not come here.
    """
    if cell[:1].isalnum():  # as nearly all do
        return cell
    first = next((letter for letter in cell if letter.isprintable() and not letter.isspace()), "")
    if cell.startswith(("\t", "\r", "\n")) or first in _FORMULA_STARTS:
        return "'" + cell
    return cell


def _pieces(text: str, keep: str = "") -> list[str]:
    """Split into runs of letters, digits and vowel signs; `keep` counts inside a run, not at its ends."""
    spaced = text.translate(_ASCII_TABLES[keep]) if text.isascii() else "".join(_spaced(letter, keep) for letter in _fold(text))
    return [piece for run in spaced.split() if (piece := run.strip(keep or None))]


def _spaced(letter: str, keep: str) -> str:
    if not keep and "\u4e00" <= letter <= "\u9fff":
        return f" {letter} "
    is_in_word = letter.isalnum() or unicodedata.category(letter).startswith("M")
    return letter if is_in_word or letter in keep else " "


def _fold(text: str) -> str:
    plain = _without_accents(_without_accents(text).casefold())
    return plain.translate(_LETTERS)


def _without_accents(text: str) -> str:
    return "".join(letter for letter in unicodedata.normalize("NFKD", text) if not unicodedata.combining(letter))


def _token_words(token: str) -> list[str]:
    host = _host(token)
    has_host = "." in host or "@" in token or "://" in token
    words = []
    for piece in _pieces((has_host and host.removeprefix("www.")) or token, ".-"):
        first, *others = normalise(piece).split()
        # A short first piece may be the end of a longer word ("n-tellier"): only the whole can find it.
        words += [piece] if "." in piece or ("-" in piece and len(first) < 3) else [first, *others]
    return words


def _host(text: str) -> str:
    """Cut everything off a URL or an e-mail address that is not its host."""
    address = re.split(r"[/?#]", text.split("://", 1)[-1], maxsplit=1)[0].lower()
    return re.sub(r"^([^:]*|\[.*\]):\d*$", r"\1", address.rsplit("@", 1)[-1])


def _ascii_host(host: str) -> str:
    if host.isascii() and "xn--" not in host:
        return host.rstrip(".")
    if len(host) > 253:
        raise ValueError("not a domain")
    import idna

    try:
        return idna.encode(host, uts46=True, std3_rules=True).decode("ascii").rstrip(".")
    except UnicodeError:
        raise ValueError("not a domain") from None


def _is_ip_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _in_own_letters(domain: str) -> str:
    if "xn--" not in domain:
        return domain
    import idna

    try:
        return idna.decode(domain)
    except UnicodeError:
        return domain


def _is_public_suffix(domain: str) -> bool:
    first, _, rest = domain.partition(".")
    return domain in _SHARED_DOMAINS or (first in _REGISTRY_LABELS and len(rest) == 2)


def _clean_line(line: str) -> str:
    if line.isascii() and line.isprintable():
        return " ".join(line.split())
    words = ("".join(letter for letter in word if _is_wanted(letter)) for word in line.split())
    return " ".join(word for word in words if word)


def _is_wanted(letter: str) -> bool:
    return letter not in _UNWANTED and unicodedata.category(letter) not in {"Cc", "Cs"}


def _is_test_name(name: str) -> bool:
    words = [word.rstrip("0123456789") for word in normalise(name).split()]
    return all(word in _TEST_WORDS or word in _FILLER_WORDS or _is_one_letter_repeated(word) for word in words if word)


def _is_one_letter_repeated(word: str) -> bool:
    return len(word) > 2 and len(set(word)) == 1


def _emails(line: str) -> list[str]:
    tokens = (token.strip(".'").removeprefix("mailto:") for token in re.split(r"[\s,<>\"()\[\]]+", line))
    return [token for token in tokens if "@" in token]

"""Text that people type or paste: what is kept, found, refused and warned about."""

import unicodedata

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from portal.core import words
from portal.core.words import Caution

names = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=40)
domains = st.from_regex(r"[a-z][a-z0-9]{1,8}(-[a-z0-9]{1,8}){0,2}(\.[a-z]{2,7}){1,2}", fullmatch=True)
long_words = st.one_of(
    st.text(alphabet=st.characters(categories=["Ll", "Lu", "Lo"], max_codepoint=0x6FF), min_size=3, max_size=20),
    st.text(alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF), min_size=3, max_size=7),
)


def found(query: str, text: str) -> bool:
    """Look as the database does: three letters and more anywhere, fewer at the beginning of a word."""
    return all((word if len(word) > 2 else "  " + word) in text for word in words.search_words(query))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Société   Générale ", "societe generale"),
        ("STRASSE, Straße", "strasse strasse"),
        ("L'Œuvre & Cie.", "l oeuvre cie"),
        ("Łódź Ørsted Đuro Ægir", "lodz orsted duro aegir"),
        ("İstanbul ısı", "istanbul isi"),
        ("ＡＢＣ ﬁn", "abc fin"),
        ("100% _x_", "100 x"),
        ("हिन्दी", "हिनदी"),
        ("東京Gas", "東 京 gas"),
        ("Col·lecció Coŀlecció", "colleccio colleccio"),
        ("...", ""),
    ],
)
def test_case_accents_and_punctuation_do_not_count(text: str, expected: str) -> None:
    """R14"""
    assert words.normalise(text) == expected


@given(names)
def test_normalising_twice_changes_nothing(text: str) -> None:
    once = words.normalise(text)

    assert words.normalise(once) == once


@given(names)
def test_composed_and_decomposed_text_are_the_same(text: str) -> None:
    assert words.normalise(unicodedata.normalize("NFD", text)) == words.normalise(unicodedata.normalize("NFC", text))


def test_search_text_has_each_word_once_and_the_domain_whole() -> None:
    text = words.search_text("Maison Tellier", "maison-tellier.example", "")

    assert text == "  maison  tellier  example  maison-tellier.example"
    assert words.search_text("", " - ") == ""


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Téllier  te TE", ["tellier", "te"]),
        ("https://www.Tellier.example/about?x=1#y", ["tellier.example"]),
        ("www.tell", ["tell"]),
        ("ann@tellier.example", ["tellier.example"]),
        ("ann@", ["ann"]),
        ("Jean-Pierre", ["jean", "pierre"]),
        ("n-tellier", ["n-tellier"]),
        ("AT&T A/S", ["at", "t", "a", "s"]),
        ("東京", ["東", "京"]),
        ("% _ ' -", []),
    ],
)
def test_a_query_becomes_words_and_whole_domains(query: str, expected: list[str]) -> None:
    """R14"""
    assert words.search_words(query) == expected


@given(st.text(max_size=2000))
def test_a_query_is_bounded_and_has_no_wildcards(query: str) -> None:
    result = words.search_words(query)

    assert len(result) <= 8
    assert all(0 < len(word) <= 60 and not set(word) & set("%_\\ ") for word in result)


@given(long_words, names, names, st.data())
def test_every_part_of_a_word_of_the_name_finds_it(word: str, before: str, after: str, data: st.DataObject) -> None:
    """R14"""
    start = data.draw(st.integers(0, len(word) - 3))
    part = word[start : data.draw(st.integers(start + 3, len(word)))]
    text = words.search_text(f"{before} {word} {after}")

    assert found(part, text)
    assert found(part.upper(), text)


@given(names, domains, st.data())
def test_every_part_of_the_domain_finds_it(name: str, domain: str, data: st.DataObject) -> None:
    """R14"""
    start = data.draw(st.integers(0, len(domain) - 3))
    part = domain[start : data.draw(st.integers(start + 3, len(domain)))]
    assume(not part.startswith((".", "-")) and not part.endswith((".", "-")))

    assert found(part, words.search_text(name, domain))


@given(names)
def test_a_name_finds_itself(name: str) -> None:
    """R14"""
    assert found(name, words.search_text(name))


def test_two_letters_find_the_beginning_of_a_word_only() -> None:
    """R14"""
    text = words.search_text("Maison Tellier", "maison-tellier.example")

    assert found("te", text)
    assert not found("li", text)
    assert found("elli", text)
    assert found("tellier.ex", text)
    assert not found("elli dupont", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Maison\u00a0\t Tellier \n", "Maison Tellier"),
        ("e\u0301te\u0301", "été"),
        ("a\x00b\u202ec\u2066d\ufeff", "abcd"),
        ("مي\u200cخواهم \u200fשלום", "مي\u200cخواهم \u200fשלום"),
        ("one\r\n\ttwo", "one two"),
    ],
)
def test_cleaning_keeps_what_can_be_read(text: str, expected: str) -> None:
    assert words.clean(text) == expected


def test_cleaning_keeps_lines_when_asked() -> None:
    assert words.clean(" a  b \r\n\r\n\x07c ", multiline=True) == "a b\n\nc"


@given(st.text(), st.booleans())
def test_cleaning_twice_changes_nothing(text: str, multiline: bool) -> None:
    once = words.clean(text, multiline=multiline)

    assert words.clean(once, multiline=multiline) == once


def test_letters_of_two_alphabets_in_one_word_are_noticed() -> None:
    assert words.has_mixed_scripts("p\u0430ypal")
    assert words.has_mixed_scripts("\u039fracle")
    assert not words.has_mixed_scripts("Société")
    assert not words.has_mixed_scripts("\u043c\u043e\u0441\u043a\u0432\u0430")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (" Example.COM. ", "example.com"),
        ("https://user@www.Example.com:8080/path?q=a@b.c", "example.com"),
        ("Ann@Maison-Tellier.example", "maison-tellier.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("faß.de", "xn--fa-hia.de"),
        ("XN--bcher-kva.example", "xn--bcher-kva.example"),
        ("contoso.onmicrosoft.com", "contoso.onmicrosoft.com"),
        ("shop.co.uk", "shop.co.uk"),
    ],
)
def test_a_domain_is_read_out_of_what_people_paste(text: str, expected: str) -> None:
    """R10, R11"""
    assert words.domain_name(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("  ", "empty"),
        ("localhost", "not a domain"),
        ("https://", "not a domain"),
        ("a_b.example", "not a domain"),
        ("exa mple.com", "not a domain"),
        ("-a.example", "not a domain"),
        ("a..example", "not a domain"),
        ("xn--a.example", "not a domain"),
        ("a" * 64 + ".example", "not a domain"),
        ("a." * 130 + "example", "not a domain"),
        ("1.2.3", "not a domain"),
        ("192.168.0.1", "ip address"),
        ("http://[2001:db8::1]:80/", "ip address"),
        ("co.uk", "public suffix"),
        ("onmicrosoft.com", "public suffix"),
    ],
)
def test_what_is_no_domain_is_refused_with_the_reason(text: str, reason: str) -> None:
    """R10, R11"""
    with pytest.raises(ValueError) as refusal:
        words.domain_name(text)

    assert refusal.value.args[0] == reason


@given(st.text())
def test_a_domain_name_is_its_own_domain_name(text: str) -> None:
    try:
        domain = words.domain_name(text)
    except ValueError:
        return

    assert words.domain_name(domain) == domain


def test_a_domain_is_shown_in_its_letters_unless_they_deceive() -> None:
    assert words.display_domain("example.com") == "example.com"
    assert words.display_domain("xn--bcher-kva.example") == "bücher.example"
    assert words.display_domain("xn--pypal-4ve.com") == "xn--pypal-4ve.com"
    assert words.display_domain("xn--\x00.com") == "xn--\x00.com"


def test_free_mail_proves_nothing() -> None:
    """R11"""
    free = [
        "gmail.com",
        "Outlook.fr",
        "yahoo.co.uk",
        "laposte.net",
        "wanadoo.fr",
        "gmx.de",
        "proton.me",
        "qq.com",
        "yandex.com.tr",
    ]

    assert all(map(words.is_free_mail, free))
    assert not any(map(words.is_free_mail, ["contoso.com", "mail.contoso.com", "live.contoso.com", "yahoo.example"]))


@pytest.mark.parametrize("name", ["test", "Test 123", "asdf", "foo", "Demo Company", "xxx", "aaa", "Société test", "Customer 12", "123"])
def test_obvious_test_names_are_noticed(name: str) -> None:
    """R12"""
    assert words.name_warnings(name) == [Caution.TEST_NAME]


@pytest.mark.parametrize("name", ["ABC", "I.B.M.", "AT&T", "EDF"])
def test_names_that_are_only_an_acronym_are_noticed(name: str) -> None:
    """R12"""
    assert words.name_warnings(name) == [Caution.ACRONYM]


@pytest.mark.parametrize("name", ["Maison Tellier", "IBM France", "Contest", "Testa Rossa Srl", "Ikea", "株式会社東京", "Barbara", ""])
def test_good_names_draw_no_warning(name: str) -> None:
    """R12"""
    assert words.name_warnings(name) == []


@pytest.mark.parametrize(
    ("street", "country", "complete"),
    [
        ("12 rue de la Paix", "FR", True),
        ("rue de la Paix", "FR", False),
        ("N/A", "IE", False),
        ("unknown", "IE", False),
        ("Kilbride House", "IE", True),
        ("1丁目", "JP", True),
        ("12", "FR", False),
        ("", "FR", True),
    ],
)
def test_incomplete_streets_are_noticed(street: str, country: str, complete: bool) -> None:
    """R12"""
    assert words.address_warnings(street, country) == ([] if complete else [Caution.INCOMPLETE_ADDRESS])


def test_a_pasted_list_of_addresses_is_taken_apart() -> None:
    pasted = '\ufeffann@x.example, Bob <bob@x.example>; "Doe, John" <john@x.example>\r\nANN@x.example\nno address'
    pasted += "\nEve,mailto:eve@x.example."

    assert words.split_emails(pasted) == [
        "ann@x.example",
        "bob@x.example",
        "john@x.example",
        "no address",
        "eve@x.example",
    ]
    assert words.split_emails(" \n;") == []


def test_a_list_without_end_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        words.split_emails("a" * (words.MAX_EMAIL_LIST + 1))


@given(st.sampled_from("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"), st.text())
def test_no_cell_runs_as_a_formula(first: str, rest: str) -> None:
    """R15"""
    assert words.formula_safe(first + rest) == "'" + first + rest
    assert words.formula_safe("\ufeff " + first + rest).startswith("'") or first.isspace()


@given(st.text(alphabet=st.characters(categories=["L", "Nd"])))
def test_other_cells_stay_as_they_are(cell: str) -> None:
    """R15"""
    assert words.formula_safe(cell) == cell

"""The catalogue of messages: what the code says, and how the French file is kept in step with it (`make translations`)."""

import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_keywords, parse_mapping_cfg
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[2]
FRENCH = ROOT / "portal/translations/fr/LC_MESSAGES/messages.po"
KEYWORDS = {**DEFAULT_KEYWORDS, **parse_keywords(["_l", "N_", "lazy_gettext", "lazy_ngettext:1,2", "lazy_pgettext:1c,2"])}
# No dates, hosts or places: the file changes only when a message does.
HEADER = """msgid ""
msgstr ""
"Content-Type: text/plain; charset=utf-8\\n"
"Language: fr\\n"
"Plural-Forms: nplurals=2; plural=(n > 1);\\n"

"""


def extracted() -> Catalog:
    """Every message of the code and the templates, by the rules of babel.cfg."""
    with (ROOT / "babel.cfg").open() as mapping:
        methods, options = parse_mapping_cfg(mapping)
    catalog = Catalog(locale="fr")
    for _file, _line, message, _comments, context in extract_from_dir(ROOT, methods, options, KEYWORDS):
        catalog.add(message, context=context)
    return catalog


def french() -> Catalog:
    return read_po(io.BytesIO(FRENCH.read_bytes()), locale="fr")


def refresh() -> int:
    """Write the file anew with the messages of now and the translations it had; returns how many are still to translate."""
    known, catalog = french() if FRENCH.exists() else Catalog(locale="fr"), extracted()
    missing = 0
    for message in catalog:
        if message.id:
            old = known.get(message.id, message.context)
            message.string = old.string if old else message.string
            missing += not all(message.string if isinstance(message.string, tuple | list) else [message.string])
    text = io.BytesIO()
    write_po(text, catalog, width=120, no_location=True, omit_header=True, sort_output=True)
    FRENCH.parent.mkdir(parents=True, exist_ok=True)
    FRENCH.write_text(HEADER + text.getvalue().decode())
    return missing


if __name__ == "__main__":
    print(f"{refresh()} messages still to translate in {FRENCH.relative_to(ROOT)}")

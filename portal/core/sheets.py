"""Tables that people bring and take along, as CSV or XLSX: judged by content, bounded in size, rows, columns and time (S38)."""

import csv
import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from flask_babel import gettext as _

from portal.core.errors import Refused
from portal.core.words import formula_safe

MOST_BYTES = 3_500_000
MOST_ROWS = 10_000
MOST_COLUMNS = 100
UNPACKED = 30_000_000
PATIENCE = 20  # seconds
_READER = Path(__file__).with_name("workbook.py")
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def rows(content: bytes) -> list[list[Any]]:
    """The rows of a file, whatever its name: text, numbers and truth values. Refused with what to do about a file that cannot be read."""
    if len(content) > MOST_BYTES:
        raise Refused(_("This file is too large: at most %(size)s KB. Split it, or take fewer lines.", size=MOST_BYTES // 1000))
    if content.startswith(b"PK"):
        found = _of_workbook(content)
    elif content.startswith(b"\xd0\xcf\x11\xe0"):
        raise Refused(_("This is a workbook of an old kind, or one with a password. Save it as XLSX or CSV, without a password."))
    else:
        found = _of_text(content)
    if len(found) > MOST_ROWS + 1 or any(len(row) > MOST_COLUMNS for row in found):
        raise _too_many()
    while found and not any(cell not in ("", None) for cell in found[-1]):
        found.pop()
    if not found:
        raise Refused(_("There is nothing in this file."))
    return found


def unmarked(cell: str) -> str:
    """Text of a cell as it was before marked() made it safe."""
    return cell[1:] if cell.startswith("'") and _needs_mark(cell[1:]) else cell


def marked(cell: str) -> str:
    """Text that no spreadsheet runs as a formula, and that unmarked() gives back as it was."""
    return "'" + cell if cell and _needs_mark(cell) else cell


def workbook(header: Sequence[str], lines: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """An XLSX file of these lines, which lie on disk and not in memory meanwhile."""
    import xlsxwriter

    with tempfile.TemporaryFile() as file:
        book = xlsxwriter.Workbook(file, {"constant_memory": True})
        sheet = book.add_worksheet()
        sheet.freeze_panes(1, 0)
        bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
        for column, name in enumerate(header):
            sheet.write_string(0, column, name, bold)
        for number, line in enumerate(lines, 1):
            for column, cell in enumerate(line):
                if isinstance(cell, str):
                    if cell:
                        sheet.write_string(number, column, cell)
                elif isinstance(cell, date):
                    sheet.write_datetime(number, column, cell, day)
                elif isinstance(cell, int | Decimal):
                    sheet.write_number(number, column, cell)
        book.close()
        file.seek(0)
        while chunk := file.read(64 * 1024):
            yield chunk


def _of_workbook(content: bytes) -> list[list[Any]]:
    command = [sys.executable, "-I", str(_READER), str(MOST_ROWS + 1), str(MOST_COLUMNS), str(UNPACKED)]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=PATIENCE, check=False)  # noqa: S603  (our own reader)
    except subprocess.TimeoutExpired:
        raise _too_many() from None
    if done.returncode == 3:
        raise _too_many()
    if done.returncode:
        raise Refused(_("This workbook cannot be read. Save it anew as XLSX, or as CSV, then choose it again."))
    return [[cell.replace("\x00", "") if isinstance(cell, str) else cell for cell in json.loads(line)] for line in done.stdout.splitlines()]


def _of_text(content: bytes) -> list[list[Any]]:
    encoding = next((name for mark, name in _BOMS.items() if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")
    if "\x00" in text:
        raise Refused(_("This is neither a CSV file nor an XLSX workbook. Save the table as one of them, then choose it again."))
    first = text.lstrip().partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    found: list[list[Any]] = []
    try:
        for row in reader:
            found.append(list(row))
            if len(found) > MOST_ROWS + 1:
                raise _too_many()
    except csv.Error:
        raise Refused(_("Line %(number)s cannot be read: a quotation mark is missing or too many, or a cell is very long.", number=reader.line_num)) from None
    return found


def _needs_mark(cell: str) -> bool:
    bare = cell.lstrip("'")
    return formula_safe(bare) != bare


def _too_many() -> Refused:
    return Refused(_("This table is too large: at most %(rows)s lines and %(columns)s columns. Split it.", rows=MOST_ROWS, columns=MOST_COLUMNS))

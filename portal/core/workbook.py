"""Reads a workbook in a process of its own, which its memory and time limits end: a small file can unpack to a very large one (S38).

Run by sheets.rows(): the workbook comes in, rows go out as lines of JSON. It knows nothing of the portal, so that it starts at once.
"""

import datetime
import io
import json
import resource
import sys
from typing import Any

MEMORY = 512 * 1024 * 1024
SECONDS = 10


def main(most_rows: int, most_columns: int, most_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    from python_calamine import CalamineWorkbook

    sheet = CalamineWorkbook.from_filelike(io.BytesIO(sys.stdin.buffer.read())).get_sheet_by_index(0)
    if sheet.total_height > most_rows or sheet.total_width > most_columns:
        raise SystemExit(3)
    written = 0
    for row in sheet.to_python(skip_empty_area=False):
        line = json.dumps([_plain(cell) for cell in row])
        written += len(line)
        if written > most_bytes:
            raise SystemExit(3)
        sys.stdout.write(line + "\n")


def _plain(cell: Any) -> Any:
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return int(cell)
    return cell if isinstance(cell, str | bool | int | float) else str(cell)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

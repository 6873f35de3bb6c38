"""Pictures to upload, drawn for the tests."""

import struct
import zlib
from io import BytesIO
from typing import Any

from PIL import Image
from PIL.PngImagePlugin import PngInfo

SECRET = b"Somebody was here"


def picture(kind: str = "PNG", size: tuple[int, int] = (120, 80), mode: str = "RGB", **options: Any) -> bytes:
    """A plain one of this kind."""
    return encoded(Image.linear_gradient("L").resize(size).convert(mode), kind, **options)


def encoded(image: Any, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def talkative(kind: str) -> bytes:
    """One that tells more than it shows: position and camera, a comment, a colour profile, and something behind its end."""
    text, exif = PngInfo(), Image.Exif()
    text.add_text("Comment", SECRET.decode())
    text.add_itxt("XML:com.adobe.xmp", SECRET.decode(), zip=True)
    exif[0x010F] = SECRET.decode()  # the maker of the camera
    exif.get_ifd(0x8825).update({1: "N", 2: (47.0, 13.0, 6.0), 3: "W", 4: (1.0, 33.0, 13.0)})  # the position
    options: dict[str, Any] = {
        "PNG": {"pnginfo": text, "exif": exif, "icc_profile": SECRET},
        "JPEG": {"comment": SECRET, "exif": exif, "icc_profile": SECRET},
        "GIF": {"comment": SECRET},
    }
    return picture(kind, **options[kind]) + SECRET


def bomb(width: int, height: int) -> bytes:
    """A PNG of a few KB that says it has this many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"\0" * 2_000_000, 9)) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

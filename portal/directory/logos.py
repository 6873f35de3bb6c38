"""Logos: judged by their content, and encoded anew by us, so that nothing of the uploaded file is ever handed on (R60, S38)."""

from dataclasses import dataclass
from io import BytesIO
from typing import Any

from flask_babel import gettext as _
from PIL import Image, ImageOps

from portal.core.errors import Refused
from portal.directory.models import WIDEST_LOGO

HEAVIEST = 512 * 1024  # bytes
_KINDS = ("GIF", "JPEG", "PNG")


@dataclass(frozen=True)
class Picture:
    """A picture as we encoded it: pixels, and nothing else."""

    content: bytes
    media_type: str
    width: int
    height: int


def read(upload: bytes) -> Picture:
    """The picture in these bytes, without position, comments, profiles and whatever follows it; of several frames the first.

    Refused, with what to do, for anything else. The size is known from the first bytes, before any pixel is unpacked.
    """
    if len(upload) > HEAVIEST:
        raise _refused(_("This file is too large: at most %(size)s KB. Save it smaller, or with fewer colours.", size=HEAVIEST // 1024))
    image = _opened(upload)
    width, height = image.size
    if width > WIDEST_LOGO or height > WIDEST_LOGO:
        told = _("This picture has %(width)s × %(height)s pixels: at most %(most)s wide and %(most)s high.", width=width, height=height, most=WIDEST_LOGO)
        raise _refused(f"{told} {_('Save it smaller, then choose it again.')}")
    try:
        return _encoded(image)
    except Exception:  # of a broken file, a decoder may say anything
        raise _refused(_("This picture is damaged or incomplete. Save it again as PNG or JPEG, then choose it again.")) from None


def _opened(upload: bytes) -> Any:
    try:
        return Image.open(BytesIO(upload), formats=_KINDS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise _refused(_("This picture is far too large: at most %(most)s pixels wide and high.", most=WIDEST_LOGO)) from None
    except Exception:
        start = upload[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
        if start.startswith((b"<svg", b"<?xml", b"<!--", b"<!doctype svg")):
            raise _refused(_("SVG drawings can hold programs, so they are not accepted. Save the logo as PNG, then choose it again.")) from None
        raise _refused(_("This is not a GIF, JPEG or PNG picture. Save the logo as PNG, then choose it again.")) from None


def _encoded(image: Any) -> Picture:
    format_ = "PNG" if image.format in ("GIF", "PNG") else "JPEG"
    upright = ImageOps.exif_transpose(image)  # cameras note how they were held where we keep no notes
    see_through = format_ == "PNG" and upright.has_transparency_data
    pixels = upright.convert("RGBA" if see_through else "RGB")
    bare = Image.frombytes(pixels.mode, pixels.size, pixels.tobytes())  # notes would come along with a copy
    target = BytesIO()
    bare.save(target, format_, **({"quality": 90} if format_ == "JPEG" else {"optimize": True}))
    return Picture(target.getvalue(), f"image/{format_.lower()}", *bare.size)


def _refused(message: str) -> Refused:
    return Refused(message, field="logo")

"""Logos: what is taken, what is refused with a reason, and what is handed on to whom (R60, S38)."""

import struct
import tracemalloc
from io import BytesIO
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from portal.accounts.models import Organization
from portal.core import clock
from portal.core.db import db, find, writing
from portal.core.errors import Refused
from portal.core.scope import EVERYTHING, scoped
from portal.directory import logos
from portal.directory.models import BusinessProfile, ProfileLogo
from tests.directory.pictures import SECRET, bomb, encoded, picture, talkative
from tests.support import make

KINDS = ("GIF", "JPEG", "PNG")
REFERRALS = "referrals@atelier-nuage.example"
SVG = b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.fixture(scope="module", autouse=True)
def words():
    """Reasons are texts, which need an application."""
    from tests.support import databases

    with databases.database(databases.ENGINES[0]).app.app_context():
        yield


def opened(content: bytes):
    with Image.open(BytesIO(content)) as image:
        image.load()
        return image


def reason(upload: bytes) -> str:
    with pytest.raises(Refused) as refusal:
        logos.read(upload)
    assert refusal.value.field == "logo"
    return str(refusal.value.message)


# --- what comes out


@pytest.mark.parametrize("kind", KINDS)
def test_a_logo_is_encoded_anew_and_keeps_its_size(kind):
    """R60"""
    made = logos.read(picture(kind))

    assert (made.width, made.height) == (120, 80) == opened(made.content).size
    assert made.media_type == ("image/jpeg" if kind == "JPEG" else "image/png")
    assert made.media_type.endswith(opened(made.content).format.lower())


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_that_a_picture_tells_besides_its_pixels_is_kept(kind):
    """R60, S38: position, camera, comments, colour profile, text, and what stands behind the end."""
    upload = talkative(kind)
    assert upload.count(SECRET) >= 2
    made = logos.read(upload)

    assert SECRET not in made.content
    assert b"Exif" not in made.content and b"eXIf" not in made.content
    shown = opened(made.content)
    assert dict(shown.getexif()) == {}
    assert set(shown.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_a_picture_held_sideways_is_turned_before_its_note_is_dropped():
    sideways = Image.Exif()
    sideways[0x0112] = 6

    made = logos.read(picture("JPEG", exif=sideways))

    assert (made.width, made.height) == (80, 120)


@pytest.mark.parametrize("kind", ["GIF", "PNG"])
def test_what_is_seen_through_stays_so(kind):
    made = logos.read(encoded(Image.new("RGBA", (20, 20), (255, 0, 0, 0)), kind))

    assert opened(made.content).convert("RGBA").getpixel((5, 5))[3] == 0


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_every_kind_of_png_is_understood(mode):
    assert logos.read(encoded(Image.new(mode, (30, 30)), "PNG")).width == 30


def test_a_jpeg_for_the_printing_press_becomes_one_for_the_screen():
    assert opened(logos.read(encoded(Image.new("CMYK", (30, 30)), "JPEG")).content).mode == "RGB"


def test_of_a_film_the_first_picture_is_taken():
    red, blue = Image.new("RGB", (20, 20), "red"), Image.new("RGB", (20, 20), "blue")

    made = logos.read(encoded(red, "GIF", save_all=True, append_images=[blue] * 50))

    assert getattr(opened(made.content), "n_frames", 1) == 1
    assert opened(made.content).convert("RGB").getpixel((5, 5)) == (255, 0, 0)


def test_a_program_behind_a_picture_is_left_out():
    """S38: a file that is two things at once."""
    made = logos.read(picture("GIF") + b"<script>alert(1)</script>" + b"PK\x03\x04")

    assert b"script" not in made.content and b"PK\x03\x04" not in made.content


# --- what is refused


def test_a_picture_may_be_300_pixels_wide_and_no_more():
    """R60"""
    assert logos.read(picture(size=(300, 300))).width == 300
    assert "301 × 20 pixels" in reason(picture(size=(301, 20)))
    assert "20 × 301 pixels" in reason(picture(size=(20, 301)))


def test_a_heavy_file_is_refused():
    assert "at most 512 KB" in reason(picture() + b"\0" * logos.HEAVIEST)


@pytest.mark.parametrize("upload", [SVG, b"<svg onload=alert(1)>", b"\xef\xbb\xbf<!-- x --><svg/>", b"  <!DOCTYPE svg><svg/>"])
def test_a_drawing_that_may_hold_programs_is_refused_with_that_reason(upload):
    """S38"""
    assert "SVG" in reason(upload)


@pytest.mark.parametrize("upload", [b"", b"MZ\x90", b"%PDF-1.7", b"<html><script>", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"])
def test_what_is_no_picture_is_refused(upload):
    assert "not a GIF, JPEG or PNG" in reason(upload)


@pytest.mark.parametrize("kind", ["WEBP", "TIFF", "BMP", "ICO", "PPM"])
def test_other_kinds_of_pictures_are_refused(kind):
    """R60"""
    assert "not a GIF, JPEG or PNG" in reason(picture(kind))


@pytest.mark.parametrize("size", [(10_000, 10_000), (50_000, 50_000), (300, 2_000_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_before_it_is_unpacked(size):
    """S38"""
    upload = bomb(*size)
    tracemalloc.start()
    told = reason(upload)
    _now, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert "pixels" in told or "not a GIF" in told
    assert peak < 4_000_000


def test_a_bomb_among_gifs_is_refused():
    """S38: a small screen with a large picture on it."""
    small = bytearray(picture("GIF", size=(10, 10)))
    place = small.index(b",", 13 + 3 * 2 ** ((small[10] & 7) + 1))
    small[place + 5 : place + 9] = struct.pack("<HH", 65535, 65535)

    assert "pixels" in reason(bytes(small))


# --- whatever is sent


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400), st.sampled_from([b"", b"GIF89a", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\xff\xd8\xff\xe0\0\x10JFIF\0", b"<svg"]))
def test_any_bytes_are_a_picture_or_refused(content, start):
    """S38"""
    judged(start + content)


@settings(max_examples=300, deadline=None)
@given(st.data(), st.sampled_from(KINDS))
def test_broken_pictures_are_refused_or_come_out_whole(data, kind):
    """S38: cut off, bits turned, parts doubled."""
    content = bytearray(talkative(kind))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[place] ^= 1 << data.draw(st.integers(0, 7))
    cut = data.draw(st.integers(0, len(content)))
    doubled = data.draw(st.booleans())

    judged(bytes(content[:cut]) + (bytes(content[cut // 2 :]) if doubled else b""))


def judged(upload: bytes) -> None:
    """Refused, or a whole picture of ours within the limits."""
    try:
        made = logos.read(upload)
    except Refused:
        return
    shown = opened(made.content)
    assert shown.size == (made.width, made.height) and max(shown.size) <= 300
    assert SECRET not in made.content


# --- through the page


def stored() -> int:
    db.session.rollback()
    with scoped(EVERYTHING):
        return db.session.scalar(sa.select(sa.func.count(ProfileLogo.id)))


def test_an_upload_is_shown_on_the_page_and_replaced(people):
    made = make.profile(state="draft")
    visitor = people(REFERRALS)
    url = f"/business-profiles/{made.public_id}"

    page = visitor.submit(visitor.get(url), f"{url}/logo", logo=(BytesIO(picture("PNG")), "../../etc/passwd.svg"))
    assert page.flashes == ["The logo is saved."]
    first = page.soup.select_one("#picture img")["src"]
    page = visitor.submit(page, f"{url}/logo", logo=(BytesIO(picture("JPEG")), "x"))
    second = page.soup.select_one("#picture img")["src"]

    assert first != second
    assert stored() == 1
    assert visitor.client.get(second).mimetype == "image/jpeg"
    page = visitor.submit(page, f"{url}/logo/removal")
    assert page.soup.select_one("#picture img") is None
    assert stored() == 0


@pytest.mark.parametrize(
    ("upload", "told"),
    [
        (SVG, "SVG"),
        (b"hello", "not a GIF"),
        (picture(size=(301, 10)), "301"),
        (bomb(50_000, 50_000), "pixels"),
        (picture()[:-40], "damaged"),
        (b"", "Choose a file"),
    ],
    ids=["svg", "text", "wide", "bomb", "cut", "empty"],
)
def test_a_refused_upload_stores_nothing_and_says_why(people, upload, told):
    """S38"""
    made = make.profile(state="draft")
    visitor = people(REFERRALS)
    url = f"/business-profiles/{made.public_id}"

    page = visitor.submit(visitor.get(url), f"{url}/logo", status=422, logo=(BytesIO(upload), "logo.png"))

    assert told in page.errors["logo"]
    assert stored() == 0
    with scoped(EVERYTHING):
        assert db.session.scalar(sa.select(BusinessProfile.logo_id)) is None


def test_a_very_large_upload_is_refused_at_the_door(people):
    made = make.profile(state="draft")
    visitor = people(REFERRALS)
    url = f"/business-profiles/{made.public_id}/logo"

    answer = visitor.client.post(url, data=b"x" * 5_000_000, content_type="multipart/form-data; boundary=x")

    assert answer.status_code == 413
    assert stored() == 0


def address_of(profile_id: UUID) -> str:
    with scoped(EVERYTHING):
        profile = find(BusinessProfile, profile_id)
        found = db.session.scalar(sa.select(ProfileLogo.public_id).where(ProfileLogo.id == profile.logo_id))
    db.session.rollback()
    return f"/directory/logos/{found}"


def test_a_published_logo_is_everybody_s_and_kept_by_browsers(people):
    """R61, S39"""
    url = address_of(make.profile(logo=picture()).public_id)

    answer = people.visitor().client.get(url)

    assert answer.status_code == 200
    assert opened(answer.data).size == (120, 80)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'"
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("state", ["draft", "taken_back"])
def test_an_unpublished_logo_is_its_partner_s_alone(people, state):
    """R2"""
    url = address_of(make.profile(logo=picture(), state=state).public_id)

    own = people(REFERRALS).client.get(url)
    assert own.status_code == 200
    assert own.headers["Cache-Control"] == "no-store"
    for other in (people.visitor(), people("admin@studio-cumulus.example"), people("admin@maison-tellier.example")):
        assert other.client.get(url).status_code == 404


def test_the_logo_of_a_suspended_organization_is_not_shown(people):
    url = address_of(make.profile(logo=picture()).public_id)
    with writing():
        db.session.execute(sa.update(Organization).where(Organization.domain == "atelier-nuage.example").values(suspended_at=clock.now()))
        db.session.commit()

    assert people.visitor().client.get(url).status_code == 404


def test_the_directory_keeps_the_published_logo_until_the_new_one_is_published(people):
    profile_id = make.profile(logo=picture()).public_id
    former = address_of(profile_id)
    visitor, url = people(REFERRALS), f"/business-profiles/{profile_id}"

    page = visitor.submit(visitor.get(url), f"{url}/logo", logo=(BytesIO(picture("JPEG")), "new.jpg"))
    later = address_of(profile_id)
    assert people.visitor().client.get(former).status_code == 200
    assert people.visitor().client.get(later).status_code == 404
    visitor.submit(page, f"{url}/publication")

    assert people.visitor().client.get(former).status_code == 404
    assert people.visitor().client.get(later).status_code == 200
    assert stored() == 1

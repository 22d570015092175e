"""The owner's title and logo on the kiosk page, read once at the start.

The logo is a picture of pixels, checked as every picture from outside: an SVG could hold a program.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.errors import RequestError, SettingsError
from edge.vision.decode import decode
from edge.vision.formats import sniff

if TYPE_CHECKING:
    from pathlib import Path

    from edge.settings import Settings

MAX_LOGO_BYTES: Final = 1 << 20
"""Each kiosk fetches it once, and the service holds it in memory."""

MAX_LOGO_PIXELS: Final = 4_000_000
"""A browser decodes it to four bytes each: 16 MB on a small kiosk."""

_MEDIA_TYPES: Final = {"JPEG": "image/jpeg", "PNG": "image/png", "WEBP": "image/webp"}


@dataclass(frozen=True, slots=True)
class Brand:
    """What stands on the kiosk besides its own words.

    Attributes:
        title: empty for the page's own.
        logo: a picture file; ``None`` for none.
        media_type: of the logo.
    """

    title: str = ""
    logo: bytes | None = None
    media_type: str = ""


def read_brand(settings: Settings) -> Brand:
    """Read what the settings name.

    Raises:
        SettingsError: the logo cannot be read, is no such picture, or is too large.
    """
    if settings.kiosk_logo is None:
        return Brand(settings.kiosk_title)
    file = settings.kiosk_logo
    content = _read(file)
    try:
        decode(content, max_pixels=MAX_LOGO_PIXELS)  # to its end, so that a cut one is noticed
    except RequestError as error:
        raise SettingsError(f"kiosk_logo = {file}: {error.message}") from None
    name = sniff(content)
    if name not in _MEDIA_TYPES:
        raise SettingsError(f"kiosk_logo = {file}: it is {name}; use JPEG, PNG or WebP.")
    return Brand(settings.kiosk_title, content, _MEDIA_TYPES[name])


def _read(file: Path) -> bytes:
    if not file.is_file():  # a pipe would never end
        raise SettingsError(f"kiosk_logo = {file}: there is no such file.")
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_LOGO_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"kiosk_logo = {file}: {error.strerror}.") from None
    if len(content) > MAX_LOGO_BYTES:
        limit = f"{MAX_LOGO_BYTES:,} bytes"
        raise SettingsError(f"kiosk_logo = {file}: it is larger than {limit}. Use a smaller one.")
    return content

"""Takes the only image out of a body before its JSON is parsed.

A frame of 12 megapixels is 1.2 MB of base64, through which a JSON parser goes letter by letter:
1.2 ms of CPU, for a body whose other 50 bytes are all that has to be parsed.
"""

from __future__ import annotations

import re
from typing import Final

import pybase64

_IMAGE: Final = re.compile(rb'"b64"\s*:\s*"')


def take_lone_image(body: bytes) -> tuple[bytes, bytes] | None:
    """Split a body into its JSON with an empty string for the image, and the image.

    The JSON means the same otherwise: base64 has no quote that could end the string, and where no
    backslash is there, no other spelling of ``b64`` is.

    Returns:
        ``None`` if the body has not exactly one image in plain base64; then all of it must be
        parsed, which also finds the words for what is wrong.
    """
    found = _IMAGE.search(body)
    if found is None:
        return None
    begin, end = found.end(), body.find(b'"', found.end())
    if end <= begin:
        return None
    rest = body[:begin] + body[end:]
    if b"\\" in rest or _IMAGE.search(rest, begin) is not None:
        return None
    try:
        return rest, pybase64.b64decode(memoryview(body)[begin:end], validate=True)
    except ValueError:
        return None

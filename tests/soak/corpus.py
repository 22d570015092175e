"""Small good pictures in every format, from which the fuzz makes bad ones."""

from __future__ import annotations

import functools

from serving.pictures import every_format, picture

SIZE = (32, 24)


@functools.cache
def pictures() -> tuple[bytes, ...]:
    """A photo of 32 x 24 in every format that is served."""
    return tuple(every_format(picture(size=SIZE)).values())

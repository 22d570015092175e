"""The entrances that the fuzz tries, one file each: a function from a pen to a shot.

`OPEN` are those of a server without keys, with how often each is tried; `KEYED` those of a server
with keys; `PLAIN` those of the port on which a server with TLS offers its authority.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from soak.entrances import (
    camera,
    chunks,
    headers,
    heads,
    multipart,
    owner,
    pages,
    paths,
    sign_in,
    stream,
    tf_serving,
    upgrades,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from soak.shot import Pen, Shot

    Entrance = Callable[[Pen], Shot]
    Entrances = Mapping[str, tuple[Entrance, int]]

OPEN: Entrances = {
    "camera": (camera.make, 22),
    "multipart": (multipart.make, 14),
    "tf serving": (tf_serving.make, 18),
    "stream": (stream.make, 5),
    "owner": (owner.make, 10),
    "pages": (pages.make, 8),
    "sign-in": (sign_in.make, 3),
    "headers": (headers.make, 7),
    "paths": (paths.make, 5),
    "heads": (heads.make, 3),
    "chunks": (chunks.make, 3),
    "upgrades": (upgrades.make, 2),
}

KEYED: Entrances = {
    "sign-in": (sign_in.make, 8),
    "headers": (headers.make, 3),
    "owner": (owner.make, 3),
    "pages": (pages.make, 2),
    "paths": (paths.make, 2),
    "stream": (stream.make, 1),
    "camera": (camera.make, 1),
}

PLAIN: Entrances = {
    "pages": (pages.make, 3),
    "headers": (headers.make, 3),
    "paths": (paths.make, 2),
    "heads": (heads.make, 1),
    "chunks": (chunks.make, 1),
    "upgrades": (upgrades.make, 1),
}

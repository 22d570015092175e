"""The bounds of a connection, and how many connections this process may hold."""

from __future__ import annotations

import logging
import resource

_log = logging.getLogger(__name__)

HEAD_BYTES = 32 * 1024
"""Most bytes of a request's head: request line and header lines, as nginx takes (4 x 8 KiB).

The same holds for what surrounds the pieces of a chunked body: sizes, extensions and trailers."""

URL_BYTES = 8 * 1024
"""Most bytes of a request's URL, as nginx takes."""

HEADER_LINES = 256
"""Most header lines of a head: each costs an object; browsers and proxies send about 30."""

HEAD_S = 10.0
"""Seconds in which a head must be complete, counted from its first byte or from the connection's
start. A TLS handshake must be complete within the same time."""

WRITE_S = 30.0
"""Seconds after which a connection is cut that has answers to take and reads nothing."""

LINGER_S = 2.0
"""Seconds for which a refused connection stays half open, so that its client reads the reply."""

LINGER_BYTES = 1024 * 1024
"""Bytes that are read and discarded meanwhile; who sends more is cut at once."""

MAX_FRAGMENTS = 4096
"""Most frames of one WebSocket message: at 4 KiB each, 16 MiB."""

TINY_FRAME_BYTES = 512
"""A WebSocket frame of fewer bytes counts as tiny: parsing it costs more than carrying it."""

TINY_FRAMES_PER_S = 500
TINY_FRAMES_BURST = 4096
"""Tiny frames, pings and pongs among them, that one WebSocket may send: a second, and at once.

A browser sends a picture as one frame and answers a ping every 20 seconds."""

MAX_CONNECTIONS = 4096
"""Most connections, whatever the descriptors allow: more cameras than one machine can serve.

With half a head each they hold 128 MiB."""

_MIN_CONNECTIONS = 64  # however little memory there is: 1 MiB with half a head each
_RESERVED_FILES = 128
_MAX_FILES = 65_536


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one; return what then holds.

    At most 65,536: more is of no use here, and some programs walk through all numbers up to it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, _MAX_FILES)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return _MAX_FILES if soft == resource.RLIM_INFINITY else soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # a sandbox may forbid it
        return soft
    _log.info("raised the limit of open files from %d to %d", soft, wanted)
    return wanted


def connection_limit(files: int, max_held_bytes: int | None = None) -> int:
    """How many connections a process may hold that may open so many files.

    Models, outbox, certificates, the cloud's connection, and connections that are just being
    refused or closed need descriptors as well: 128, or half of a very low limit.

    Args:
        files: that the process may open.
        max_held_bytes: of bodies; half a head on every connection takes at most half as much.
    """
    reserved = min(_RESERVED_FILES, files // 2)
    most = MAX_CONNECTIONS
    if max_held_bytes is not None:
        most = min(most, max(_MIN_CONNECTIONS, max_held_bytes // (2 * HEAD_BYTES)))
    return max(1, min(most, files - reserved))

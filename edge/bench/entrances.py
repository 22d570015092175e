"""The entrances under measurement: builds the requests of each, and parses its answers.

Only as much of HTTP and WebSocket is understood as the server's own answers need.
"""

from __future__ import annotations

import base64
import json
import re
import struct
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from edge.errors import Overloaded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BOUNDARY = "edge-bench-boundary"
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)
_STATUS = slice(9, 12)  # of "HTTP/1.1 200 OK"

# RFC 6455, section 5.2
_BINARY = 0x82  # a final frame of binary data
_TEXT = 0x81  # a final frame of text
_MASKED = 0x80
_ZERO_MASK = bytes(4)  # a client must mask; with zeros the payload stays as it is
_LENGTH_16, _LENGTH_64 = 126, 127

Answer = tuple[int, int]
"""Status, and the number of bytes that the answer takes in what was received."""


class Entrance(StrEnum):
    """A way to send a frame."""

    RAW = "raw"
    """`POST /predict`, the frame as body."""
    MULTIPART = "multipart"
    """`POST /predict`, the frame in a form, as `curl -F image=@frame.jpg` sends it."""
    STREAM = "stream"
    """`WS /stream`, a frame in each message; the next one follows the answer."""
    TF_SERVING = "tf_serving"
    """`POST /v1/models/NAME:predict`, the frame as base64 in JSON."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a connection sends, and how it reads what comes back.

    Attributes:
        requests: a frame each.
        read: the first answer in the bytes received, or ``None`` if it is not complete; 0 bytes
            were no answer to a frame and are skipped.
        greeting: sent once when a connection opens, and answered with status 101; may be empty.
    """

    requests: Sequence[bytes]
    read: Callable[[bytes], Answer | None]
    greeting: bytes = b""


def make_traffic(entrance: Entrance, host: str, model: str, frames: Sequence[bytes]) -> Traffic:
    """Build the requests of an entrance.

    Args:
        host: with port, for the `Host` header.
        model: by which TensorFlow Serving's entrance calls it; the others use the default model.
        frames: JPEGs.
    """
    if entrance is Entrance.STREAM:
        return Traffic([_message(frame) for frame in frames], read_message, _upgrade(host))
    path, content_type = "/predict", "image/jpeg"
    bodies = frames
    if entrance is Entrance.MULTIPART:
        content_type = f"multipart/form-data; boundary={_BOUNDARY}"
        bodies = [_form(frame) for frame in frames]
    elif entrance is Entrance.TF_SERVING:
        path = f"/v1/models/{quote(model, safe='')}:predict"
        content_type = "application/json"
        bodies = [_instances(frame) for frame in frames]
    return Traffic([_post(host, path, content_type, body) for body in bodies], read_http)


def read_http(received: bytes) -> Answer | None:
    """Read the first HTTP/1.1 answer."""
    end = received.find(_HEAD_END)
    if end < 0:
        return None
    found = _LENGTH.search(received, 0, end + 2)
    length = int(found[1]) if found else 0
    size = end + len(_HEAD_END) + length
    return (int(received[_STATUS]), size) if len(received) >= size else None


def read_message(received: bytes) -> Answer | None:
    """Parse the first WebSocket frame: text is an answer, all else (a ping) has status 0."""
    head = 2
    if len(received) < head:
        return None
    length = received[1]
    if length in {_LENGTH_16, _LENGTH_64}:
        layout = ">H" if length == _LENGTH_16 else ">Q"
        head += struct.calcsize(layout)
        if len(received) < head:
            return None
        (length,) = struct.unpack_from(layout, received, 2)
    size = head + length
    if len(received) < size:
        return None
    if received[0] != _TEXT:
        return 0, size
    return _status_of(received[head:size]), size


def _status_of(text: bytes) -> int:
    """The HTTP status that stands for a stream's answer."""
    error = json.loads(text).get("error")
    if error is None:
        return HTTPStatus.OK
    is_refusal = error["code"] == Overloaded.code
    return HTTPStatus.SERVICE_UNAVAILABLE if is_refusal else HTTPStatus.INTERNAL_SERVER_ERROR


def _post(host: str, path: str, content_type: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _form(frame: bytes) -> bytes:
    head = (
        f"--{_BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="image"; filename="frame.jpg"\r\n'
        "Content-Type: image/jpeg\r\n\r\n"
    )
    return head.encode() + frame + f"\r\n--{_BOUNDARY}--\r\n".encode()


def _instances(frame: bytes) -> bytes:
    image = {"b64": base64.b64encode(frame).decode()}
    return json.dumps({"instances": [{"image_bytes": image, "key": "0"}]}).encode()


def _upgrade(host: str) -> bytes:
    key = base64.b64encode(bytes(16)).decode()  # any 16 bytes
    return (
        f"GET /stream HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    ).encode()


def _message(frame: bytes) -> bytes:
    length = len(frame)
    if length < _LENGTH_16:
        head = struct.pack(">BB", _BINARY, _MASKED | length)
    elif length < 1 << 16:
        head = struct.pack(">BBH", _BINARY, _MASKED | _LENGTH_16, length)
    else:
        head = struct.pack(">BBQ", _BINARY, _MASKED | _LENGTH_64, length)
    return head + _ZERO_MASK + frame

"""HTTP by hand over a socket, for requests that a well-behaved client does not send."""

import json
import socket
import ssl
from dataclasses import dataclass
from typing import Any, Self

WEBSOCKET_HANDSHAKE = (
    b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
"""The head with which a client opens a stream."""


def open_stream(address: tuple[str, int], timeout: float = 60) -> socket.socket:
    """A stream whose handshake is done, for frames that a well-behaved client does not send."""
    stream = socket.create_connection(address, timeout)
    stream.sendall(WEBSOCKET_HANDSHAKE)
    answer = b""
    while b"\r\n\r\n" not in answer:
        answer += stream.recv(4096)
    assert answer.startswith(b"HTTP/1.1 101 "), answer
    return stream


@dataclass
class Reply:
    """A response as it came over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The error's code, as the camera door tells it."""
        return str(self.json()["error"]["code"])


class RawConnection:
    """A connection that sends exactly the bytes it is told to."""

    def __init__(
        self, address: tuple[str, int], timeout: float = 30, tls: ssl.SSLContext | None = None
    ) -> None:
        self._socket = socket.create_connection(address, timeout)
        if tls is not None:
            self._socket = tls.wrap_socket(self._socket, server_hostname=address[0])
        self._received = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._received.close()
        self._socket.close()

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def post_head(self, path: str, *headers: str) -> None:
        """The head of a POST, and no body yet."""
        lines = [f"POST {path} HTTP/1.1", "Host: localhost", *headers, "", ""]
        self.send("\r\n".join(lines).encode())

    def hold_place(self, path: str, length: int) -> None:
        """The head of a POST; returns once the service has admitted it and waits for its body."""
        self.post_head(path, f"Content-Length: {length}", "Expect: 100-continue")
        assert self._received.readline() == b"HTTP/1.1 100 Continue\r\n"
        assert self._received.readline() == b"\r\n"

    def reply(self, *, to_head: bool = False) -> Reply:
        """The next response; one to HEAD has no body whatever its length says."""
        status = self._received.readline()
        assert status, "the server closed the connection without an answer"
        headers = {}
        while line := self._received.readline().strip():
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        length = 0 if to_head else int(headers.get("content-length", 0))
        return Reply(int(status.split()[1]), headers, self._received.read(length))

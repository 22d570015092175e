"""Odd requests at every route: numbers, hosts, paths and headers that nobody sends.

Bounds: each is answered with a documented error (never 500) and leaves no stack trace in the log;
the camera beside is served all the while.
"""

import json
import socket

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving.process import Server

from attacks.victim import attack

pytestmark = pytest.mark.slow

DIGITS = "9" * 5_000
GETS = [
    "/", "/health/live", "/health/ready", "/models", "/metrics", "/session", "/pair/info",
    "/pair/qr.svg", "/pair/ca.crt", "/wall/phone", "/wall/phone.svg", "/v1/models/imagenet",
    "/v1/models/imagenet/metadata", f"/v1/models/imagenet/versions/{DIGITS}", "/static/x",
    f"/wall/pictures/{DIGITS}.jpg", "/wall/pictures/-1.jpg", "/wall/pictures/%D9%A3.jpg",
    "/wall/pictures/1e9.jpg", "/nothing/", "/docs", "/openapi.json", "/outbox?limit=x",
]  # fmt: skip
POSTS = [
    f"/predict?top_k={DIGITS}", f"/predict?deadline_ms={DIGITS}", f"/predict?threshold={DIGITS}",
    "/predict?threshold=nan", "/predict?threshold=1e999", f"/predict/{'m' * 5_000}",
    "/v1/models/imagenet:predict", "/phone/picture", "/wall/clear", "/login", "/logout",
]  # fmt: skip
HOSTS = [
    "h" * 60_000, "[", "[::1", "a:99999999", f"a:{DIGITS}", "a:b", "a@b", "http://[", "\xff", "a b",
    "[::1]:1", "a:-1", "%00", "a/b", "a?b#c",
]  # fmt: skip
ANSWERED = {200, 304, 307, 303, 400, 401, 403, 404, 405, 408, 413, 415, 421, 431, 501, 503, 504}
"""All but 500; 0 is a connection that was cut, which the head's own bounds may do."""


def status(address: tuple[str, int], request: bytes) -> int:
    """The status of the answer; 0 if the connection was cut without one."""
    try:
        with socket.create_connection(address, timeout=30) as connection:
            connection.sendall(request)
            reply = connection.recv(65_536)
    except (BrokenPipeError, ConnectionResetError):
        return 0
    return int(reply[9:12]) if reply else 0


def head(method: str, path: str, host: str, more: str = "") -> bytes:
    text = f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{more}\r\n"
    return text.encode("latin-1")


def test_no_number_and_no_host_is_a_fault_of_the_service(server: Server) -> None:
    own = f"{server.address[0]}:{server.address[1]}"
    with attack(server) as attacked:
        for path in GETS:
            for host in (own, *HOSTS):
                found = status(server.address, head("GET", path, host))
                assert found in ANSWERED | {0}, (path[:60], host[:30], found)
        for path in POSTS:
            for length in ("0", DIGITS, "-1", "1e3", "\xb2"):
                request = head("POST", path, own, f"Content-Length: {length}\r\n")
                found = status(server.address, request)
                assert found in ANSWERED | {0}, (path[:60], length[:30], found)
    assert attacked.camera.all_answered
    assert attacked.camera.longest < 10
    assert attacked.grown_mib < 100
    assert "Traceback" not in server.log


QUERIES = st.dictionaries(
    st.sampled_from(["model", "top_k", "threshold", "deadline_ms", "fallback", "camera", "pass"]),
    st.one_of(st.text(max_size=40), st.integers().map(str), st.floats().map(str)),
)


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH", "TRACE"]),
    path=st.sampled_from([path.split("?")[0] for path in (*GETS, *POSTS)]),
    query=QUERIES,
    headers=st.dictionaries(
        st.sampled_from(["Origin", "Content-Type", "Accept", "Cookie", "X-API-Key", "Referer"]),
        st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=40),
    ),
    body=st.one_of(st.binary(max_size=200), st.just(b'{"instances": [1]}')),
)
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_request_is_a_fault_of_the_service(
    server: Server, method: str, path: str, query: dict, headers: dict, body: bytes
) -> None:
    # httpx would mend what is odd about them.
    names = "".join(f"{name}: {value.strip()}\r\n" for name, value in headers.items())
    length = f"Content-Length: {len(body)}\r\n" if method in {"POST", "PUT", "PATCH"} else ""
    text = "&".join(f"{name}={json.dumps(value)[1:-1]}" for name, value in query.items())
    target = f"{path}?{text}".replace(" ", "%20")
    request = head(method, target, "127.0.0.1", names + length) + (body if length else b"")
    assert status(server.address, request) in ANSWERED | {0}

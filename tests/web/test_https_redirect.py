"""Plain HTTP on the port of HTTPS: redirected, within the bounds of every connection."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import time

import httpx
import pytest
from builders.waiting import wait
from serving.pictures import photo
from serving.raw import RawConnection
from serving.secure import SecureServer

from edge.api_key import hash_key, new_key
from edge.settings import Settings
from edge.tls.certificate import certified_names, is_certified
from edge.tls.provisioning import certificate

HEAD_S = 3.0
NOTICED_S = 30.0
"""Within which a limit of `HEAD_S` is noticed, on a machine that has other work too."""
HASTY = f"""
from edge.cli import main
from edge.web.transport import limits
limits.HEAD_S = {HEAD_S}
main()
"""


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    with SecureServer(
        tmp_path_factory.mktemp("data"),
        workers=1,
        tls_names="kiosk.lan",
        allowed_hosts="edge.example.org",
        pairing_port=0,
    ) as running:
        yield running


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A server with a short time for heads."""
    data = tmp_path_factory.mktemp("hasty")
    with SecureServer(data, program=("-c", HASTY), workers=1, pairing_port=0) as running:
        yield running


def port(server) -> int:
    return int(server.url.rpartition(":")[2])


def ask(server, head: bytes):
    with RawConnection(("127.0.0.1", port(server))) as connection:
        connection.send(head)
        return connection.reply()


def get(server, target: str, host: str, method: str = "GET"):
    return ask(server, f"{method} {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode("latin-1"))


@pytest.mark.parametrize(
    ("target", "kept"),
    [
        ("/", "/"),
        ("/kiosk?model=objects&lang=fr", "/kiosk?model=objects&lang=fr"),
        ("/a%20b/%2e%2e/c?x=%0d%0a&y=?z", "/a%20b/%2e%2e/c?x=%0d%0a&y=?z"),
        ("//evil.example/x", "//evil.example/x"),  # a path of ours, behind our own host
        ("/x?", "/x"),
        ("http://localhost/wall?tv=1", "/wall?tv=1"),
    ],
)
def test_a_redirect_keeps_path_query_and_port(secure, target, kept):
    reply = get(secure, target, f"localhost:{port(secure)}")
    assert reply.status == 307
    assert reply.headers["location"] == f"https://localhost:{port(secure)}{kept}"
    assert reply.headers["connection"] == "close"
    assert reply.code == reply.headers["x-edge-error"] == "https_needed"
    assert "strict-transport-security" not in reply.headers


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        ("localhost", "https://localhost"),
        ("LOCALHOST:80", "https://localhost:80"),
        ("127.0.0.1:1234", "https://127.0.0.1:1234"),
        ("[::1]:9", "https://[::1]:9"),
        ("kiosk.lan", "https://kiosk.lan"),
        ("edge.example.org:8501", "https://edge.example.org:8501"),
    ],
)
def test_every_own_host_is_redirected_to_itself(secure, host, origin):
    assert get(secure, "/", host).headers["location"] == f"{origin}/"


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "localhost@evil.example",
        "localhost/evil.example",
        "localhost, evil.example",
        "localhost:99999",
        "localhost:80:80",
        "[::1",
        "",
        "*",
        "x" * 300,
        "evil\u00e9.example",
    ],
)
def test_a_host_that_is_malformed_or_not_ours_is_refused_and_not_echoed(secure, host):
    reply = get(secure, "/secret-path", host)
    assert (reply.status, reply.code) == (400, "bad_request")
    assert "location" not in reply.headers
    assert b"evil" not in reply.body
    assert b"secret-path" not in reply.body


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n",
        b"CONNECT localhost:443 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: \x00\r\n\r\n",
        b"HELO example.org\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_good_request_is_refused(secure, head):
    reply = ask(secure, head)
    assert (reply.status, reply.code) == (400, "bad_request")
    assert "location" not in reply.headers


def test_heads_keep_to_the_bounds_of_every_connection(secure):
    assert get(secure, "/" + "x" * 9_000, "localhost").code == "url_too_long"
    endless = b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X-Junk: 0123456789\r\n" * 4_000
    with RawConnection(("127.0.0.1", port(secure))) as connection:
        with contextlib.suppress(OSError):
            connection.send(endless)
        assert connection.reply().code == "head_too_large"


def test_other_methods_keep_theirs_and_a_stream_is_redirected_as_well(secure):
    for method in ("HEAD", "OPTIONS", "DELETE"):
        with RawConnection(("127.0.0.1", port(secure))) as connection:
            connection.send(f"{method} /x HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            assert connection.reply(to_head=method == "HEAD").headers["location"].endswith("/x")
    posted = httpx.post(
        f"http://localhost:{port(secure)}/predict",
        content=photo("coffee"),
        follow_redirects=False,
    )
    assert posted.status_code == 307
    assert posted.headers["location"] == f"https://localhost:{port(secure)}/predict"
    upgrade = (
        b"GET /stream HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
    )
    assert ask(secure, upgrade).headers["location"] == "https://localhost/stream"


def test_a_client_that_follows_gets_the_answer_over_https(secure):
    context = ssl.create_default_context(cafile=str(secure.authority))
    with httpx.Client(verify=context, follow_redirects=True) as client:
        url = f"http://localhost:{port(secure)}/predict?top_k=1"
        reply = client.post(url, content=photo("coffee"))
        assert reply.json()["predictions"][0]["label"] == "espresso"
        assert str(reply.url).startswith("https://")


@pytest.mark.slow
def test_slow_clients_are_cut_in_time_and_others_answered_meanwhile(hasty):
    address = ("127.0.0.1", port(hasty))
    began = time.monotonic()
    silent = [socket.create_connection(address, 30) for _ in range(50)]
    halves = [socket.create_connection(address, 30) for _ in range(50)]
    for one in halves:
        one.sendall(b"G")
    garbage = socket.create_connection(address, 30)
    garbage.sendall(b"\x80\x01\x02")
    assert hasty.client.get("/health/live").status_code == 200
    assert get(hasty, "/", "localhost").status == 307
    for one in silent:
        with contextlib.suppress(ConnectionResetError):
            assert one.recv(1) == b""
    for one in halves:
        assert one.recv(4_096).startswith(b"HTTP/1.1 408 ")
    with contextlib.suppress(ConnectionResetError):
        while garbage.recv(4_096):
            pass
    assert time.monotonic() - began < NOTICED_S + HEAD_S
    for one in (*silent, *halves, garbage):
        one.close()
    wait(lambda: open_connections(hasty) <= 2, seconds=NOTICED_S)


def open_connections(server) -> float:
    text = server.client.get("/metrics").text
    (line,) = [one for one in text.splitlines() if one.startswith("edge_connections ")]
    return float(line.split()[1])


def test_a_client_that_leaves_before_its_first_byte_leaves_nothing(secure):
    for _ in range(20):
        socket.create_connection(("127.0.0.1", port(secure))).close()
    wait(lambda: open_connections(secure) <= 2, seconds=NOTICED_S)
    assert secure.client.get("/health/live").status_code == 200


def test_with_keys_only_own_hosts_and_those_of_the_certificate_are_redirected(tmp_path):
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    names = "subjectAltName=DNS:edge.example.com,DNS:*.sites.example.com"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2"
    subprocess.run(
        [*command.split(), "-subj", "/CN=edge", "-addext", names, "-keyout", key, "-out", cert],
        check=True,
        capture_output=True,
    )
    api_keys = f'{{"one": {{"hash": "{hash_key(new_key())}", "scopes": ["admin"]}}}}'
    with SecureServer(
        tmp_path / "data", workers=1, tls_cert=cert, tls_key=key, api_keys=api_keys, ready=False
    ) as server:
        good = ["localhost", "edge.example.com", "A.sites.example.com:8443"]
        bad = ["evil.example", "sites.example.com", "a.b.sites.example.com", "x.example.com"]
        assert [get(server, "/", host).status for host in good] == [307] * len(good)
        assert [get(server, "/", host).status for host in bad] == [400] * len(bad)


def test_the_names_of_a_certificate_are_read_from_its_file(tmp_path):
    made = certificate(Settings(data=tmp_path, tls=True, tls_names="camera.lan, 192.168.7.7"))
    names = certified_names(made.chain)
    assert {"camera.lan", "192.168.7.7", "localhost"} <= names
    assert is_certified("camera.lan", names)
    assert not is_certified("lan", names)
    assert not is_certified("a.camera.lan", names)
    assert is_certified("a.b", {"*.b"})
    assert not is_certified("b", {"*.b"})
    assert not is_certified("a.a.b", {"*.b"})


def test_the_plain_port_is_no_redirect_where_there_is_no_tls(server):
    reply = httpx.get(f"{server.url}/health/live", follow_redirects=False)
    assert reply.status_code == 200

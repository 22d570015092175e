"""Pages of other sites, rebound names, forged forwarding headers, and commands for a terminal.

Bounds: no foreign page and no foreign name reaches a model, with or without another origin; nobody
is believed whom the owner does not trust; the camera beside every attack is answered, and the
server grows by less than 64 MiB. A refusal costs no more than its headers, so none is cut.
"""

import base64
import json
import socket
from dataclasses import replace

import httpx
import pytest
from builders.outbox import frame
from serving.process import Server, run_edge
from serving.raw import RawConnection, Reply

from attacks.victim import attack
from edge.outbox.encryption import NoEncryption
from edge.outbox.space import Quota
from edge.outbox.store import Store

pytestmark = pytest.mark.slow

DOORS = ("/predict", "/predict/objects", "/v1/models/imagenet:predict", "/phone/picture",
         "/wall/clear", "/login", "/logout")  # fmt: skip
REBOUND = ("evil.example", "evil.example:8501", "localhost.evil.example", "edge", "192.0.2.1")
FOREIGN = ("https://evil.example", "http://localhost:3000", "null", "http://[", "")
CROSS_SITE = ("Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site")
UPGRADE = ("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13",
           "Sec-WebSocket-Key: " + base64.b64encode(b"0123456789abcdef").decode())  # fmt: skip
MAX_GROWN_MIB = 64


def ask(server: Server, method: str, path: str, host: str, *headers: str) -> Reply:
    """One request on a connection of its own, its head exactly as given."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Content-Length: 0", *headers, "", ""]
    with RawConnection(server.address) as connection:
        connection.send("\r\n".join(lines).encode("latin-1"))
        return connection.reply()


def test_a_name_that_was_rebound_to_this_machine_opens_no_door(server: Server) -> None:
    with attack(server) as rebinding:
        for host in REBOUND:
            for path in ("/", "/kiosk", "/models", "/wall/events", "/metrics", "/openapi.json"):
                reply = ask(server, "GET", path, host)
                assert (reply.status, reply.code) == (421, "unknown_host"), (host, path)
            for path in DOORS:
                own = f"Origin: http://{host}"
                assert ask(server, "POST", path, host, own).status == 421, (host, path)
            assert ask(server, "GET", "/stream", host, *UPGRADE).status == 421
    assert rebinding.camera.all_answered
    assert rebinding.grown_mib < MAX_GROWN_MIB


def test_a_page_of_another_site_reaches_no_model(server: Server) -> None:
    host = f"localhost:{server.address[1]}"
    with attack(server) as crossing:
        for path in DOORS:
            for page in (*(f"Origin: {origin}" for origin in FOREIGN), *CROSS_SITE):
                reply = ask(server, "POST", path, host, page)
                code = reply.headers["x-edge-error"]
                assert (reply.status, code) == (403, "foreign_page"), (path, page)
                assert "access-control-allow-origin" not in reply.headers
        for page in FOREIGN:
            reply = ask(server, "GET", "/stream", host, *UPGRADE, f"Origin: {page}")
            assert (reply.status, reply.code) == (403, "foreign_page")
            wanted = "Access-Control-Request-Method: POST"
            assert ask(server, "OPTIONS", "/predict", host, f"Origin: {page}", wanted).status == 403
    assert crossing.camera.all_answered
    assert crossing.grown_mib < MAX_GROWN_MIB
    assert "Traceback" not in server.log


def test_malformed_hosts_and_origins_are_the_client_s_fault_and_no_stack_trace(
    server: Server,
) -> None:
    long = "h" * 20_000
    with attack(server) as malformed:
        for host in ("[", "[::1", "a b", "localhost:99999", "user@localhost", long):
            for path in ("/pair/info", "/pair/qr.svg", "/wall/phone.svg", "/nothing", "/predict"):
                reply = ask(server, "GET", path, host)
                assert reply.status == 400, (host[:20], path)
        for origin in ("http://[", "http://[::1", f"http://{long}", "\x80\xff", "://"):
            for path in DOORS:
                assert ask(server, "POST", path, "localhost", f"Origin: {origin}").status == 403
    assert malformed.camera.all_answered
    assert malformed.grown_mib < MAX_GROWN_MIB
    assert "Traceback" not in server.log


def open_stream(server: Server, client: str) -> tuple[socket.socket, int]:
    """Ask for a stream as if through a proxy; returns the connection and the status."""
    port = server.address[1]
    lines = [
        "GET /stream HTTP/1.1",
        f"Host: edge.example.org:{port}",
        *UPGRADE,
        f"X-Forwarded-For: 6.6.6.6, {client}",
        "X-Forwarded-Proto: https",
        "X-Forwarded-Host: edge.example.org:443",
        "Origin: https://edge.example.org",
    ]
    connection = socket.create_connection(server.address, 30)
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return connection, int(connection.recv(4096).split()[1])


def test_clients_behind_a_trusted_proxy_are_counted_apart_and_nobody_else_is_believed() -> None:
    flags = {"workers": 1, "max_streams_per_client": 2, "allowed_hosts": "edge.example.org"}
    with Server(trusted_proxies="127.0.0.0/8", **flags) as behind:
        streams = [open_stream(behind, f"192.0.2.{number}") for number in range(6)]
        assert [status for _, status in streams] == [101] * 6
        streams += [open_stream(behind, "192.0.2.1") for _ in range(2)]
        assert [status for _, status in streams[6:]] == [101, 429]
        for connection, _ in streams:
            connection.close()
    with Server(**flags) as alone:
        for client in ("192.0.2.1", "127.0.0.1"):
            connection, status = open_stream(alone, client)
            connection.close()
            assert status == 403  # its page is of another port, and no proxy says otherwise
        streams = []
        for number in range(4):
            own = f"X-Forwarded-For: 192.0.2.{number}"
            connection = RawConnection(alone.address)
            lines = ["GET /stream HTTP/1.1", "Host: localhost", *UPGRADE, own, "", ""]
            connection.send("\r\n".join(lines).encode())
            streams.append((connection, connection.reply().status))
        assert [status for _, status in streams] == [101, 101, 429, 429]
        for connection, _ in streams:
            connection.__exit__()


def test_a_camera_s_name_commands_no_terminal(server: Server) -> None:
    steal = "%1b]52;c;ZXZpbA==%07"
    with attack(server) as commanding:
        for path in ("/predict", "/predict/objects"):
            for name in (steal, "%c2%9b31m", "a%0ab", "%e2%80%aea", "%7f", "%e2%80%a8"):
                reply = ask(server, "POST", f"{path}?camera={name}", "localhost")
                assert (reply.status, reply.code) == (400, "bad_request")
                assert reply.json()["error"]["message"].isprintable()
        stream = ask(server, "GET", f"/stream?camera={steal}", "localhost", *UPGRADE)
        assert (stream.status, stream.code) == (400, "bad_request")
    assert commanding.camera.all_answered
    assert commanding.grown_mib < MAX_GROWN_MIB


def test_what_an_older_outbox_holds_commands_no_terminal(tmp_path) -> None:
    command = "\x1b]52;c;ZXZpbA==\x07\x9b31m\u202e\n"
    store = Store(tmp_path, Quota(1 << 24, 10, 1e6), NoEncryption(), keep_images=True,
                  deliver=False, create=True)  # fmt: skip
    item = {"label": command, "index": 0, "score": 1.0}
    store.put([replace(frame("a"), camera=command, label=command, items=[item])])
    store.close()
    for more in ((), ("--json",)):
        listed = run_edge("outbox", "list", "--outbox-dir", tmp_path, *more)
        assert listed.returncode == 0, listed.stderr
        assert listed.stdout.replace("\n", "").isprintable()
    entry = json.loads(listed.stdout)
    assert entry["camera"] == command  # a program reads the same text
    shown = run_edge("outbox", "show", entry["key"], "--outbox-dir", tmp_path).stdout
    assert shown.replace("\n", "").isprintable()
    photo = tmp_path / "\x1b]52;c;eA==\x07.jpg"
    photo.write_bytes(b"no picture")
    for more in ((), ("--json",)):
        done = run_edge("predict", photo, *more)
        # The tabs between the fields are the command's own; one of a name is escaped.
        printed = (done.stdout + done.stderr).replace("\n", "").replace("\t", "")
        assert printed.isprintable()


def test_a_listed_page_uses_the_service_and_no_other_does() -> None:
    with Server(workers=1, allowed_origins="https://shop.example.org") as server:
        page = {"Origin": "https://shop.example.org"}
        reply = httpx.post(f"{server.url}/predict", content=b"no picture", headers=page)
        assert reply.status_code == 415
        assert reply.headers["access-control-allow-origin"] == page["Origin"]
        other = httpx.post(f"{server.url}/predict", headers={"Origin": "https://evil.example"})
        assert (other.status_code, other.headers["vary"]) == (403, "Origin")
        stream = ask(server, "GET", "/stream", "localhost", *UPGRADE, f"Origin: {page['Origin']}")
        assert stream.status == 101

"""The addresses at which the service listens, and the URL that it prints for them."""

import socket
import ssl

import httpx
import pytest
from serving.process import Server, run_edge
from serving.secure import SecureServer

from edge.settings import Settings
from edge.web import server


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


def reached(url: str, address: str) -> bool:
    """Whether the service answers at this address, on the port of its URL."""
    port = url.rpartition(":")[2]
    try:
        return httpx.get(f"http://{address}:{port}/health/live", timeout=30).status_code == 200
    except httpx.ConnectError:
        return False


@needs_ipv6
@pytest.mark.parametrize(
    ("host", "url", "reachable"),
    [
        ("::", "http://localhost", {"127.0.0.1", "[::1]"}),
        ("[::]", "http://localhost", {"127.0.0.1", "[::1]"}),
        ("0:0:0:0:0:0:0:0", "http://localhost", {"127.0.0.1", "[::1]"}),
        ("::1", "http://[::1]", {"[::1]"}),
        ("[::1]", "http://[::1]", {"[::1]"}),
        ("0.0.0.0", "http://localhost", {"127.0.0.1"}),
        ("127.0.0.1", "http://127.0.0.1", {"127.0.0.1"}),
    ],
)
def test_the_url_works_and_the_unspecified_address_of_ipv6_takes_both_families(
    host, url, reachable
):
    with Server("--host", host, "--allow-open", ready=False) as running:
        assert running.url.rpartition(":")[0] == url
        assert httpx.get(f"{running.url}/health/live", timeout=30).status_code == 200
        for address in ("127.0.0.1", "[::1]"):
            assert reached(running.url, address) is (address in reachable), address


@needs_ipv6
def test_over_tls_as_well(tmp_path):
    with SecureServer(tmp_path, "--host", "::", "--allow-open", pairing_port=0) as running:
        port = running.url.rpartition(":")[2]
        trusting = ssl.create_default_context(cafile=str(running.authority))
        for address in ("127.0.0.1", "[::1]", "localhost"):
            reply = httpx.get(f"https://{address}:{port}/health/live", verify=trusting)
            assert reply.status_code == 200


@needs_ipv6
def test_where_the_system_cannot_take_both_the_url_says_which_family(monkeypatch):
    monkeypatch.setattr(socket, "has_dualstack_ipv6", lambda: False)
    listener = server._listen("::", 0)
    with listener:
        port = listener.getsockname()[1]
        assert server._url(listener, "http") == f"http://[::1]:{port}"
        assert listener.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)


@pytest.mark.parametrize("host", ["[::1", "no-such-host.invalid"])
def test_an_invalid_host_is_explained_in_one_sentence(host):
    refused = run_edge("serve", "--host", host, "--allow-open", "--port", 0)
    assert refused.returncode == 2
    last_line = refused.stderr.splitlines()[-1]
    assert last_line.startswith("edge: Cannot listen on ")
    assert "--host" in last_line
    assert "Traceback" not in refused.stderr


def test_an_open_address_of_either_family_needs_a_key():
    for host in ("::", "[::]", "0.0.0.0"):
        refused = run_edge("serve", "--host", host, "--port", 0)
        assert refused.returncode == 2
        assert "--allow-open" in refused.stderr


def test_brackets_around_an_address_are_taken_off():
    assert Settings(host="[::]").host == "::"
    assert Settings(host="[fd00::1]").host == "fd00::1"

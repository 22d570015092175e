"""Under which names others reach this machine."""

import socket

import pytest
from starlette.requests import HTTPConnection

from edge.web.addresses import is_loopback, machine_addresses, machine_names, public_host


@pytest.mark.parametrize("host", ["localhost", "kiosk.localhost", "127.0.0.1", "127.8.9.10", "::1", "[::1]"])
def test_this_machine_alone_reaches_loopback(host):
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "10.0.0.1", "localhost.example.com", "localhosts", "mylocalhost", "fd00::1", "edge.local", ""],
)
def test_all_else_is_no_loopback(host):
    assert not is_loopback(host)


def connection(host: str) -> HTTPConnection:
    return HTTPConnection({"type": "http", "scheme": "http", "path": "/", "headers": [(b"host", host.encode())]})


@pytest.mark.parametrize(
    ("host", "named", "expected"),
    [
        ("10.1.2.3:8501", None, "10.1.2.3"),
        ("10.1.2.3:8501", "kiosk.lan", "10.1.2.3"),
        ("[fd00::7]:8501", None, "[fd00::7]"),
        ("edge.local", None, "edge.local"),
        ("localhost:8501", "kiosk.lan", "kiosk.lan"),
        ("127.0.0.1:8501", " kiosk.lan , b.lan", "kiosk.lan"),
        ("[::1]:8501", "kiosk.lan", "kiosk.lan"),
    ],
)
def test_a_phone_is_sent_to_the_host_that_was_asked_or_else_to_a_name_that_is_no_loopback(host, named, expected):
    assert public_host(connection(host), named) == expected


def test_without_a_name_a_phone_is_sent_to_the_machine_s_address():
    first = next(iter(machine_addresses()), None)
    expected = f"[{first}]" if first is not None and first.version == 6 else first and str(first)
    assert public_host(connection("localhost")) == expected


def test_addresses_are_such_as_others_reach_each_once():
    found = machine_addresses()
    assert len(set(found)) == len(found)
    assert [one for one in found if one.is_loopback or one.is_link_local or one.is_unspecified] == []


def test_the_machine_is_known_by_its_name_and_by_the_one_that_mdns_announces():
    name = socket.gethostname().lower().rstrip(".")
    if name == "localhost":
        assert machine_names() == []
    else:
        assert machine_names()[0] == name
        assert machine_names()[-1] == (name if name.endswith(".local") else f"{name.split('.')[0]}.local")

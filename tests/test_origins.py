"""Hosts and origins as they come in headers, and which page belongs to which host."""

import pytest

from edge.origins import Host, Origin, is_same_origin, parse_host, parse_origin

HOSTS = {
    "localhost": Host("localhost", None),
    "LocalHost:8501": Host("localhost", 8501),
    "edge.example.org.:443": Host("edge.example.org", 443),
    "127.0.0.1:": Host("127.0.0.1", None),
    "[::1]:8501": Host("::1", 8501),
    "[0:0:0:0:0:0:0:1]": Host("::1", None),
    "my_service": Host("my_service", None),
}
NO_HOSTS = [
    *("", ".", ":80", "[", "[]", "[::1", "::1", "[1.2.3.4]", "a:b", "a:65536", "a:-1", "a:1:2"),
    *("a b", "a\tb", "a/b", "user@a", "a?b", "a#b", "a,b", "a%2e", "t\xfcr", "a\x00", "a" * 256),
]


@pytest.mark.parametrize("text", HOSTS)
def test_a_host_has_a_name_and_perhaps_a_port(text):
    assert parse_host(text) == HOSTS[text]


@pytest.mark.parametrize("text", NO_HOSTS)
def test_a_malformed_host_is_none(text):
    assert parse_host(text) is None
    assert parse_origin(f"http://{text}") is None


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://Shop.example", Origin("https", "shop.example", 443)),
        ("http://shop.example", Origin("http", "shop.example", 80)),
        ("http://[::1]:3000", Origin("http", "::1", 3000)),
        ("capacitor://localhost", Origin("capacitor", "localhost", None)),
        ("chrome-extension://abc", Origin("chrome-extension", "abc", None)),
    ],
)
def test_an_origin_has_the_port_of_its_scheme(text, origin):
    assert parse_origin(text) == origin


@pytest.mark.parametrize(
    "text",
    ["", "null", "shop.example", "http://a/", "http://a/b", "http://a?b", "://a", "1://a",
     "http://a, http://b", "http://a http://b", "http:/a", "http://a" + "b" * 70_000],
    ids=lambda text: text[:20],
)  # fmt: skip
def test_a_malformed_origin_is_none(text):
    assert parse_origin(text) is None


@pytest.mark.parametrize(
    ("origin", "scheme", "host", "same"),
    [
        ("http://edge.lan:8501", "http", "edge.lan:8501", True),
        ("http://EDGE.lan:8501", "ws", "edge.LAN:8501", True),
        ("http://edge.lan", "http", "edge.lan", True),
        ("http://edge.lan", "http", "edge.lan:80", True),
        ("https://edge.lan", "https", "edge.lan", True),
        ("https://edge.lan", "https", "edge.lan:443", True),
        ("https://edge.lan", "wss", "edge.lan:443", True),
        ("https://edge.lan:443", "https", "edge.lan", True),
        ("https://[::1]:8501", "https", "[0::1]:8501", True),
        # A proxy ends TLS, and is not among those that are trusted.
        ("https://edge.lan", "http", "edge.lan", True),
        ("https://edge.lan", "ws", "edge.lan:443", True),
        ("https://edge.lan:8443", "http", "edge.lan:8443", True),
        # Another scheme where ours is known, another port, another name.
        ("http://edge.lan", "https", "edge.lan", False),
        ("http://edge.lan:443", "wss", "edge.lan:443", False),
        ("https://edge.lan", "http", "edge.lan:80", False),
        ("https://edge.lan", "http", "edge.lan:8501", False),
        ("http://edge.lan:3000", "http", "edge.lan:8501", False),
        ("http://edge.lan", "http", "edge.lan:8501", False),
        ("http://edge.lan.evil.example", "http", "edge.lan", False),
        ("http://evil.example", "http", "edge.lan", False),
        ("capacitor://edge.lan", "http", "edge.lan", False),
        ("ftp://edge.lan:80", "http", "edge.lan:80", False),
    ],
)
def test_a_page_belongs_to_the_host_that_it_came_from(origin, scheme, host, same):
    assert is_same_origin(parse_origin(origin), scheme, parse_host(host)) is same

"""The server over HTTPS, a free port to give it, and this machine's address on its network."""

import functools
import re
import socket
import ssl
from pathlib import Path
from typing import Any

import httpx

from edge.web.addresses import machine_addresses
from serving.process import Server

LAN = next((str(address) for address in machine_addresses() if address.version == 4), None)
"""An IPv4 address of this machine that is no loopback; ``None`` where it has none."""


class SecureServer(Server):
    """As `Server`, over HTTPS; its client trusts the authority in the data folder."""

    def __init__(self, data: Path, *flags: object, **options: Any) -> None:
        self.authority = data / "tls" / "ca.pem"
        super().__init__("--tls", "--data", data, *flags, **options)

    @functools.cached_property
    def client(self) -> httpx.Client:
        context = ssl.create_default_context(cafile=str(self.authority))
        return httpx.Client(base_url=self.url, timeout=60, verify=context)

    def _listening(self) -> str:
        assert self.process.stdout
        for line in self.process.stdout:
            if found := re.search(r" on (https://\S+)", line):
                return found[1]
        raise AssertionError(f"it ended with {self.ended()}: {self.log}")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]

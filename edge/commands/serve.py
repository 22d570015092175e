"""`edge serve`: runs the service over HTTP until it is stopped."""

from __future__ import annotations

import logging
import sys
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import click

from edge import logs
from edge.dataplane.answer import BUILTIN_NOTICE
from edge.environment import service_links
from edge.printable import escape
from edge.tls.addresses import in_container_network, is_loopback, machine_addresses
from edge.web.pages.qr import qr_terminal
from edge.web.server import serve
from edge.wiring.bootstrap import build_repository, build_serving_service
from edge.wiring.limits import fit_to_memory

if TYPE_CHECKING:
    from edge.repository.repository import ModelRepository
    from edge.settings import Settings

_log = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Serve; returns when every accepted request has been answered."""
    logs.configure(settings.log_level, settings.log_format)
    if links := service_links():
        _log.info("ignored variables of a Kubernetes service, not settings: %s", ", ".join(links))
    repository = build_repository(settings)
    settings = fit_to_memory(settings, repository)
    service = build_serving_service(settings, repository)

    def announce(url: str, settings: Settings) -> None:
        if _is_open(settings):
            _log.warning("%s", _access(settings))
        if settings.log_format == "json":
            _log.info("edge serves %s on %s", _names(repository), url)
            if not _is_open(settings):
                _log.info("%s", _access(settings))
            return
        click.echo(escape(f"edge serves {_names(repository)} on {url}"))
        if not _is_open(settings):
            click.echo(escape(_access(settings)))
        click.echo(
            f"Try: curl --data-binary @photo.jpg {url}/predict, or {url}/kiosk in a browser."
        )
        if settings.pairing_port and not is_loopback(settings.host):
            _show_pairing(settings)

    serve(service, settings, on_listening=announce)


def _access(settings: Settings) -> str:
    """Say in a sentence who can use the service."""
    if settings.api_keys:
        names = ", ".join(sorted(settings.api_keys))
        return f"API keys: {names}. Requests without a valid key are refused."
    if is_loopback(settings.host):
        return "No API keys: it listens on this machine only. `edge key NAME` creates a key."
    return (
        "open to everyone who reaches this address: no API key is set, and allow_open is. "
        "`edge key NAME` makes a key; set it as EDGE_API_KEYS"
    )


def _is_open(settings: Settings) -> bool:
    """Whether others than this machine can use the service without a key."""
    return not settings.api_keys and not is_loopback(settings.host)


def _show_pairing(settings: Settings) -> None:
    """Print where phones pair with this machine; with a QR code on a terminal."""
    host = (settings.tls_names or "").split(",")[0].strip()
    if not host and in_container_network():
        port = settings.pairing_port
        click.echo(f"Phones and other devices: open http://ADDRESS-OF-THIS-MACHINE:{port}/pair")
        return
    host = host or _ipv4_address() or ""
    if not host:
        return
    url = f"http://{host}:{settings.pairing_port}/pair"
    click.echo(f"Phones and other devices: open {url}")
    if sys.stdout.isatty():
        click.echo(qr_terminal(url))


def _ipv4_address() -> str | None:
    for address in machine_addresses():
        if isinstance(address, IPv4Address):
            return str(address)
    return None


def _names(repository: ModelRepository) -> str:
    if not repository.versions:
        return f"no model ({repository.path} holds none that can be served)"
    names = []
    for version in repository.versions:
        suffix = " by default" if version.name == repository.default else ""
        names.append(f"{version.name} ({version.contract.task}){suffix}")
    prefix = f"{BUILTIN_NOTICE}s " if repository.builtin else ""
    return prefix + ", ".join(names)

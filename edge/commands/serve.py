"""`edge serve`: runs the service over HTTP until it is stopped."""

from __future__ import annotations

import logging
import shlex
import sys
from ipaddress import IPv4Address
from typing import TYPE_CHECKING

import click

from edge import logs
from edge.dataplane.answer import BUILTIN_NOTICE
from edge.environment import service_links
from edge.printable import escape
from edge.tls.addresses import in_container_network, is_loopback, machine_addresses
from edge.tls.provisioning import authority_file, uses_tls
from edge.web.pages.qr import qr_terminal
from edge.web.server import serve
from edge.wiring.bootstrap import build_repository, build_serving_service, embedded_models
from edge.wiring.limits import fit_to_memory
from edge.wiring.saved_keys import with_saved_keys

if TYPE_CHECKING:
    from edge.repository.repository import ModelRepository
    from edge.settings import Settings

_log = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Serve; returns when every accepted request has been answered."""
    logs.configure(settings.log_level, settings.log_format)
    if links := service_links():
        _log.info("ignored variables of a Kubernetes service, not settings: %s", ", ".join(links))
    settings = with_saved_keys(settings)
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
        click.echo(f"In a browser: {url}/")
        key_wanted = ", with your key in the variable KEY" if settings.api_keys else ""
        click.echo(f"In a terminal{key_wanted}:\n  {_example(url, settings)}")
        if settings.pairing_port and not is_loopback(settings.host):
            _show_pairing(settings)

    serve(service, settings, on_listening=announce)


def _access(settings: Settings) -> str:
    """Say in a sentence who can use the service."""
    if settings.api_keys:
        names = ", ".join(sorted(settings.api_keys))
        return f"API keys: {names}. Requests without a valid key are refused."
    if is_loopback(settings.host):
        return "No API keys: it listens on this machine only. `edge key NAME --save` makes a key."
    return (
        "open to everyone who reaches this address: no API key is set, and allow_open is. "
        "`edge key NAME --save` makes a key"
    )


def _example(url: str, settings: Settings) -> str:
    """A command that works as it stands, on this machine."""
    words = ["curl"]
    authority = authority_file(settings)
    if authority is not None:
        words.append(f"--cacert {shlex.quote(str(authority.absolute()))}")
    elif uses_tls(settings) and settings.tls_names:  # the owner's certificate names no `localhost`
        name = settings.tls_names.split(",")[0].strip()
        url = f"https://{name}:{settings.port}"
    if settings.api_keys:
        words.append('-H "X-API-Key: $KEY"')
    photo = embedded_models() / "photos" / "coffee.jpg"
    # A container's log is read outside of it, where the photo does not exist.
    shown = str(photo) if photo.is_file() and not in_container_network() else "photo.jpg"
    words.append(f"--data-binary {shlex.quote(f'@{shown}')} {url}/predict")
    return " ".join(words)


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

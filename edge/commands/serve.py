"""`edge serve`: the service over HTTP, until it is told to stop."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import click

from edge import logs
from edge.tls.addresses import is_loopback, machine_addresses
from edge.web.pages.qr import qr_terminal
from edge.web.server import serve
from edge.wiring.bootstrap import build_repository, build_serving_service

if TYPE_CHECKING:
    from edge.repository.repository import ModelRepository
    from edge.settings import Settings

_log = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Serve; returns once everything accepted is answered."""
    logs.configure(settings.log_level, settings.log_format)
    repository = build_repository(settings)
    service = build_serving_service(settings, repository)

    def say(url: str, settings: Settings) -> None:
        if settings.log_format == "json":
            _log.info("edge serves %s on %s", _names(repository), url)
            _log.info("%s", _who(settings))
            return
        click.echo(f"edge serves {_names(repository)} on {url}")
        click.echo(_who(settings))
        click.echo(
            f"Try: curl --data-binary @photo.jpg {url}/predict, or {url}/kiosk in a browser."
        )
        if settings.pairing_port and not is_loopback(settings.host):
            _show_pairing(settings)

    serve(service, settings, on_listening=say)


def _who(settings: Settings) -> str:
    """Who can use the service, in a sentence."""
    if settings.api_keys:
        return f"API keys: {', '.join(sorted(settings.api_keys))}. What is asked without one is refused."
    if is_loopback(settings.host):
        return "No API keys: it listens on this machine only. `edge key NAME` makes a key."
    return (
        "No API keys and allow_open is set: everyone who reaches this address can use the service."
    )


def _show_pairing(settings: Settings) -> None:
    """Where phones learn to trust this machine; as a QR code where somebody looks."""
    named = (settings.tls_names or "").split(",")[0].strip()
    host = named or next((str(one) for one in machine_addresses() if one.version == 4), None)  # noqa: PLR2004 -- IPv4
    if host is None:
        return
    url = f"http://{host}:{settings.pairing_port}/pair"
    click.echo(f"Phones and other devices: open {url}")
    if sys.stdout.isatty():
        click.echo(qr_terminal(url))


def _names(repository: ModelRepository) -> str:
    if not repository.versions:
        return f"no model ({repository.path} holds none that can be served)"
    return ", ".join(
        f"{one.name} ({one.contract.task})"
        + (" by default" if one.name == repository.default else "")
        for one in repository.versions
    )

"""`edge serve`: the service over HTTP, until it is told to stop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from edge import logs
from edge.bootstrap import build_repository, build_service
from edge.web.server import serve

if TYPE_CHECKING:
    from edge.repository.manager import ModelRepository
    from edge.settings import Settings

_log = logging.getLogger(__name__)


def run(settings: Settings) -> None:
    """Serve; returns once everything accepted is answered."""
    logs.configure(settings.log_level, settings.log_format)
    repository = build_repository(settings)
    service = build_service(settings, repository)

    def say(url: str) -> None:
        if settings.log_format == "json":
            _log.info("edge serves %s on %s", _names(repository), url)
            return
        click.echo(f"edge serves {_names(repository)} on {url}")
        click.echo(f"Try: curl --data-binary @photo.jpg {url}/predict")

    serve(service, settings, on_listening=say)


def _names(repository: ModelRepository) -> str:
    if not repository.servables:
        return f"no model ({repository.path} holds none that can be served)"
    return ", ".join(
        f"{one.name} ({one.contract.task})" + (" by default" if one.name == repository.default else "")
        for one in repository.servables
    )

"""`edge serve`: the service over HTTP, until it is told to stop."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import click

from edge.bootstrap import build_repository, serving_service
from edge.web.server import serve

if TYPE_CHECKING:
    from edge.repository.manager import ModelRepository
    from edge.settings import Settings


def run(settings: Settings) -> None:
    """Serve; returns once everything accepted is answered."""
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(message)s")
    for noisy in ("uvicorn.error", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    repository = build_repository(settings)
    service = serving_service(settings, repository)

    def say(url: str) -> None:
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

"""Finds the model that a command line names: a path of an export, or the name of a model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from edge.errors import ModelNotFound, UsageError
from edge.wiring.bootstrap import build_repository

if TYPE_CHECKING:
    from edge.repository.repository import ModelRepository
    from edge.repository.version import ModelVersion
    from edge.settings import Settings


def find_model(
    name: str | None, settings: Settings
) -> tuple[ModelRepository, ModelVersion, Settings]:
    """Find a model, in the repository that it belongs to; a path goes before a name.

    Args:
        name: ``None`` for the default model.
        settings: say where models are found by name.

    Returns:
        The repository, the model in it, and the settings that name the repository.

    Raises:
        ExportError: the export is refused.
        UsageError: there is neither a file nor a model of that name.
    """
    if name is not None and Path(name).exists():
        settings, name = settings.model_copy(update={"models": Path(name)}), None
    repository = build_repository(settings)
    try:
        return repository, repository.find(name), settings
    except ModelNotFound as error:
        reason = f"{error.message} There is no such file or folder either."
        raise UsageError(reason) from error

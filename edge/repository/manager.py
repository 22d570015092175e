"""The models that serve: found, read, loaded beside each other, and looked up by name and version."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edge.errors import ExportError, ModelNotFound, ModelUnavailable
from edge.export.read import read_export
from edge.repository.servable import Servable, State
from edge.repository.source import Source, is_export, scan

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.repository.servable import Decoding

_log = logging.getLogger(__name__)

DEFAULT = "default"
"""The name that always means the default model, as Google's container calls the only one it has."""


class ModelRepository:
    """The models found at a path.

    Attributes:
        path: where they were looked for.
        servables: those that could be read, in the order of their names.
        refused: name to the reason, for those that could not.
    """

    def __init__(
        self, path: Path, servables: Sequence[Servable], refused: dict[str, ExportError], default: str | None = None
    ) -> None:
        self.path = path
        self.servables = list(servables)
        self.refused = refused
        self._by_name = {servable.name: servable for servable in servables}
        self._default = default or self._first_name()
        if self._default is not None and self._default not in self._by_name and self._default not in refused:
            raise ModelNotFound(f"There is no model {default!r} to be the default. {self._known()}")

    def __repr__(self) -> str:
        return f"<ModelRepository {self.path} {self.servables} refused {sorted(self.refused)}>"

    @property
    def default(self) -> str | None:
        """Name of the default model; ``None`` in an empty repository."""
        return self._default

    @property
    def ready(self) -> bool:
        """Whether there are models, every one has run its warm-up, and none was refused."""
        available = all(servable.state is State.AVAILABLE for servable in self.servables)
        return bool(self.servables) and available and not self.refused

    def get(self, name: str | None = None, version: int | None = None) -> Servable:
        """The model to use now.

        Args:
            name: ``None`` and ``default`` mean the default model.
            version: ``None`` means the one that serves.

        Raises:
            ModelNotFound: no such name or version.
            ModelUnavailable: it is loading, or was refused.
        """
        servable = self.find(name, version)
        if servable.state is State.AVAILABLE:
            return servable
        if servable.fault is not None:
            raise _unavailable(servable.name, servable.fault)
        raise ModelUnavailable(f"The model {servable.name} is still loading.")

    def find(self, name: str | None = None, version: int | None = None) -> Servable:
        """As `get`, whatever the model's state."""
        wanted = self._default if name is None or (name == DEFAULT and DEFAULT not in self._by_name) else name
        if wanted is None:
            faults = " ".join(map(str, self.refused.values()))
            raise ModelUnavailable(f"No model serves. {faults or f'{self.path} holds no export.'}")
        if wanted in self.refused:
            raise _unavailable(wanted, self.refused[wanted])
        servable = self._by_name.get(wanted)
        if servable is None:
            raise ModelNotFound(f"There is no model {wanted!r}. {self._known()}")
        if version is not None and version != servable.version:
            raise ModelNotFound(f"The model {wanted} has no version {version}; version {servable.version} serves.")
        return servable

    def load(self, workers: int, decoding: Decoding) -> None:
        """Load all models, the default one first. One that fails is reported in its state; the others go on."""
        for servable in sorted(self.servables, key=lambda one: one.name != self._default):
            try:
                servable.load(workers, decoding)
            except ExportError as error:
                _log.error("model %s is not served: %s", servable.name, error)
            else:
                _log.info("model %s version %d is ready", servable.name, servable.version)

    def _first_name(self) -> str | None:
        names = sorted(self._by_name)
        return DEFAULT if DEFAULT in names else names[0] if names else None

    def _known(self) -> str:
        return f"Known models: {', '.join(sorted(self._by_name)) or 'none'}."


def _unavailable(name: str, fault: ExportError) -> ModelUnavailable:
    error = ModelUnavailable(f"The model {name} is not served. {fault}")
    error.retry_after_s = None  # waiting mends no export
    return error


def open_repository(path: Path, default: str | None = None) -> ModelRepository:
    """Find and read the models at a path. Nothing is loaded yet.

    Raises:
        ExportError: the path is not there, or is itself an export and is refused. In a repository of several, one
            that is refused is kept as such.
        ModelNotFound: no model is called ``default``.
    """
    try:
        alone = path.exists() and is_export(path)
        sources = scan(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    servables, refused = [], {}
    for source in sources:
        try:
            servables.append(_read(source))
        except ExportError as error:
            if alone:
                raise
            _log.error("model %s is not served: %s", source.name, error)
            refused[source.name] = error
    return ModelRepository(path, servables, refused, default)


def _read(source: Source) -> Servable:
    try:
        return Servable(source.name, source.version, read_export(source.path))
    except OSError as error:
        raise _unreadable(source.path, error) from error


def _unreadable(path: Path, error: OSError) -> ExportError:
    """The usual case: a container's user is not the one whose folder was mounted."""
    return ExportError(
        error.filename or path,
        f"it cannot be read here: {error.strerror or error}",
        f"Let the service's user read it, as `chmod -R a+rX` does on the folder that {path} is",
    )

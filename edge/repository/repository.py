"""The models that serve: found, read, loaded side by side, and looked up by name and version."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.errors import ExportError, ModelNotFound, ModelUnavailable
from edge.export.read import read_export
from edge.repository.source import Source, is_export, scan
from edge.repository.version import ModelVersion, VersionState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.runtime.pipeline import DecodeOptions

_log = logging.getLogger(__name__)

DEFAULT = "default"
"""The name that always means the default model, as Google's container calls the only one it has."""


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """What everyone who shows the state of a model asks.

    Attributes:
        version: ``None`` where the export was refused before its version was of any account.
        fault: why it does not serve, in words; ``None`` where it does or will.
    """

    name: str
    version: int | None
    state: VersionState
    fault: str | None


class ModelRepository:
    """The models found at a path.

    Attributes:
        path: where they were looked for.
        versions: those that could be read, in the order of their names.
        refused: name to the reason, for those that could not.
    """

    def __init__(
        self,
        path: Path,
        versions: Sequence[ModelVersion],
        refused: dict[str, ExportError],
        default: str | None = None,
    ) -> None:
        self.path = path
        self.versions = list(versions)
        self.refused = refused
        self._by_name = {version.name: version for version in versions}
        self._default = default or self._first_name()
        known = self._default in self._by_name or self._default in refused
        if self._default is not None and not known:
            raise ModelNotFound(f"There is no model {default!r} to be the default. {self._known()}")

    def __repr__(self) -> str:
        return f"<ModelRepository {self.path} {self.versions} refused {sorted(self.refused)}>"

    @property
    def default(self) -> str | None:
        """Name of the default model; ``None`` in an empty repository."""
        return self._default

    @property
    def ready(self) -> bool:
        """Whether the default model serves and no model is loading.

        A refused model that nobody needs does not make the service unready: it stands in `statuses`.
        """
        loading = {VersionState.START, VersionState.LOADING}
        if self._default is None or any(version.state in loading for version in self.versions):
            return False
        default = self._by_name.get(self._default)
        return default is not None and default.state is VersionState.AVAILABLE

    def statuses(self) -> list[VersionStatus]:
        """The state of every model, those that were refused last."""
        read = [
            VersionStatus(one.name, one.version, one.state, str(one.fault) if one.fault else None)
            for one in self.versions
        ]
        refused = [
            VersionStatus(name, None, VersionState.END, str(fault))
            for name, fault in self.refused.items()
        ]
        return read + refused

    def get(self, name: str | None = None, version: int | None = None) -> ModelVersion:
        """The model to use now.

        Args:
            name: ``None`` and ``default`` mean the default model.
            version: ``None`` means the one that serves.

        Raises:
            ModelNotFound: no such name or version.
            ModelUnavailable: it is loading, or was refused.
        """
        found = self.find(name, version)
        if found.state is VersionState.AVAILABLE:
            return found
        if found.fault is not None:
            raise _unavailable(found.name, found.fault)
        raise ModelUnavailable(f"The model {found.name} is still loading.")

    def find(self, name: str | None = None, version: int | None = None) -> ModelVersion:
        """As `get`, whatever the model's state."""
        wanted = name
        if name is None or (name == DEFAULT and DEFAULT not in self._by_name):
            wanted = self._default
        if wanted is None:
            faults = " ".join(map(str, self.refused.values()))
            raise ModelUnavailable(f"No model serves. {faults or f'{self.path} holds no export.'}")
        if wanted in self.refused:
            raise _unavailable(wanted, self.refused[wanted])
        found = self._by_name.get(wanted)
        if found is None:
            raise ModelNotFound(f"There is no model {wanted!r}. {self._known()}")
        if version is not None and version != found.version:
            raise ModelNotFound(
                f"The model {wanted} has no version {version}; version {found.version} serves."
            )
        return found

    def load(self, workers: int, options: DecodeOptions) -> None:
        """Load all models, the default one first. One that fails reports it in its state; the others go on."""
        for version in sorted(self.versions, key=lambda one: one.name != self._default):
            try:
                version.load(workers, options)
            except ExportError as error:
                _log.error("model %s is not served: %s", version.name, error)
            else:
                _log.info("model %s version %d is ready", version.name, version.version)

    def _first_name(self) -> str | None:
        """The model called ``default``, else the first that could be read."""
        return DEFAULT if DEFAULT in self._by_name else min(self._by_name, default=None)

    def _known(self) -> str:
        return f"Known models: {', '.join(sorted(self._by_name)) or 'none'}."


def _unavailable(name: str, fault: ExportError) -> ModelUnavailable:
    error = ModelUnavailable(f"The model {name} is not served. {fault}")
    error.retry_after_s = None  # waiting does not repair an export
    return error


def open_repository(
    path: Path, default: str | None = None, *, keep_refused: bool = False
) -> ModelRepository:
    """Find and read the models at a path. Nothing is loaded yet.

    Args:
        path: an export, or a folder of several.
        default: name of the default model; the first one that could be read if ``None``.
        keep_refused: also keep a refused export as such where it is the only one, so that a service
            started by a machine stays up to say what is wrong instead of ending in a restart loop.

    Raises:
        ExportError: the path is not there, or is itself an export and is refused. In a repository
            of several, one that is refused is kept as such.
        ModelNotFound: no model is called ``default``.
    """
    try:
        alone = path.exists() and is_export(path)
        sources = scan(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    versions, refused = [], {}
    for source in sources:
        try:
            versions.append(_read(source))
        except ExportError as error:
            if alone and not keep_refused:
                raise
            _log.error("model %s is not served: %s", source.name, error)
            refused[source.name] = error
    return ModelRepository(path, versions, refused, default)


def _read(source: Source) -> ModelVersion:
    try:
        return ModelVersion(source.name, source.version, read_export(source.path))
    except OSError as error:
        raise _unreadable(source.path, error) from error


def _unreadable(path: Path, error: OSError) -> ExportError:
    """The usual case: a container's user is not the one whose folder was mounted."""
    return ExportError(
        error.filename or path,
        f"it cannot be read here: {error.strerror or error}",
        f"Let the service's user read it, as `chmod -R a+rX` does on the folder that {path} is",
    )

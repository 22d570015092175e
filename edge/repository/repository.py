"""The model repository: finds, reads and loads models, and looks them up by name and version."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError, ModelNotFound, ModelUnavailable
from edge.export.read import read_export
from edge.repository.source import Source, is_export, scan
from edge.repository.version import ModelVersion, VersionState

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.export.read import Export
    from edge.model.prediction import Selection
    from edge.repository.version import ModelRef
    from edge.runtime.pipeline import DecodeOptions
    from edge.runtime.proof import Prover

_log = logging.getLogger(__name__)

DEFAULT = "default"
"""The name that always means the default model: Google's container gives it to its only model."""

_PROOFS_AT_ONCE: Final = 2
"""One is tried while another is opened, and one that hangs leaves room for the others."""

_PATIENCE_S: Final = 2.0
"""After which a model whose proof takes longer lets the others go first."""


@dataclass(frozen=True, slots=True)
class VersionStatus:
    """The state of one model, for readiness, status pages and metrics.

    Attributes:
        version: ``None`` for an export that was refused when it was read.
        fault: why the model does not serve; ``None`` if it serves or is still to be loaded.
    """

    name: str
    version: int | None
    state: VersionState
    fault: str | None


class ModelRepository:
    """The models found at a path.

    Attributes:
        path: the export or folder that was searched.
        versions: the models that could be read, sorted by name.
        refused: name to the reason, for the models that could not be read.
    """

    def __init__(
        self,
        path: Path,
        versions: Sequence[ModelVersion],
        refused: dict[str, ExportError],
        default: str | None = None,
        prover: Prover | None = None,
    ) -> None:
        self.path = path
        self.versions = list(versions)
        self.refused = refused
        self._by_name = {version.name: version for version in versions}
        self._prover = prover
        self._stopping = False
        self._default = default or self._first_name()
        known = self._default in self._by_name or self._default in refused
        if self._default is not None and not known:
            raise ModelNotFound(f"There is no model {default!r} to be the default. {self._known()}")

    def __repr__(self) -> str:
        return f"<ModelRepository {self.path} {self.versions} refused {sorted(self.refused)}>"

    @property
    def default(self) -> str | None:
        """Name of the default model; ``None`` if no model could be read."""
        return self._default

    @property
    def builtin(self) -> bool:
        """Whether the built-in models serve because the owner has given none."""
        return any(version.ref.builtin for version in self.versions)

    def mark_builtin(self) -> None:
        """Let every answer say that a built-in model gave it."""
        for version in self.versions:
            version.ref = replace(version.ref, builtin=True)

    @property
    def ready(self) -> bool:
        """Whether the default model serves and no model is waiting to be loaded.

        A refused model other than the default does not make the service unready. `statuses`
        reports it.
        """
        loading = {VersionState.START, VersionState.LOADING}
        if self._default is None or any(version.state in loading for version in self.versions):
            return False
        default = self._by_name.get(self._default)
        return default is not None and default.state is VersionState.AVAILABLE

    def statuses(self) -> list[VersionStatus]:
        """The state of every model; the refused ones come last."""
        read = []
        for version in self.versions:
            fault = str(version.fault) if version.fault else None
            read.append(VersionStatus(version.name, version.version, version.state, fault))
        refused = [
            VersionStatus(name, None, VersionState.END, str(fault))
            for name, fault in self.refused.items()
        ]
        return read + refused

    def get(self, name: str | None = None, version: int | None = None) -> ModelVersion:
        """Look up a model that serves.

        Args:
            name: ``None`` and ``default`` mean the default model.
            version: ``None`` means the version that serves.

        Raises:
            ModelNotFound: there is no such name or version.
            ModelUnavailable: the model is loading, or was refused.
        """
        found = self.find(name, version)
        if found.state is VersionState.AVAILABLE:
            return found
        if found.fault is not None:
            raise _unavailable(found.name, found.fault)
        raise ModelUnavailable(f"The model {found.name} is still loading.")

    def find(self, name: str | None = None, version: int | None = None) -> ModelVersion:
        """Look up a model in any state; otherwise as `get`."""
        wanted = name
        if name is None or (name == DEFAULT and DEFAULT not in self._by_name):
            wanted = self._default
        if wanted is None:
            faults = " ".join(str(fault) for fault in self.refused.values())
            reason = faults or f"{self.path} holds no export."
            raise ModelUnavailable(f"No model serves. {reason}")
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

    def own_selection(self, model: ModelRef) -> Selection | None:
        """What a model shows by its own settings; ``None`` if it is not there any more."""
        version = self._by_name.get(model.name)
        return None if version is None else version.contract.selection()

    def load(self, workers: int, options: DecodeOptions) -> None:
        """Prove and load all models, the default one first.

        A model that fails is logged and ends in state END; the others are still loaded.
        """
        ahead = deque(sorted(self.versions, key=lambda one: one.name != self._default))
        with ThreadPoolExecutor(_PROOFS_AT_ONCE, "edge-proof") as provers:
            proofs = {version: provers.submit(version.prove) for version in ahead}
            while ahead and not self._stopping:
                version = ahead.popleft()
                _, late = wait([proofs[version]], _PATIENCE_S)
                if late and ahead:
                    ahead.append(version)
                    continue
                try:
                    version.load(workers, options, proofs[version].result)
                except ExportError as error:
                    if not self._stopping:
                        _log.error("model %s is not served: %s", version.name, error)
                else:
                    _log.info("model %s version %d is ready", version.name, version.version)
            provers.shutdown(cancel_futures=True)

    def stop_loading(self) -> None:
        """Load no further model, and end the processes in which models are tried."""
        self._stopping = True
        if self._prover is not None:
            self._prover.stop()

    def _first_name(self) -> str | None:
        """Name of the model called ``default``, else the first one that could be read."""
        return DEFAULT if DEFAULT in self._by_name else min(self._by_name, default=None)

    def _known(self) -> str:
        names = ", ".join(sorted(self._by_name)) or "none"
        return f"Known models: {names}."


def _unavailable(name: str, fault: ExportError) -> ModelUnavailable:
    error = ModelUnavailable(f"The model {name} is not served. {fault}")
    error.retry_after_s = None  # waiting does not repair an export
    return error


def open_repository(
    path: Path,
    default: str | None = None,
    *,
    keep_refused: bool = False,
    allow_unsafe: bool = False,
    prover: Prover | None = None,
    threads: int = 1,
) -> ModelRepository:
    """Find and read the models at a path. Nothing is loaded yet.

    A refused export in a folder of several is recorded in `ModelRepository.refused`.

    Args:
        path: an export, or a folder of exports.
        default: name of the default model; ``None`` takes the first one that could be read.
        keep_refused: record a refused export even if ``path`` is that export itself, instead of
            raising. A service that starts at boot then stays up and says what is wrong, where a
            restart policy would restart it forever.
        allow_unsafe: as `read_export` takes it.
        prover: tries each model before it is opened; ``None`` for models that are known to run.
        threads: on which a model runs one frame.

    Raises:
        ExportError: the path does not exist, or it is itself an export and is refused.
        ModelNotFound: no model has the name ``default``.
    """
    try:
        alone = path.exists() and is_export(path)
        found = scan(path)
    except OSError as error:
        raise _unreadable(path, error) from error
    versions, refused = [], dict(found.refused)
    for name, fault in refused.items():
        _log.error("model %s is not served: %s", name, fault)
    for source in found.sources:
        try:
            export = _read(source, allow_unsafe=allow_unsafe)
            version = ModelVersion(source.name, source.version, export, prover, threads)
            versions.append(version)
        except ExportError as error:
            if alone and not keep_refused:
                raise
            _log.error("model %s is not served: %s", source.name, error)
            refused[source.name] = error
    return ModelRepository(path, versions, refused, default, prover)


def _read(source: Source, *, allow_unsafe: bool) -> Export:
    try:
        return read_export(source.path, allow_unsafe=allow_unsafe)
    except OSError as error:
        raise _unreadable(source.path, error) from error


def _unreadable(path: Path, error: OSError) -> ExportError:
    """The usual cause: the container's user does not own the mounted folder."""
    return ExportError(
        error.filename or path,
        f"it cannot be read here: {error.strerror or error}",
        f"Let the service's user read it, as `chmod -R a+rX` does on the folder that {path} is",
    )

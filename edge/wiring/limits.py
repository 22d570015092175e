"""Fits the service into the memory that it may use, so that no frame gets it killed.

The defaults of `edge.settings` are for a machine with 2 GB and more. Where a container or a small
machine has less, the bounds on what costs memory shrink together. A setting that the owner has
given is never changed.

What the service takes is: itself and its models, about twice the model for each worker's
interpreters, and what callers cause, the *room*. Of the room, pictures that are being
decoded take their budget and a quarter more (small ones are not counted, see
`edge.vision.decode_memory`), bodies take theirs and half more (connections with half a head), and
the wall its own.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from edge.model.contract import Format
from edge.runtime.cpus import frame_threads, usable_cpus
from edge.runtime.memory_limit import machine_memory, memory_limit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.repository.repository import ModelRepository
    from edge.settings import Settings

_log = logging.getLogger(__name__)

_MIB = 1 << 20

SERVICE_BYTES = 62 * _MIB
"""The service itself without models, after some hundred frames. Measured in the `lite` image."""

SPARE_BYTES = 28 * _MIB
"""A health check (14 MiB, in a process of its own) and memory that the allocator keeps."""

WORKER_BYTES = 4 * _MIB
"""A worker without its interpreters: its stack, and what the allocator keeps for its thread."""

COPIES_PER_WORKER = 2
"""Of a TFLite model for each worker: packed weights and tensors."""

TENSORFLOW_BYTES = 230 * _MIB
"""TensorFlow, once imported and with a small SavedModel loaded."""

CLOUD_BYTES = 130 * _MIB
"""Google's client and its connection."""

MIN_ROOM = 124 * _MIB
"""Room for a 16-megapixel photo in RGB; a further worker must leave it."""

_OTHERS_SHARE = 4
"""A fourth of a machine's memory is left to its other programs."""

_MIN = {"max_decoded_bytes": 4 * _MIB, "max_held_bytes": 2 * _MIB, "wall_bytes": 1 * _MIB}
"""Below these no photo is answered: a memory limit that leaves less is reported as too small."""

_COST = {"max_decoded_bytes": 1.25, "max_held_bytes": 1.5, "wall_bytes": 1.0}
"""Bytes of room for each byte of a bound; see the module."""

_SHARE = {"max_decoded_bytes": 20, "max_held_bytes": 9, "wall_bytes": 3}
"""Parts of the room that are split among the bounds that the owner has not given."""

_FRAME_BYTES = 512 << 10
"""Of a waiting frame, as cameras send them: the queue is as long as the bodies have memory for."""

_MIN_QUEUE = 8


@dataclass(frozen=True, slots=True)
class Use:
    """What the service takes before the first frame.

    Attributes:
        model_bytes: of the TFLite files that are to be served.
        tensorflow: whether one of the models is a SavedModel.
        cloud: whether an online model is configured.
    """

    model_bytes: int = 0
    tensorflow: bool = False
    cloud: bool = False

    def bytes(self, workers: int) -> int:
        """Bytes with that number of workers."""
        models = self.model_bytes * (1 + COPIES_PER_WORKER * workers)
        optional = self.tensorflow * TENSORFLOW_BYTES + self.cloud * CLOUD_BYTES
        return SERVICE_BYTES + SPARE_BYTES + optional + models + WORKER_BYTES * workers


def fitting(
    memory: int | None, cpus: int, use: Use, defaults: Mapping[str, int], given: Mapping[str, int]
) -> dict[str, int]:
    """The bounds that fit into the memory.

    Args:
        memory: bytes that may be used; ``None`` if they are not limited.
        cpus: workers if the memory allows them.
        defaults: of `queue_size`, `max_body_bytes` and the bounds in `_SHARE`; none is exceeded.
        given: what the owner has set, of these and `workers`; taken as it is.

    Returns:
        All of these.
    """
    if memory is None:
        return {"workers": cpus, **defaults, **given}
    workers = given.get("workers") or _workers(memory, cpus, use)
    room: float = memory - use.bytes(workers)
    room -= sum(given[name] * _COST[name] for name in _SHARE if name in given)
    open_names = [name for name in _SHARE if name not in given]
    parts = sum(_SHARE[name] for name in open_names)
    fitted = {"workers": workers, **given}
    for name in open_names:
        share = int(room * _SHARE[name] / parts / _COST[name])
        fitted[name] = min(defaults[name], max(share, _MIN[name]))
    held = fitted["max_held_bytes"]
    fitted.setdefault("max_body_bytes", min(defaults["max_body_bytes"], held // 2))
    long_enough = max(held // _FRAME_BYTES, _MIN_QUEUE)
    fitted.setdefault("queue_size", min(defaults["queue_size"], long_enough))
    return fitted


def _workers(memory: int, cpus: int, use: Use) -> int:
    for workers in range(cpus, 1, -1):
        if memory - use.bytes(workers) >= MIN_ROOM:
            return workers
    return 1


def needed(use: Use, fitted: Mapping[str, int]) -> int:
    """Bytes of memory that the service may take with these bounds."""
    bounds = sum(int(fitted[name] * cost) for name, cost in _COST.items())
    return use.bytes(fitted["workers"]) + bounds


_BOUNDS = ("queue_size", "max_body_bytes", *_SHARE)


def fit_to_memory(
    settings: Settings, repository: ModelRepository, root: Path = Path("/")
) -> Settings:
    """The settings with bounds that fit into the memory of this process; logs them in a line.

    Args:
        root: the folder that holds `proc` and `sys`; another one than `/` is for tests.
    """
    limit = memory_limit(root)
    memory = limit
    if limit is None and (machine := machine_memory(root)) is not None:
        memory = machine - machine // _OTHERS_SHARE
    defaults = {name: int(type(settings).model_fields[name].default) for name in _BOUNDS}
    chosen = settings.model_fields_set
    given = {name: int(getattr(settings, name)) for name in _BOUNDS if name in chosen}
    if settings.workers is not None:
        given["workers"] = settings.workers
    use = _use(settings, repository)
    cpus = usable_cpus(root)
    fitted = fitting(memory, cpus, use, defaults, given)
    threads = frame_threads(settings.latency, cpus)
    words = _bounds_in_words(fitted, threads)
    _log.info("limits: %s; %s", words, _memory_in_words(limit, memory))
    if memory is not None and (most := needed(use, fitted)) > memory:
        _log.warning(
            "the service may need %d MiB and can use %d: frames may end it. Give it more memory, "
            "or lower what is set",
            _mib(most),
            _mib(memory),
        )
    return settings.model_copy(update=fitted)


def _use(settings: Settings, repository: ModelRepository) -> Use:
    exports = [version.export for version in repository.versions]
    tflite = [one.model for one in exports if one.contract.format is Format.TFLITE]
    return Use(
        model_bytes=sum(model.stat().st_size for model in tflite if model.exists()),
        tensorflow=len(tflite) < len(exports),
        cloud=settings.cloud is not None,
    )


def _bounds_in_words(fitted: Mapping[str, int], threads: int) -> str:
    each = f" of {threads} threads" if threads > 1 else ""
    return (
        f"{fitted['workers']} workers{each}, {fitted['queue_size']} waiting frames, "
        f"{_mib(fitted['max_decoded_bytes'])} MiB of images being decoded, "
        f"{_mib(fitted['max_held_bytes'])} MiB of bodies of up to "
        f"{_mib(fitted['max_body_bytes'])} MiB, {_mib(fitted['wall_bytes'])} MiB for the wall"
    )


def _memory_in_words(limit: int | None, memory: int | None) -> str:
    if limit is not None:
        return f"the memory limit is {_mib(limit)} MiB"
    if memory is not None:
        return f"no memory limit, {_mib(memory)} MiB of the machine's may be used"
    return "no memory limit"


def _mib(size: int) -> int:
    return size >> 20

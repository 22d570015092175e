"""What a command may take of this machine when it goes over many pictures itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.runtime.cpus import usable_cpus
from edge.vision.decode_memory import decode_memory
from edge.wiring.bootstrap import build_repository, embedded_models
from edge.wiring.limits import fit_to_memory

if TYPE_CHECKING:
    from edge.settings import Settings


def fit_to_machine(settings: Settings) -> tuple[Settings, int]:
    """Bound what decoding takes, and return the settings that fit, and the number of workers.

    The bound leaves room for one built-in model, which is loaded at the same time.
    """
    builtin = settings.model_copy(update={"models": embedded_models()})
    settings = fit_to_memory(settings, build_repository(builtin))
    workers = settings.workers or usable_cpus()
    decode_memory.limit(settings.max_decoded_bytes, workers)
    return settings, workers

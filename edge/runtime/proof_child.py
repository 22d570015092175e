"""The process in which a model is tried: opens it, runs a few frames, and ends.

Whatever the runtime does with a damaged file, from an abort to an endless loop, happens here. The
model and its contract come pickled on standard input; a refusal goes as JSON to standard output.
Exit code 0 means that the model may be opened in the service.
"""

from __future__ import annotations

import ctypes
import json
import math
import os
import pickle
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge.errors import ExportError, InferenceFailed
from edge.model.contract import Format, PixelInput
from edge.runtime.interpreter import IMAGE
from edge.runtime.interpreters import open_interpreters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from edge.model.contract import Contract

REFUSED: Final = 3
"""Exit code after a refusal that was written as JSON."""

MAX_MEMORY_BYTES: Final = 2 << 30
"""What opening and running a model may take. EfficientDet-Lite4, the largest of its kind, takes
0.6 GB."""

_RANDOM_FRAMES: Final = 3
_ENOUGH_S: Final = 5.0  # a model that takes longer for its first frames gets no more of them
_SEED: Final = 20201
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def main() -> None:
    """Try one model."""
    answers = os.dup(1)
    os.dup2(2, 1)  # what a runtime prints is no answer
    die_with_parent()
    model, contract = pickle.loads(sys.stdin.buffer.read())  # noqa: S301 -- the service wrote it
    refusal = try_model(model, contract)
    if refusal is not None:
        words = {"file": refusal.file, "reason": refusal.reason, "remedy": refusal.remedy}
        os.write(answers, json.dumps(words).encode())
    # Without the runtimes' destructors, of which a damaged model could break one.
    os._exit(REFUSED if refusal is not None else 0)


def try_model(model: Path, contract: Contract) -> ExportError | None:
    """Open a model, run frames of several kinds through it, and return why it is refused."""
    limit_memory(_limit_of(contract))
    try:
        with open_interpreters(model, contract, 1).lease(0) as interpreter:
            until = time.monotonic() + _ENOUGH_S
            for frame in _frames(contract):
                for output in interpreter.invoke({IMAGE: frame}).values():
                    output.tobytes()
                if time.monotonic() > until:
                    break
    except ExportError as error:
        return error
    except InferenceFailed as error:
        return ExportError(model, f"its first frame failed: {error}", "Export the model again")
    except MemoryError:
        reason = f"it takes more than {MAX_MEMORY_BYTES >> 30} GiB of memory"
        return ExportError(model, reason, "Export a smaller model")
    except Exception as error:  # as for the first frame in the service
        reason = f"its first frame failed: {type(error).__name__}: {error}"
        return ExportError(model, reason, "Export the model again")
    return None


def die_with_parent() -> None:
    """Let the kernel end this process with the service, and before the service."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    with suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def limit_memory(more_bytes: int) -> None:
    """Bound this process's memory to what it has now and ``more_bytes``."""
    statm = Path("/proc/self/statm")
    if not statm.exists():  # not Linux
        return
    pages = int(statm.read_text("ascii").split()[0])
    limit = pages * resource.getpagesize() + more_bytes
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    if most != resource.RLIM_INFINITY:
        limit = min(limit, most)
    resource.setrlimit(resource.RLIMIT_AS, (limit, most))


def _limit_of(contract: Contract) -> int:
    """TensorFlow reserves address space for its libraries and threads, which takes no memory."""
    reserved = 8 << 30 if contract.format is Format.SAVED_MODEL else 0
    return MAX_MEMORY_BYTES + reserved


def _frames(contract: Contract) -> Iterator[NDArray[Any]]:
    """Black, white and noise, as the model takes them; encoded pictures for a SavedModel."""
    chance = np.random.default_rng(_SEED)
    spec = contract.input
    if not isinstance(spec, PixelInput):
        from edge.vision.encode import grey_jpeg  # noqa: PLC0415 -- TFLite models need no Pillow

        for size in ((640, 480), (33, 17)):
            yield np.array([grey_jpeg(*size)], object)
        return
    shape = spec.shape
    if math.prod(shape) > MAX_MEMORY_BYTES:
        raise MemoryError
    if spec.dtype == "float32":
        stated = spec.normalization
        assert stated is not None
        ends = [(level - stated.mean[0]) / stated.std[0] for level in (0, 255)]
        black, white = min(ends), max(ends)
        yield np.zeros(shape, np.float32)
        yield np.full(shape, white, np.float32)
        for _ in range(_RANDOM_FRAMES):
            yield chance.uniform(black, white, shape).astype(np.float32)
        return
    limits = np.iinfo(spec.dtype)
    yield np.full(shape, limits.min, spec.dtype)
    yield np.full(shape, limits.max, spec.dtype)
    for _ in range(_RANDOM_FRAMES):
        levels = chance.integers(limits.min, limits.max, shape, endpoint=True)
        yield levels.astype(spec.dtype)


if __name__ == "__main__":
    main()

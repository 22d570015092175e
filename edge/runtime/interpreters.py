"""Opens a model's interpreters. The format decides which runtime is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import ExportError
from edge.model.contract import Format

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.model.contract import Contract
    from edge.runtime.interpreter import Interpreter


def open_interpreters(
    model: Path, contract: Contract, workers: int, threads: int = 1
) -> Sequence[Interpreter]:
    """Load a model into an interpreter for each worker.

    The runtimes are imported here so that a TFLite model never imports TensorFlow (6 s, 600 MB).

    Args:
        model: the TFLite file, or the folder of the SavedModel.
        contract: what the model expects and returns.
        workers: number of frames that run at the same time.
        threads: on which each of them runs.

    Raises:
        ExportError: the runtime refuses the model, or is not installed.
    """
    if contract.format is Format.TFLITE:
        from edge.runtime.litert import LiteRTInterpreter  # noqa: PLC0415

        return [LiteRTInterpreter(model, contract, threads) for _ in range(workers)]
    try:
        from edge.runtime.tensorflow import TensorFlowInterpreter  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ExportError(
            model,
            "it is a SavedModel, and TensorFlow is not installed here",
            'Use the full image or `pip install tensorflow`, or export the model as "TFLite"',
        ) from error
    shared = TensorFlowInterpreter(model, contract, workers=workers, threads=threads)
    return [shared] * workers

"""Opens a model's interpreters. The format decides which runtime is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import ExportError
from edge.model.contract import Format
from edge.runtime.interpreter_pool import InterpreterPool

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.contract import Contract


def open_interpreters(
    model: Path, contract: Contract, workers: int, threads: int = 1
) -> InterpreterPool:
    """Load a model into an interpreter, of which there may later be one for each worker.

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
        from edge.runtime.litert import LiteRTModel  # noqa: PLC0415

        litert = LiteRTModel(model, contract, threads)
        return InterpreterPool([litert.open()], litert.open, more=workers - 1)
    try:
        from edge.runtime.tensorflow import TensorFlowInterpreter  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ExportError(
            model,
            "it is a SavedModel, and TensorFlow is not installed here",
            'Use the full image or `pip install tensorflow`, or export the model as "TFLite"',
        ) from error
    shared = TensorFlowInterpreter(model, contract, workers=workers, threads=threads)
    return InterpreterPool([shared] * workers)

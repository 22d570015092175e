"""Opens an export as a pipeline. The format decides which runtime is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.errors import ExportError
from edge.model.contract import Format
from edge.runtime.pipeline import EncodedPipeline, PixelPipeline

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.contract import Contract
    from edge.runtime.pipeline import Pipeline


def open_pipeline(model: Path, contract: Contract, workers: int) -> Pipeline:
    """Load a model for a number of workers.

    The runtimes are imported here so that a TFLite model never imports TensorFlow (6 s, 600 MB).

    Args:
        model: the TFLite file, or the folder of the SavedModel.
        contract: what the model expects and returns.
        workers: number of frames that run at the same time.

    Raises:
        ExportError: the runtime refuses the model, or is not installed.
    """
    if contract.format is Format.TFLITE:
        from edge.runtime.litert import LiteRTInterpreter  # noqa: PLC0415

        interpreters = [LiteRTInterpreter(model, contract) for _ in range(workers)]
        return PixelPipeline(contract, interpreters)
    try:
        from edge.runtime.tensorflow import TensorFlowInterpreter  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ExportError(
            model,
            "it is a SavedModel, and TensorFlow is not installed here",
            'Use the full image or `pip install tensorflow`, or export the model as "TFLite"',
        ) from error
    shared = TensorFlowInterpreter(model, contract, threads=workers)
    return EncodedPipeline(contract, [shared] * workers)

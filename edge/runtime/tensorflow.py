"""Runs SavedModels with TensorFlow.

Importing this module takes 6 s and 600 MB, so it is only imported for a SavedModel.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from edge.runtime.start_up_noise import without_start_up_noise

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # hides what it says once its logging runs
with without_start_up_noise():
    import tensorflow as tf

    tf.config.list_physical_devices()  # looks for GPUs now; else the first model does, and says so

from edge.errors import CorruptImage, ExportError, InferenceFailed
from edge.model.contract import PixelInput
from edge.runtime.interpreter import IMAGE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.model.contract import Contract

_KEY = b""


class TensorFlowInterpreter:
    """One SavedModel. It is thread-safe: all workers share it."""

    def __init__(self, folder: Path, contract: Contract, *, workers: int, threads: int) -> None:
        """Load the model.

        Args:
            workers: number of frames that run at the same time.
            threads: that share a frame; as for LiteRT.

        Raises:
            ExportError: TensorFlow refuses the folder.
        """
        _set_threads(workers, threads)
        self._input = contract.input
        self._outputs = contract.outputs
        try:
            self._model = tf.saved_model.load(str(folder), tags=["serve"])
            self._run = self._model.signatures[contract.input.signature]
        except Exception as error:  # TensorFlow raises almost any type for a damaged folder
            words = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ExportError(
                folder,
                f"TensorFlow does not accept it: {words}",
                "Export or copy the model again",
            ) from error

    def invoke(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Run pixels through the graph, or an encoded image, which the graph then decodes."""
        takes_pixels = isinstance(self._input, PixelInput)
        feeds = {self._input.name: tf.constant(inputs[IMAGE])}
        if not isinstance(self._input, PixelInput) and self._input.key is not None:
            feeds[self._input.key] = tf.constant([_KEY])
        try:
            named = {name: tensor.numpy() for name, tensor in self._run(**feeds).items()}
        except tf.errors.InvalidArgumentError as error:
            if takes_pixels:
                raise _failed(error) from error
            raise CorruptImage(
                f"The model's graph cannot read the image: {error.message.splitlines()[0]}"
            ) from error
        except tf.errors.OpError as error:
            raise _failed(error) from error
        if takes_pixels:
            return {role: named[output.name] for role, output in self._outputs.items()}
        return named


def _failed(error: Any) -> InferenceFailed:
    words = error.message.splitlines()[0]
    return InferenceFailed(f"TensorFlow could not run the model: {words}")


def _set_threads(workers: int, threads: int) -> None:
    # By itself it takes all CPUs for each frame: two threads took 15 ms of CPU per frame, one 11.
    if tf.config.threading.get_intra_op_parallelism_threads() == threads:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(workers)
    except RuntimeError:
        pass  # something in this process ran TensorFlow before, which fixed the threads

"""SavedModels through TensorFlow. Importing this module costs 6 s and 600 MB: it is imported for such a model alone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # its start-up banner is no news to anyone
import tensorflow as tf

from edge.errors import CorruptImage, ExportError, InferenceFailed
from edge.model.contract import EncodedInput
from edge.runtime.interpreter import IMAGE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.model.contract import Contract

_KEY = b""


class TensorFlowInterpreter:
    """One SavedModel. Safe for several threads at once, so that all workers share it."""

    def __init__(self, folder: Path, contract: Contract, *, threads: int) -> None:
        """Load the model.

        Args:
            threads: frames that run at the same time; each on one thread.

        Raises:
            ExportError: TensorFlow refuses the folder.
        """
        assert isinstance(contract.input, EncodedInput)
        _set_threads(threads)
        self._input = contract.input
        try:
            self._model = tf.saved_model.load(str(folder), tags=["serve"])
            self._run = self._model.signatures[self._input.signature]
        except Exception as error:  # TensorFlow raises nearly anything on a damaged folder
            words = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise ExportError(
                folder,
                f"TensorFlow does not accept it: {words}",
                'Export the model again as "Container"',
            ) from error

    def invoke(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Run encoded bytes through the graph, which decodes them."""
        feeds = {self._input.name: tf.constant(inputs[IMAGE])}
        if self._input.key is not None:
            feeds[self._input.key] = tf.constant([_KEY])
        try:
            return {name: tensor.numpy() for name, tensor in self._run(**feeds).items()}
        except tf.errors.InvalidArgumentError as error:
            raise CorruptImage(
                f"The model's graph cannot read the image: {error.message.splitlines()[0]}"
            ) from error
        except tf.errors.OpError as error:
            raise InferenceFailed(
                f"TensorFlow could not run the model: {error.message.splitlines()[0]}"
            ) from error


def _set_threads(threads: int) -> None:
    # One thread a frame and frames in parallel: two threads a frame took 15 ms of CPU instead of 11.
    if tf.config.threading.get_intra_op_parallelism_threads() == 1:
        return
    try:
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
    except (
        RuntimeError
    ):  # somebody in this process has run TensorFlow before: its threads are fixed
        pass

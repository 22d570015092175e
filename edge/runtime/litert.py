"""TFLite through LiteRT: one interpreter, one thread, the input written in place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter as LiteRT

from edge.errors import ExportError, InferenceFailed
from edge.model.contract import PixelInput

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.model.contract import Contract


class LiteRTInterpreter:
    """One LiteRT interpreter. Its file is mapped, so that several of them share the weights."""

    def __init__(self, model: Path, contract: Contract) -> None:
        """Build the interpreter and allocate its tensors.

        Raises:
            ExportError: LiteRT refuses the file.
        """
        assert isinstance(contract.input, PixelInput)
        try:
            # Two threads for one frame were slower than one; frames in parallel have a worker each.
            self._litert = LiteRT(model_path=str(model), num_threads=1)
            self._litert.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ExportError(model, _reason(str(error)), 'Export the model again as plain "TFLite"') from error
        self._input = contract.input.tensor
        self._outputs = {role: output.tensor for role, output in contract.outputs.items()}

    def invoke(self, image: NDArray[Any] | bytes) -> Mapping[str, NDArray[Any]]:
        """Run a tensor [height, width, 3]; see `Interpreter.invoke`."""
        try:
            self._litert.set_tensor(self._input, np.expand_dims(np.asarray(image), 0))
            self._litert.invoke()
            return {role: self._litert.get_tensor(tensor) for role, tensor in self._outputs.items()}
        except (ValueError, RuntimeError) as error:
            raise InferenceFailed(f"LiteRT could not run the model: {error}") from error


def _reason(words: str) -> str:
    if "valid Flatbuffer" in words:
        return "it is truncated or damaged: LiteRT does not accept it"
    if "unresolved custom op" in words:
        operator = words.partition("unresolved custom op:")[2].partition(".")[0].strip()
        return f"it uses the operator {operator}, which LiteRT does not have"
    return f"LiteRT does not accept it: {words.splitlines()[0]}"

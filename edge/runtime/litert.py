"""Runs TFLite models with LiteRT: one interpreter per worker, usually of one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ai_edge_litert.interpreter import Interpreter as LiteRT

from edge.errors import ExportError, InferenceFailed
from edge.model.contract import PixelInput
from edge.runtime.interpreter import IMAGE
from edge.runtime.litert_banner import hide_banner

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.model.contract import Contract


class LiteRTInterpreter:
    """One LiteRT interpreter. It maps the model file, so several interpreters share the weights."""

    def __init__(self, model: Path, contract: Contract, threads: int = 1) -> None:
        """Build the interpreter and allocate its tensors.

        Args:
            threads: that share a frame. One gives the most frames per second, since frames run in
                parallel on the workers; two answer a frame alone sooner.

        Raises:
            ExportError: LiteRT refuses the file.
        """
        assert isinstance(contract.input, PixelInput)
        hide_banner()
        try:
            self._litert = LiteRT(model_path=str(model), num_threads=threads)
            self._litert.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ExportError(
                model, _reason(str(error)), 'Export the model again as plain "TFLite"'
            ) from error
        self._inputs = {IMAGE: contract.input.tensor}
        self._outputs = {role: output.tensor for role, output in contract.outputs.items()}

    def invoke(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Set the tensors, run the model, and copy its outputs."""
        try:
            for role, tensor in inputs.items():
                self._litert.set_tensor(self._inputs[role], tensor)
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

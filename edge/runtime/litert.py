"""Runs TFLite models with LiteRT, by default each frame on one thread."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ai_edge_litert.interpreter import Interpreter as LiteRT

from edge.errors import ExportError, InferenceFailed
from edge.export.regular_file import MAX_MODEL_BYTES, read_bounded
from edge.export.regular_nms import needs_one_thread
from edge.export.tflite_edit import with_more_outputs
from edge.export.tflite_graph import refuse_if_broken
from edge.model.contract import PixelInput
from edge.runtime.interpreter import IMAGE
from edge.runtime.litert_banner import hide_banner
from edge.runtime.memory import release_mapped_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.model.contract import Contract


class LiteRTModel:
    """A TFLite file that interpreters are opened from, now and when there is need of more."""

    def __init__(self, model: Path, contract: Contract, threads: int) -> None:
        """Remember which file it is.

        Args:
            threads: as of `LiteRTInterpreter`; one for a detector that would lose detections.

        Raises:
            ExportError: the file cannot be read.
        """
        self._model, self._contract = model, contract
        self._threads = 1 if threads > 1 and needs_one_thread(model) else threads
        self._identity = self._stat()
        self._content = _content_with_inner_outputs(model, contract)

    def open(self) -> LiteRTInterpreter:
        """Open an interpreter.

        Raises:
            ExportError: LiteRT refuses the file, or it is no longer the one that was loaded: a
                mixture of two models would answer.
        """
        self._check_identity()  # what has not been proven must not be opened
        interpreter = LiteRTInterpreter(self._model, self._contract, self._threads, self._content)
        # LiteRT has packed the weights: what is in the file from here on does not matter.
        self._check_identity()
        release_mapped_file(self._model)
        return interpreter

    def _check_identity(self) -> None:
        if self._stat() != self._identity:
            raise ExportError(
                self._model, "it was changed after it had been loaded", "Restart the service"
            )

    def _stat(self) -> tuple[int, int, int, int]:
        """What tells a file from the one that replaces it, or that is written over it."""
        try:
            found = self._model.stat()
        except OSError as error:
            reason = f"it cannot be read ({error.strerror or error})"
            raise ExportError(self._model, reason, "Restore it and restart the service") from error
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


class LiteRTInterpreter:
    """One LiteRT interpreter. It maps the model file, so several interpreters share the weights."""

    def __init__(
        self, model: Path, contract: Contract, threads: int = 1, content: bytes | None = None
    ) -> None:
        """Build the interpreter and allocate its tensors.

        Args:
            threads: that share a frame. One gives the most frames per second, since frames run in
                parallel on the workers; two answer a frame alone sooner.
            content: run instead of the file, where inner tensors are outputs.

        Raises:
            ExportError: LiteRT refuses the file.
        """
        assert isinstance(contract.input, PixelInput)
        hide_banner()
        try:
            if content is None:
                self._litert = LiteRT(model_path=str(model), num_threads=threads)
            else:
                self._litert = LiteRT(model_content=content, num_threads=threads)
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


def _content_with_inner_outputs(model: Path, contract: Contract) -> bytes | None:
    """The file's bytes with the inner tensors that are wanted as outputs; ``None`` without such.

    All interpreters share them. They stay in memory (4 MB of a model that `edge train` made), as
    a file's pages need not.
    """
    inner = [output.tensor for output in contract.outputs.values() if output.inner]
    if not inner:
        return None
    with refuse_if_broken(model):
        return with_more_outputs(read_bounded(model, MAX_MODEL_BYTES), inner)


def _reason(words: str) -> str:
    if "valid Flatbuffer" in words:
        return "it is truncated or damaged: LiteRT does not accept it"
    if "unresolved custom op" in words:
        operator = words.partition("unresolved custom op:")[2].partition(".")[0].strip()
        return f"it uses the operator {operator}, which LiteRT does not have"
    return f"LiteRT does not accept it: {words.splitlines()[0]}"

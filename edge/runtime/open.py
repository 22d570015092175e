"""Opens an export as a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.model.contract import PixelInput
from edge.runtime.interpreters import open_interpreters
from edge.runtime.pipeline import EncodedPipeline, PixelPipeline

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.contract import Contract
    from edge.runtime.pipeline import Pipeline


def open_pipeline(model: Path, contract: Contract, workers: int, threads: int = 1) -> Pipeline:
    """Load a model for a number of workers; arguments and errors as of `open_interpreters`."""
    interpreters = open_interpreters(model, contract, workers, threads)
    if isinstance(contract.input, PixelInput):
        return PixelPipeline(contract, interpreters)
    return EncodedPipeline(contract, interpreters)

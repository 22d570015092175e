"""Raw outputs of a classifier to a `Classification`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from edge.model.prediction import Classification

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from edge.model.contract import Contract

    Outputs = Mapping[str, NDArray[Any]]


def from_tensors(outputs: Outputs, contract: Contract) -> Classification:
    """Read TFLite's ``scores`` [1, classes], dequantised to 0..1."""
    scores = contract.outputs["scores"].real(outputs["scores"]).reshape(-1)
    return Classification(contract.labels or (), scores, contract.multi_label)


def from_signature(outputs: Outputs, contract: Contract) -> Classification:
    """Read a SavedModel's ``scores`` f32 [1, classes] and ``labels`` string [1, classes], in the model's order."""
    scores = np.asarray(outputs["scores"][0], np.float32)
    labels = tuple(label.decode("utf-8", "replace") for label in outputs["labels"][0]) if "labels" in outputs else None
    return Classification(contract.labels or labels or (), scores, contract.multi_label)

"""The one thing the rest of the service asks of a runtime: run one image through one model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray


class Interpreter(Protocol):
    """Runs one model. Used by one thread at a time unless the runtime says otherwise."""

    def invoke(self, image: NDArray[Any] | bytes) -> Mapping[str, NDArray[Any]]:
        """Run one image.

        Args:
            image: the tensor [height, width, 3] of the contract's dtype, or encoded bytes for an `EncodedInput`.

        Returns:
            Role (or a SavedModel's output name) to the raw output, batch dimension included. The arrays belong to
            the caller.

        Raises:
            CorruptImage: a graph that decodes could not read the bytes.
            InferenceFailed: the model failed.
        """

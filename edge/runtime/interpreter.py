"""What the service needs of a runtime: run one frame through one model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

IMAGE = "image"
"""The role of the input that takes the image."""


class Interpreter(Protocol):
    """Runs one model. Used by one thread at a time unless the runtime says otherwise."""

    def invoke(self, inputs: Mapping[str, NDArray[Any]]) -> Mapping[str, NDArray[Any]]:
        """Run one frame.

        Args:
            inputs: role to tensor, batch dimension included. `IMAGE` is [1, height, width, 3] of
                the contract's dtype, or for an `EncodedInput` [1] of bytes objects.

        Returns:
            Role (for a SavedModel: output name) to the raw output, batch dimension included. The
            caller owns the arrays.

        Raises:
            CorruptImage: the graph decodes the image itself and could not read it.
            InferenceFailed: the model failed.
        """
        ...

"""A picture's features: what the last layer of a classifier sees, for training and for data sets.

The built-in classifier pools to 1,280 numbers. They are read from inside of its uint8 graph, which
costs nothing beyond the run itself.
"""

from __future__ import annotations

import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np

from edge.errors import ExportError, RequestError
from edge.export.pooled_features import FEATURES, find_features
from edge.model.contract import Format, PixelInput, Resize
from edge.model.preprocess import min_decoded_side, preprocess
from edge.runtime.interpreter import IMAGE
from edge.runtime.interpreters import open_interpreters
from edge.vision.decode import decode
from edge.vision.frame import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.model.contract import Contract, TensorOutput

    Key = TypeVar("Key")

_AHEAD: Final = 2
"""Pictures in memory for each worker: one at work and one that waits."""


class FeatureReader:
    """Reads the features of pictures with one TFLite classifier. Safe to use from threads.

    Attributes:
        size: numbers of one picture; 1,280 for the built-in classifier.
        min_side: minimum pixels per side of a decoded picture; ``None`` if all are needed.
        quantization: of the features as the model stores them; ``None`` if it does not.
        workers: pictures that run at the same time.
    """

    def __init__(
        self,
        model: Path,
        contract: Contract,
        *,
        max_pixels: int,
        workers: int,
        output: TensorOutput | None = None,
    ) -> None:
        """Open the model, its preprocessing as its own contract states it.

        Args:
            model: the TFLite file.
            output: what is read; ``None`` for the pooled features.
            max_pixels: maximum width times height of a picture.

        Raises:
            ExportError: not a TFLite classifier with a fully connected last layer, or refused.
        """
        if contract.format is not Format.TFLITE or not isinstance(contract.input, PixelInput):
            raise ExportError(model, "features need a TFLite classifier", "Name a TFLite export")
        if output is None:
            output = find_features(model)
        self._contract = replace(contract, outputs={FEATURES: output})
        self._spec = contract.input
        self._max_pixels = max_pixels
        self.min_side = min_decoded_side(self._spec, contract.tuning)
        self.quantization = output.quantization
        self._interpreters = open_interpreters(model, self._contract, workers)
        self.workers = workers
        self.size = len(self._run(np.zeros(self._spec.shape[1:], self._spec.dtype)))

    def read(self, picture: bytes | Frame) -> NDArray[np.float32]:
        """Features of an encoded or a decoded picture: float32 [size].

        Raises:
            RequestError: the picture is at fault.
            InferenceFailed: the model failed.
        """
        frame = picture if isinstance(picture, Frame) else self.decode(picture)
        return self._run(self.tensor(frame))

    def read_stored(self, frame: Frame) -> NDArray[Any]:
        """Features as the model stores them: [size], of its own dtype, int8 for the built-in one.

        Raises:
            InferenceFailed: the model failed.
        """
        return self._invoke(self.tensor(frame))[FEATURES].reshape(-1)

    def tensor(self, frame: Frame) -> NDArray[np.generic]:
        """What the model takes of a picture: of its input's dtype and shape, without batch."""
        tensor, _ = preprocess(frame, self._spec, self._contract.tuning)
        return tensor

    def read_all(
        self, pictures: Iterable[tuple[Key, Callable[[], bytes | Frame]]]
    ) -> Iterator[tuple[Key, NDArray[np.float32] | Exception]]:
        """Features of many pictures, in their order; at most two a worker are in memory.

        Args:
            pictures: a key, and what reads the picture's bytes or decodes it, on a worker's thread.

        Yields:
            The key, and the features, or the error of a picture that cannot be read
            (``RequestError``, ``OSError``, or ``ExportError`` for what is no regular file).
        """

        def one(open_picture: Callable[[], bytes | Frame]) -> NDArray[np.float32] | Exception:
            try:
                return self.read(open_picture())
            except (RequestError, ExportError, OSError) as error:
                return error

        waiting: deque[tuple[Key, Future[NDArray[np.float32] | Exception]]] = deque()
        pool = ThreadPoolExecutor(self.workers, "edge-features")
        try:
            for key, open_picture in pictures:
                waiting.append((key, pool.submit(one, open_picture)))
                if len(waiting) > self.workers * _AHEAD:
                    first, future = waiting.popleft()
                    yield first, future.result()
            for last, future in waiting:
                yield last, future.result()
        finally:  # after Ctrl-C, or a caller that stops early: what has not begun does not run
            pool.shutdown(cancel_futures=True)

    def decode(self, encoded: bytes) -> Frame:
        """Decode a picture at the scale that the model needs; raises ``RequestError``."""
        return decode(encoded, max_pixels=self._max_pixels, min_side=self.min_side)

    def _run(self, tensor: NDArray[np.generic]) -> NDArray[np.float32]:
        return self._contract.real(self._invoke(tensor))[FEATURES].reshape(-1)

    def _invoke(self, tensor: NDArray[np.generic]) -> Mapping[str, NDArray[Any]]:
        with self._interpreters.lease(threading.get_ident()) as interpreter:
            return interpreter.invoke({IMAGE: tensor[np.newaxis]})


def with_whole_picture(contract: Contract) -> Contract:
    """The contract of the same model, fed the whole picture, stretched.

    So a model that was trained here is served: a fault at the edge of a part must be seen.
    """
    tuning = replace(contract.tuning, resize=Resize.STRETCH, crop_fraction=1.0)
    return replace(contract, tuning=tuning)

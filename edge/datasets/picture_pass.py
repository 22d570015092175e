"""Reads every picture of a set once: its digest, size, sketch and features, into the cache."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from edge.datasets.picture_cache import picture_key
from edge.datasets.picture_file import picture_digest, read_picture
from edge.errors import EdgeError, InferenceFailed
from edge.printable import escape
from edge.vision.decode import decode
from edge.vision.sketch import sketch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.datasets.dataset import Example
    from edge.datasets.picture_cache import PictureCache
    from edge.vision.frame import Frame

_AHEAD: Final = 2
"""Pictures under way for each worker: one at work and one that waits."""


@dataclass(frozen=True, slots=True)
class PictureReader:
    """How pictures are read.

    Attributes:
        max_pixels: as for `decode`.
        min_side: as for `decode`; what the features need.
        workers: pictures at the same time.
        features: returns int8 [size] for a frame; ``None`` if none are wanted.
    """

    max_pixels: int
    min_side: int | None
    workers: int
    features: Callable[[Frame], NDArray[np.int8]] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read of one picture."""

    digest: bytes
    width: int
    height: int
    sketch: NDArray[np.uint8]
    features: NDArray[np.int8] | None


@dataclass(slots=True)
class PassResult:
    """What is known about each example's picture.

    Attributes:
        rows: number of its record, by the example's index; -1 if it could not be read.
        feature_rows: number of its features' record, likewise.
        broken: index to what is wrong with the picture.
    """

    rows: NDArray[np.int64]
    feature_rows: NDArray[np.int64]
    broken: dict[int, str]


def read_pictures(
    examples: Sequence[Example],
    data_set: Path,
    reader: PictureReader,
    cache: PictureCache,
    advance: Callable[[], None],
) -> PassResult:
    """Read what the cache does not know; ``advance`` is called after each picture.

    At most two pictures a worker are in memory.

    Raises:
        InferenceFailed: the model of the features failed.
        OutputError: the cache cannot be written.
        KeyboardInterrupt: after Ctrl-C; what was read until then is in the cache.
    """
    missing = np.full(len(examples), -1, np.int64)
    result = PassResult(missing, missing.copy(), {})
    for index, key, outcome in _outcomes(examples, data_set, reader, cache):
        if isinstance(outcome, str):
            result.broken[index] = outcome
        elif outcome is None:
            cache.reused += 1
        else:
            _keep(cache, key, outcome)
        _fill_rows(result, cache, index, key)
        advance()
    return result


def _keep(cache: PictureCache, key: bytes, facts: Facts) -> None:
    if key not in cache.pictures:
        value = (np.void(facts.digest), facts.width, facts.height, facts.sketch)
        cache.pictures.add(key, value)
    features = cache.features
    if features is not None and facts.features is not None and key not in features:
        features.add(key, facts.features)


def _fill_rows(result: PassResult, cache: PictureCache, index: int, key: bytes) -> None:
    row = cache.pictures.row(key)
    if row is not None and index not in result.broken:
        result.rows[index] = row
    if cache.features is not None:
        row = cache.features.row(key)
        if row is not None and index not in result.broken:
            result.feature_rows[index] = row


def _outcomes(
    examples: Sequence[Example], data_set: Path, reader: PictureReader, cache: PictureCache
) -> Iterator[tuple[int, bytes, Facts | str | None]]:
    """Yield index, key, and the facts, the fault, or ``None`` for what is known already."""
    waiting: deque[tuple[int, bytes, Future[Facts | str] | None]] = deque()
    pool = ThreadPoolExecutor(reader.workers, "edge-pictures")
    try:
        for index, example in enumerate(examples):
            try:
                key = picture_key(example.image, data_set)
            except OSError as error:
                yield index, b"", f"It cannot be read: {error.strerror}."
                continue
            future = None
            if not cache.has(key):
                future = pool.submit(_facts, example.image, reader)
            waiting.append((index, key, future))
            while len(waiting) > reader.workers * _AHEAD:
                yield _finished(waiting.popleft())
        while waiting:
            yield _finished(waiting.popleft())
    finally:  # after Ctrl-C what has not begun does not run
        pool.shutdown(cancel_futures=True)


def _finished(one: tuple[int, bytes, Future[Any] | None]) -> tuple[int, bytes, Facts | str | None]:
    index, key, future = one
    return index, key, None if future is None else future.result()


def _facts(image: Path, reader: PictureReader) -> Facts | str:
    """Facts of a picture, or what is wrong with it."""
    try:
        encoded = read_picture(image)
        frame = decode(encoded, max_pixels=reader.max_pixels, min_side=reader.min_side)
        features = None if reader.features is None else reader.features(frame)
    except InferenceFailed:  # which is no fault of the picture
        raise
    except EdgeError as error:
        return escape(error.message)
    return Facts(picture_digest(encoded), frame.width, frame.height, sketch(frame), features)

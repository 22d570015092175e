"""Runs pictures through an export as serving would: its file, its pipeline, its rules."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.datasets.picture_file import read_picture
from edge.errors import InputError, RequestError
from edge.export.read import read_export
from edge.model.rules import Rules
from edge.repository.version import ModelVersion
from edge.runtime.pipeline import DecodeOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from edge.model.prediction import Item
    from edge.model.tasks.task import Prediction

_AHEAD: Final = 2


@dataclass(frozen=True, slots=True)
class TrialAnswer:
    """What serving would answer.

    Attributes:
        scores: float32 [labels], in the model's order.
        items: those shown by default, best first.
        certain: by the model's own rules and the service's defaults.
        unlike_training: as `edge serve` answers; ``None`` if the model cannot say.
    """

    scores: NDArray[np.float32]
    items: Sequence[Item]
    certain: bool
    unlike_training: bool | None


class Trial:
    """An export, loaded as `edge serve` loads it.

    Raises:
        ExportError: it is refused, which would be a fault of the training.
    """

    def __init__(self, export: Path, *, max_pixels: int, workers: int) -> None:
        self._version = ModelVersion(export.name, 1, read_export(export))
        self._options = DecodeOptions(max_pixels)
        self._workers = workers
        self._version.load(workers, self._options)

    def answer_all(
        self, pictures: Sequence[Path], advance: Callable[[int, int], None]
    ) -> list[TrialAnswer | None]:
        """Answer pictures in their order; ``None`` for one that cannot be read."""
        answers: list[TrialAnswer | None] = []
        waiting: deque[Future[TrialAnswer | None]] = deque()
        pool = ThreadPoolExecutor(self._workers, "edge-trial")
        try:
            for picture in pictures:
                waiting.append(pool.submit(self._answer, picture))
                if len(waiting) > self._workers * _AHEAD:
                    answers.append(waiting.popleft().result())
                    advance(len(answers), len(pictures))
            for last in waiting:
                answers.append(last.result())
                advance(len(answers), len(pictures))
        finally:
            pool.shutdown(cancel_futures=True)
        return answers

    def _answer(self, picture: Path) -> TrialAnswer | None:
        try:
            prediction = self._predict(picture)
        except (RequestError, InputError):
            return None
        contract = self._version.contract
        items = prediction.select(contract.selection())
        rules = Rules().with_overrides(contract.tuning.fallback.rules)
        return TrialAnswer(
            prediction.scores,
            items,
            contract.is_certain(prediction, rules),
            prediction.unlike_training,
        )

    def _predict(self, picture: Path) -> Prediction:
        return self._version.predict(0, read_picture(picture), self._options).prediction

"""Where expected answers come from: another model, a file, the outbox, the online model."""

from __future__ import annotations

import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

from edge.errors import CloudError, CloudUnreachable, CommandError
from edge.evaluation.parity.difference import Expected
from edge.evaluation.parity.recorded import RecordedAnswers, read_expected
from edge.fallback.cloud import CloudRequest
from edge.fallback.policy import BlockedBy, LinkState

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Any

    from edge.fallback.link import Link
    from edge.repository.version import ModelVersion
    from edge.runtime.pipeline import DecodeOptions

_CONNECT_S: Final = 30.0
"""For the first connection: importing Google's library alone takes seconds."""

_POLL_S: Final = 0.05
_GRACE_S: Final = 5.0
"""Beyond the time of a call, after which the link itself has given up."""


class NoMoreAnswers(CommandError):
    """The source answers no further picture: the budget is spent, for instance."""

    code = "no_more_answers"


class Source(Protocol):
    """Gives the expected answer of one picture after the other.

    Attributes:
        name: for people.
    """

    name: str

    def expect(self, picture: str, content: bytes) -> Expected | None:
        """The expected answer; ``None`` if the source has none for this picture.

        Raises:
            NoMoreAnswers: nor will it have one for another picture.
            EdgeError: it failed with this picture.
        """
        ...

    def close(self) -> None:
        """Free what it holds."""
        ...


class OtherModel:
    """A second export of the same model, such as its SavedModel; it is loaded."""

    def __init__(self, version: ModelVersion, options: DecodeOptions) -> None:
        self.name = f"{version.export.path} ({version.export.family})"
        self._version = version
        self._options = options

    def expect(self, picture: str, content: bytes) -> Expected | None:
        """Run the picture through it."""
        del picture
        prediction = self._version.predict(0, content, self._options).prediction
        return Expected(prediction, frozenset(prediction.labels))

    def close(self) -> None:
        """Do nothing."""


class RecordedFile:
    """A file of recorded answers."""

    def __init__(self, file: Path, version: ModelVersion) -> None:
        self._answers = RecordedAnswers(file)
        self.name = self._answers.name
        self._version = version

    def expect(self, picture: str, content: bytes) -> Expected | None:
        """Look the picture up."""
        del content
        contract = self._version.contract
        renamed = contract.tuning.fallback.labels
        return self._answers.find(picture, contract.task, self._version.labels or (), renamed)

    def close(self) -> None:
        """Do nothing."""


class OutboxResults:
    """What the online model has answered to kept frames, by the key of each."""

    def __init__(self, results: Mapping[str, Mapping[str, Any]], version: ModelVersion) -> None:
        self.name = "the online model's answers in the outbox"
        self._results = results
        self._version = version

    def expect(self, picture: str, content: bytes) -> Expected | None:
        """Look the entry up; its labels are the edge's already."""
        del content
        result = self._results.get(picture)
        if result is None:
            return None
        task = self._version.contract.task
        value = {"predictions": result.get("predictions", [])}
        return read_expected(value, task, self._version.labels or (), {})

    def close(self) -> None:
        """Do nothing."""


class OnlineModel:
    """The online model itself; every call counts in its budget."""

    def __init__(self, link: Link, version: ModelVersion, seconds: float) -> None:
        """Connect.

        Args:
            seconds: for one call.

        Raises:
            CloudUnreachable: no connection.
        """
        self.name = "the online model"
        self._link = link
        self._version = version
        self._seconds = seconds
        link.start()
        if not _wait(lambda: link.state is LinkState.UP, _CONNECT_S):
            fault = link.status().fault or "no connection"
            link.stop()
            raise CloudUnreachable(f"The online model cannot be asked: {fault}")

    def expect(self, picture: str, content: bytes) -> Expected | None:
        """Ask about the picture."""
        del picture
        contract = self._version.contract
        request = CloudRequest(
            image=content,
            task=contract.task,
            labels=self._version.labels or (),
            renamed=contract.tuning.fallback.labels,
            model=self._version.name,
            endpoint=contract.tuning.fallback.endpoint,
        )
        submitted = self._link.submit(request, self._seconds)
        if isinstance(submitted, BlockedBy):
            raise NoMoreAnswers(f"The online model was not asked any further: {submitted}.")
        try:
            response = submitted.result(self._seconds + _GRACE_S)
        except FutureTimeoutError as error:
            raise CloudUnreachable("The online model did not answer in time.") from error
        labels = frozenset(response.prediction.labels)
        scored = {
            label
            for label, score in zip(
                response.prediction.labels, response.prediction.scores, strict=True
            )
            if score > 0
        }
        return Expected(response.prediction, frozenset(scored) or labels)

    def close(self) -> None:
        """Write what was spent, and disconnect."""
        with suppress(CloudError):
            self._link.stop()


def _wait(is_met: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not is_met():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True

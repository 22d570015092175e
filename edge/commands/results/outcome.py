"""What became of one image of `edge predict`, and the interface of whatever shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edge.dataplane.answer import Answer

if TYPE_CHECKING:
    from edge.commands.images import ImageFile
    from edge.commands.results.summary import Summary
    from edge.errors import EdgeError


@dataclass(frozen=True, slots=True)
class Outcome:
    """One image with its answer, or the error in its place.

    Attributes:
        name: of the image, for people.
        content: its bytes; empty if they could not be read.
    """

    image: ImageFile
    name: str
    content: bytes
    result: Answer | EdgeError

    @property
    def answer(self) -> Answer | None:
        """The answer; ``None`` if there is an error in its place."""
        return self.result if isinstance(self.result, Answer) else None

    @property
    def status(self) -> str:
        """``certain``, ``unsure`` or ``failed``."""
        if self.answer is None:
            return "failed"
        return "certain" if self.answer.certain else "unsure"


class Output(Protocol):
    """Shows or writes outcomes, one after the other."""

    async def add(self, outcome: Outcome) -> None:
        """Take the next outcome, in the order of the images."""
        ...

    def finish(self, summary: Summary) -> None:
        """Complete what was written; called once, after Ctrl-C as well."""
        ...

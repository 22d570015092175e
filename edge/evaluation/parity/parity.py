"""Takes pictures through an export and compares each answer with the expected one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.errors import EdgeError
from edge.evaluation.parity.difference import compare
from edge.evaluation.parity.preprocessing import MAX_PICTURES
from edge.evaluation.parity.sources import NoMoreAnswers

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from edge.evaluation.parity.difference import Difference, Expected
    from edge.evaluation.parity.sources import Source
    from edge.repository.version import ModelVersion
    from edge.runtime.pipeline import DecodeOptions


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture by its name, and how to read it; raises `EdgeError`."""

    name: str
    read: Callable[[], bytes]


@dataclass(slots=True)
class Parity:
    """How an export's answers compare with those of one source.

    Attributes:
        source: name of the source.
        differences: number of each compared picture to how far the answers are apart.
        missing: pictures for which the source has no answer.
        failures: name of a picture and why it could not be compared.
        ended: why the source answered no further picture; empty if it answered all.
        sample: number of a picture to what it should get, for trying out preprocessing: the first
            pictures, and those that differ most.
    """

    source: str
    differences: dict[int, Difference] = field(default_factory=dict)
    missing: int = 0
    failures: list[tuple[str, str]] = field(default_factory=list)
    ended: str = ""
    sample: dict[int, Expected] = field(default_factory=dict)

    def add(self, number: int, difference: Difference, expected: Expected) -> None:
        """Take a comparison; what was expected is kept of a few pictures only."""
        self.differences[number] = difference
        self.sample[number] = expected
        if len(self.sample) > MAX_PICTURES:
            later = [n for n in self.sample if n >= MAX_PICTURES // 2]
            del self.sample[min(later, key=lambda n: self.differences[n].distance)]

    @property
    def compared(self) -> int:
        """Number of pictures."""
        return len(self.differences)

    @property
    def same(self) -> int:
        """Pictures with the same label or objects."""
        return sum(one.same for one in self.differences.values())

    @property
    def agreeing(self) -> int:
        """Pictures that are the same, or too close to call."""
        return sum(one.agrees for one in self.differences.values())

    @property
    def mean_difference(self) -> float | None:
        """Mean distance of all scores; ``None`` if none was compared."""
        return _mean([score for one in self.differences.values() for score in one.scores])

    @property
    def mean_overlap(self) -> float | None:
        """Mean IoU of all pairs of objects; ``None`` if there are none."""
        return _mean([overlap for one in self.differences.values() for overlap in one.overlaps])

    @property
    def worst(self) -> int | None:
        """Number of the picture that differs most: first those that disagree, then by score."""
        if not self.differences:
            return None
        return max(
            self.differences,
            key=lambda n: (not self.differences[n].agrees, self.differences[n].worst),
        )

    def is_verified(self, tolerance: float) -> bool:
        """Whether all pictures agree, none failed, and scores differ by no more on average."""
        mean = self.mean_difference
        if not self.compared or self.failures or self.agreeing < self.compared:
            return False
        return mean is None or mean <= tolerance


@dataclass(frozen=True, slots=True)
class Outcome:
    """All comparisons of one run.

    Attributes:
        planned: number of pictures that were named.
        done: number of those that were looked at.
    """

    parities: Sequence[Parity]
    planned: int
    done: int


def verify(
    version: ModelVersion,
    options: DecodeOptions,
    pictures: Sequence[Picture],
    sources: Sequence[Source],
    tolerance: float,
    advance: Callable[[], None] = lambda: None,
) -> Outcome:
    """Compare the export with each source, one picture after the other.

    Args:
        version: the export, loaded.
        tolerance: by how much scores may differ, 0..1.
        advance: called after each picture.
    """
    parities = [Parity(source.name) for source in sources]
    done = 0
    try:
        for number, picture in enumerate(pictures):
            _look_at(version, options, picture, number, sources, parities, tolerance)
            done += 1
            advance()
    except KeyboardInterrupt:  # what was compared is reported
        pass
    return Outcome(parities, len(pictures), done)


def _look_at(
    version: ModelVersion,
    options: DecodeOptions,
    picture: Picture,
    number: int,
    sources: Sequence[Source],
    parities: Sequence[Parity],
    tolerance: float,
) -> None:
    try:
        content = picture.read()
        own = version.predict(0, content, options).prediction
    except EdgeError as error:
        for parity in parities:
            parity.failures.append((picture.name, error.message))
        return
    shown = version.contract.selection()
    for source, parity in zip(sources, parities, strict=True):
        if parity.ended:
            continue
        try:
            expected = source.expect(picture.name, content)
        except NoMoreAnswers as error:
            parity.ended = error.message
        except EdgeError as error:
            parity.failures.append((picture.name, error.message))
        else:
            if expected is None:
                parity.missing += 1
            else:
                parity.add(number, compare(own, expected, shown, tolerance), expected)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None

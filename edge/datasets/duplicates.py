"""Finds pictures that are the same, or nearly: another size or compression, the next of a burst.

Two pictures are the same if their files have the same bytes. They are near duplicates if their
sketches agree in what distinguishes them from the other pictures of the set: each sketch is
brought to the same brightness and contrast, the mean of all is taken off, and the rest must
correlate. So two parts that were photographed in the same place are not duplicates because of the
table under them, and two that differ in colour alone are none.

Candidates are found by 128 random projections of that rest (SimHash: Charikar 2002). The share of
bits in which two pictures differ is their angle; they are compared with numpy, one picture with all
others at once, and only candidates are compared in full.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.datasets.dataset import Example

_MIN_CORRELATION: Final = 0.97
"""Of near duplicates. Other sizes and JPEG qualities give 0.98 and more."""

_BITS: Final = 128
_MAX_DIFFERENT_BITS: Final = 22
"""A correlation of 0.97 gives 10 different bits, with a deviation of 3."""

_MEAN_WEIGHT: Final = 10
"""Pictures that must be there before half of their mean is taken off: a few pictures have no
background in common, but two halves of one scene."""

_CONTRAST: Final = 50.0
"""Grey levels (root mean square) that each sketch is brought to: otherwise a brighter lamp would
make pictures alike that have nothing but their background in common."""

_MIN_CONTRAST: Final = 25.0
"""Below this a sketch is not raised further: it would be noise."""

_MIN_REST: Final = 1.5
"""Grey levels (root mean square) that distinguish a picture. Below it is blank but for noise."""

_MAX_BLANK_DIFFERENCE: Final = 3.0
"""Grey levels between the mean colours of two blank pictures that are the same."""

_MAX_GROUP: Final = 20
_MAX_GROUP_SHARE: Final = 0.2
"""Of a label's pictures. A larger group than both is what the label looks like."""

_BLOCK: Final = 512
"""Sketches in memory at once: 6 MB as float32."""


def exact_groups(digests: Sequence[bytes]) -> NDArray[np.int64]:
    """The group of each picture: the index of the first one with the same bytes; int64 [n]."""
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(one, index) for index, one in enumerate(digests)], np.int64)


def near_groups(
    sketches: NDArray[np.uint8],
    rows: NDArray[np.int64],
    exact: NDArray[np.int64],
    advance: Callable[[], None] = lambda: None,
) -> NDArray[np.int64]:
    """Join pictures that nearly agree, directly or through others.

    Args:
        sketches: uint8 [records, side, side, 3]; may be a memory map.
        rows: record of each picture, int64 [n].
        exact: groups of the same bytes, int64 [n]; they stay together.
        advance: called for each picture.

    Returns:
        The group of each picture, int64 [n]: the index of its first member.
    """
    groups = exact.copy()
    if not len(rows):
        return groups
    rest = _Rest(sketches, rows)
    signs = rest.signs()
    firsts = np.unique(exact)
    for place, index in enumerate(firsts):
        advance()
        others = firsts[place + 1 :]
        others = others[groups[others] != groups[index]]
        if not len(others):
            continue
        different = np.bitwise_count(signs[others] ^ signs[index]).sum(axis=1)
        candidates = others[different <= _MAX_DIFFERENT_BITS]
        alike = candidates[rest.agree(int(index), candidates)]
        if len(alike):
            joined = np.unique(np.append(groups[alike], groups[index]))
            groups[np.isin(groups, joined)] = joined[0]
    return groups


def members(groups: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """The groups of more than one picture: their indices, the largest group first."""
    by_group: defaultdict[int, list[int]] = defaultdict(list)
    for index, group in enumerate(groups):
        by_group[int(group)].append(index)
    found = [np.array(indices) for indices in by_group.values() if len(indices) > 1]
    return sorted(found, key=lambda indices: (-len(indices), int(indices[0])))


def groups_to_split(
    exact: NDArray[np.int64], near: NDArray[np.int64], examples: Sequence[Example]
) -> NDArray[np.int64]:
    """The groups that a split keeps together: int64 [n].

    Near duplicates, except where a large part of a label's pictures is one group: a camera that
    never moves makes such pictures, and a test without any of them would ask for nothing.
    """
    groups = near.copy()
    sizes = Counter(example.labels for example in examples)
    for indices in members(near):
        size = sum(sizes[labels] for labels in {examples[index].labels for index in indices})
        if len(indices) > max(_MAX_GROUP, size * _MAX_GROUP_SHARE):
            groups[indices] = exact[indices]
    return groups


class _Rests(NamedTuple):
    """What distinguishes some pictures.

    Attributes:
        rest: float32 [n, size].
        size: its root mean square, [n].
        is_blank: whether the picture, or its rest, is nothing but noise, [n].
        colour: the mean, [n, 3].
    """

    rest: NDArray[np.float32]
    size: NDArray[np.float32]
    is_blank: NDArray[np.bool_]
    colour: NDArray[np.float32]


def _root_mean_square(values: NDArray[np.float32]) -> NDArray[np.float32]:
    result: NDArray[np.float32] = np.sqrt(np.square(values).mean(axis=1))
    return result


class _Rest:
    """What distinguishes each picture from the others of the set."""

    def __init__(self, sketches: NDArray[np.uint8], rows: NDArray[np.int64]) -> None:
        self._sketches = sketches
        self._rows = rows
        count = len(rows)
        total = np.zeros(sketches[0].size)
        for start in range(0, count, _BLOCK):
            total += self._centred(slice(start, start + _BLOCK))[0].sum(axis=0, dtype=np.float64)
        self._common = (total / (count + _MEAN_WEIGHT)).astype(np.float32)

    def signs(self) -> NDArray[np.uint64]:
        """The signs of the projections, as bits: uint64 [n, 2]."""
        shape = (self._common.size, _BITS)
        directions = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
        signs = np.zeros((len(self._rows), _BITS // 64), np.uint64)
        for start in range(0, len(self._rows), _BLOCK):
            block = slice(start, start + _BLOCK)
            own = self._of(block)
            # All blank pictures agree.
            bits = np.where(own.is_blank[:, None], False, own.rest @ directions > 0)
            signs[block] = np.packbits(bits, axis=1).view(np.uint64)
        return signs

    def agree(self, index: int, candidates: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether each of the candidates nearly agrees with a picture: [len(candidates)]."""
        own = self._of(np.array([index]))
        result = np.zeros(len(candidates), bool)
        for start in range(0, len(candidates), _BLOCK):
            block = slice(start, start + _BLOCK)
            them = self._of(candidates[block])
            scale = np.maximum(them.size * own.size, 1e-6)
            correlates = (them.rest @ own.rest[0]) / (scale * own.rest.size) >= _MIN_CORRELATION
            same_colour = np.abs(them.colour - own.colour).max(axis=1) < _MAX_BLANK_DIFFERENCE
            both_blank = them.is_blank & own.is_blank
            no_blank = ~them.is_blank & ~own.is_blank
            result[block] = np.where(both_blank, same_colour, no_blank & correlates)
        return result

    def _of(self, indices: Any) -> _Rests:
        centred, colour = self._centred(indices)
        rest = centred - self._common
        size = _root_mean_square(rest)
        is_blank = np.minimum(size, _root_mean_square(centred)) < _MIN_REST
        return _Rests(rest, size, is_blank, colour)

    def _centred(self, indices: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Sketches in the same light, float32 [n, size], and their mean colours [n, 3]."""
        pixels = self._sketches[self._rows[indices]].astype(np.float32)
        colours = pixels.mean(axis=(1, 2))
        flat = pixels.reshape(len(pixels), -1)
        flat -= flat.mean(axis=1, keepdims=True)
        contrast = np.sqrt(np.square(flat).mean(axis=1, keepdims=True))
        return flat * (_CONTRAST / np.maximum(contrast, _MIN_CONTRAST)), colours

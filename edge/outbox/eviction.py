"""Which entries make room when the outbox is full: the least valuable first. Pure.

An entry goes before another

1. by its rank, lower first: delivered (or nothing to deliver), then resolved, then dead letters,
   then waiting, then those that a person has corrected;
2. within a rank by its value, lower first: (1 - confidence) + 1 / (entries with the same label).
   Confident predictions and frequent labels go first; uncertain and rare ones stay;
3. of equal value, the older one.

Labels are counted over all entries that are left, so that the tenth picture of a daisy is worth
less than the first.
"""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Candidate:
    """What decides an entry's turn.

    Attributes:
        sequence: grows with every entry.
        rank: 0 goes first; see this module's docstring.
        confidence: the edge's best score, 0..1; 0 if it had no answer.
        label: the edge's best label; empty if it had none.
        size: bytes.
    """

    sequence: int
    rank: int
    confidence: float
    label: str
    size: int


def to_evict(
    candidates: Iterable[Candidate], *, excess_bytes: int, excess_entries: int
) -> list[int]:
    """Sequences to drop, in order, until that many bytes and entries are free.

    A label's count falls as its entries go, which only ever raises the value of those left. An
    entry drawn from the heap whose value has risen goes back in with the new one.
    """
    remaining = list(candidates)
    by_label = Counter(candidate.label for candidate in remaining)

    def priority(candidate: Candidate) -> tuple[int, float, int]:
        value = (1 - candidate.confidence) + 1 / by_label[candidate.label]
        return candidate.rank, value, candidate.sequence

    heap = [(priority(candidate), candidate) for candidate in remaining]
    heapq.heapify(heap)
    evicted: list[int] = []
    while heap and (excess_bytes > 0 or excess_entries > 0):
        known, candidate = heapq.heappop(heap)
        current = priority(candidate)
        if current != known:
            heapq.heappush(heap, (current, candidate))
            continue
        by_label[candidate.label] -= 1
        evicted.append(candidate.sequence)
        excess_bytes -= candidate.size
        excess_entries -= 1
    return evicted

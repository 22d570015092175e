"""Which entries make room when the outbox is full: the least valuable first. Pure.

The order, stated: an entry goes before another
1. by its state: answered and told (or nobody is to be told), then answered, then set aside, then waiting ones;
2. within a state, by its value, lower first: value = (1 - confidence) + 1 / (entries with the same label). What the edge
   was sure of and what there is much of goes first; the least certain and the rarest stay;
3. of equal value, the older one.
Labels are counted over all entries that are left, so that the tenth picture of a daisy is worth less than the first.
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
    """What the order looks at.

    Attributes:
        sequence: grows with every entry.
        rank: 0 goes first; see the module.
        confidence: the edge's best score, 0..1; 0 where it had no answer.
        label: the edge's best label; empty where it had none.
        size: bytes.
    """

    sequence: int
    rank: int
    confidence: float
    label: str
    size: int


def to_evict(candidates: Iterable[Candidate], *, spare_bytes: int, spare_entries: int) -> list[int]:
    """Sequences to drop, in their order, until that many bytes and entries are free.

    A label's count falls as its entries go, which only ever makes those left more valuable: an entry drawn from the
    heap whose value has risen goes back in with the new one.
    """
    left = list(candidates)
    by_label = Counter(one.label for one in left)

    def order(one: Candidate) -> tuple[int, float, int]:
        return one.rank, (1 - one.confidence) + 1 / by_label[one.label], one.sequence

    heap = [(order(one), one) for one in left]
    heapq.heapify(heap)
    evicted: list[int] = []
    while heap and (spare_bytes > 0 or spare_entries > 0):
        known, one = heapq.heappop(heap)
        if order(one) != known:
            heapq.heappush(heap, (order(one), one))
            continue
        by_label[one.label] -= 1
        evicted.append(one.sequence)
        spare_bytes -= one.size
        spare_entries -= 1
    return evicted

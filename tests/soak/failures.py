"""What must not happen and did, by kind; keeps the bytes of the requests after which it did."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from soak.shot import Shot

_KEPT_PER_KIND = 3


@dataclass(frozen=True, slots=True)
class Failure:
    """One of them.

    Attributes:
        what: its kind, in a few words.
        shot: after which it happened; ``None`` if that is not known.
        detail: what was received, or the log's lines.
    """

    what: str
    shot: Shot | None
    detail: str


class Failures:
    """All of a run: every one is counted, and the first of each kind are kept.

    Attributes:
        counts: kind to number.
        kept: the first of each kind.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.kept: list[Failure] = []

    def add(self, what: str, shot: Shot | None, detail: str = "") -> None:
        """Count one."""
        self.counts[what] += 1
        if self.counts[what] <= _KEPT_PER_KIND:
            self.kept.append(Failure(what, shot, detail))

    def lines(self) -> list[str]:
        """A line for each kind, with the ids of the requests that are kept."""
        lines = []
        for what, number in self.counts.most_common():
            alike = [failure for failure in self.kept if failure.what == what]
            ids = [failure.shot.request_id for failure in alike if failure.shot is not None]
            lines.append(f"FAILED {number:,} x {what}" + (f": {', '.join(ids)}" if ids else ""))
            if not ids:
                lines.append(alike[0].detail[:4_000])
        return lines

    def write(self, folder: Path) -> None:
        """Write ``ID.request`` with the bytes that were sent, and ``ID.txt`` with what came."""
        for failure in self.kept:
            shot = failure.shot
            if shot is None:
                continue
            folder.mkdir(parents=True, exist_ok=True)
            sent = [shot.data, *shot.messages, shot.tail]
            (folder / f"{shot.request_id}.request").write_bytes(b"".join(sent))
            with (folder / f"{shot.request_id}.txt").open("a", encoding="utf-8") as file:
                words = f"{failure.what}\n\n{failure.detail}\n\n"
                file.write(words.encode("utf-8", "replace").decode())

"""Numbers of things, in words."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """A number and its noun: ``1 box``, ``2,000 boxes``."""
    return f"1 {noun}" if number == 1 else f"{number:,} {plural(noun)}"


def plural(noun: str) -> str:
    """The plural of a noun that forms it with s or es."""
    return f"{noun}es" if noun.endswith("x") else f"{noun}s"

"""Writes the images with their predictions drawn in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import click

from edge.commands.images import STANDARD_INPUT
from edge.errors import OutputError, RequestError
from edge.printable import escape
from edge.vision.draw import Mark, draw

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from edge.commands.images import ImageFile
    from edge.commands.results.outcome import Outcome
    from edge.commands.results.summary import Summary

_PICTURES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp"})


class Drawings:
    """Draws each answered image.

    Args:
        target: the picture to write for a single image, or else the folder for all.
        images: all images.
        max_pixels: of the largest image that is drawn.
        words_for: gives the words for a label that people are to see.

    Raises:
        OutputError: the folder cannot be made, or the picture would replace its image.
    """

    def __init__(
        self,
        target: Path,
        images: Sequence[ImageFile],
        max_pixels: int,
        words_for: Callable[[str], str],
    ) -> None:
        self._target = target
        self._words_for = words_for
        self._max_pixels = max_pixels
        # An image is never written over, wherever its picture would go.
        self._taken = {image.path.resolve() for image in images}
        names_a_picture = target.suffix.lower() in _PICTURES and not target.is_dir()
        self._single = len(images) == 1 and names_a_picture
        if self._single and target.resolve() in self._taken:
            raise OutputError(f"{target} is the image itself. Name another file.")
        if not self._single:
            try:
                target.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = f"The pictures cannot be written to {target}: {error.strerror}."
                raise OutputError(reason) from error

    async def add(self, outcome: Outcome) -> None:
        """Write the picture of an image, if it was answered."""
        if outcome.answer is None:
            return
        out = self._target if self._single else self._unused(outcome.image.path)
        marks = [
            Mark(self._words_for(item.label), item.index, item.score, item.box)
            for item in outcome.answer.items
        ]
        heat = outcome.answer.prediction.heat_map
        try:
            await asyncio.to_thread(
                draw, outcome.content, marks, out, max_pixels=self._max_pixels, heat=heat
            )
        except RequestError as error:  # a model that decodes by itself accepted this image
            click.echo(escape(f"edge: {outcome.name} is not drawn: {error.message}"), err=True)

    def finish(self, summary: Summary) -> None:
        """Each picture is written already."""

    def _unused(self, path: Path) -> Path:
        """The file for an image's picture; never one that another image has."""
        stem = "standard-input" if str(path) == STANDARD_INPUT else path.stem
        file, number = self._target / f"{stem}.jpg", 1
        while file.resolve() in self._taken:
            number += 1
            file = self._target / f"{stem}-{number}.jpg"
        self._taken.add(file.resolve())
        return file

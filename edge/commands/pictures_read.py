"""What a command has read of pictures: kept for `--resume` where that can be, else for itself."""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from edge.datasets.picture_cache import PictureCache
from edge.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def picture_cache(folder: Path, data_set: Path, *, resume: bool) -> Iterator[PictureCache]:
    """Open the cache of a data set; after Ctrl-C, say on standard error how to go on.

    Where it cannot be kept (a read-only folder, another edge that reads the same set) the pictures
    are read for this run alone, and that is said.

    Raises:
        OutputError: it cannot be kept, and ``resume`` asks for what an earlier run has kept.
    """
    try:
        cache = PictureCache(folder, data_set, keep=resume)
    except OutputError as error:
        if resume:
            raise
        click.echo(f"note: what is read now is not kept. {error.message}", err=True)
        with (
            TemporaryDirectory(prefix="edge-pictures-") as scratch,
            closing(PictureCache(Path(scratch), data_set, keep=False)) as cache,
        ):
            yield cache
        return
    with closing(cache):
        try:
            yield cache
        except KeyboardInterrupt:
            click.echo(
                "What was read is kept: give the same command with --resume to go on.", err=True
            )
            raise

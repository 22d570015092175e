"""`edge outbox`: list, show, export, retry and purge stored frames, also while the service runs."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.commands.results.text import echo_json
from edge.errors import OutputError, UsageError
from edge.outbox.describe import entry_json
from edge.outbox.entry import EntryState
from edge.outbox.export import NONE_OF_THESE, Labels, Plan, export
from edge.outbox.rows import is_item
from edge.printable import escape
from edge.wiring.cloud import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge.outbox.entry import Entry
    from edge.outbox.store import Store
    from edge.settings import Settings

_SHOWN_KEY_LENGTH = 12
_COLUMNS = ("key", "state", "model", "edge", "cloud", "person", "reason", "camera")


def show_all(settings: Settings, *, state: str | None, limit: int, as_json: bool) -> None:
    """Print the entries, oldest first, as a table or as one JSON object per line."""
    wanted_state = None if state is None else EntryState(state)
    with _store(settings) as store:
        entries = store.entries(state=wanted_state, limit=limit)
        counts = store.counts()
    if as_json:
        for entry in entries:
            echo_json(entry_json(entry))
        return
    table = Table(*_COLUMNS, box=None, header_style="bold")
    for entry in entries:
        table.add_row(*(Text(escape(cell)) for cell in _cells(entry)))
    Console().print(table)
    by_state = ", ".join(f"{counts[one]} {one}" for one in EntryState)
    click.echo(f"{by_state}; {counts['bytes']:,} bytes")


def show(settings: Settings, key: str, image: Path | None) -> None:
    """Print one entry as JSON, and write its image to ``image`` if that is given.

    Raises:
        UsageError: there is no such entry.
        OutputError: the image cannot be written.
        OutboxError: the image was not stored, or cannot be decrypted.
    """
    with _store(settings) as store:
        entry = _entry(store, key)
        if image is not None:
            content = store.image(entry.key)
            try:
                image.write_bytes(content)
            except OSError as error:
                raise OutputError(
                    f"The image cannot be written to {image}: {error.strerror}."
                ) from error
    echo_json(entry_json(entry), indent=2)


def export_all(
    settings: Settings,
    folder: Path,
    *,
    model: str | None,
    prefix: str | None,
    labels: str,
    threshold: float,
    none_of_the_above: bool,
) -> None:
    """Write the images and Vertex AI's import files."""
    plan = Plan(
        folder,
        prefix,
        Labels(labels),
        threshold,
        settings.max_pixels,
        model,
        none_of_the_above=none_of_the_above,
    )
    with _store(settings) as store:
        done = export(store, plan)
    click.echo(f"{done.images} images in {folder}, {done.labelled} of them with labels")
    if done.left_out:
        click.echo(f"{done.left_out} entries were left out: they cannot be read", err=True)


def retry(settings: Settings, keys: Sequence[str]) -> None:
    """Retry dead letters and failed deliveries: those of ``keys``, or all if it is empty."""
    with _store(settings) as store:
        count = store.retry(_full_keys(store, keys) if keys else None)
    click.echo(f"{count} entries will be tried again")


def purge(settings: Settings, keys: Sequence[str], states: Sequence[str]) -> None:
    """Drop the entries with these keys and those in these states."""
    if not keys and not states:
        raise UsageError("Nothing to drop: name entries by their keys, or pass --state.")
    with _store(settings) as store:
        count = store.purge(
            states=[EntryState(state) for state in states], keys=_full_keys(store, keys)
        )
    click.echo(f"{count} entries dropped")


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    store = open_store(settings, create=False)
    try:
        yield store
    finally:
        store.close()


def _full_keys(store: Store, keys: Sequence[str]) -> list[str]:
    return [_entry(store, key).key for key in keys]


def _entry(store: Store, key: str) -> Entry:
    """The entry whose key is ``key`` or starts with it."""
    entry = store.get(key)
    if entry is None:
        raise UsageError(f"The outbox holds no entry {key}, or more than one that starts with it.")
    return entry


def _cells(entry: Entry) -> tuple[str, ...]:
    """The entry's row of the table."""
    edge = f"{entry.label} {entry.confidence:.2f}" if entry.label else ""
    cloud = ""
    predictions = (entry.result or {}).get("predictions")
    if predictions and is_item(predictions[0]):
        best = predictions[0]
        cloud = f"{best['label']} {best['score']:.2f}"
    key = entry.key[:_SHOWN_KEY_LENGTH]
    person = "" if entry.correction is None else entry.correction or NONE_OF_THESE
    return key, entry.state, entry.model, edge, cloud, person, entry.reason, entry.camera

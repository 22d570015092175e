"""`edge outbox`: look at kept frames, export them, try them again, drop them. The service may run beside."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.assistance import open_store
from edge.errors import OutputError, UsageError
from edge.outbox.describe import entry_json
from edge.outbox.entry import State
from edge.outbox.export import Labels, Plan, export

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from edge.outbox.store import Store
    from edge.settings import Settings

_KEY_LETTERS = 12


def show_all(settings: Settings, *, state: str | None, limit: int, as_json: bool) -> None:
    """Print the entries in their order."""
    with _store(settings) as store:
        entries = store.entries(state=None if state is None else State(state), limit=limit)
        counts = store.counts()
    if as_json:
        for entry in entries:
            click.echo(json.dumps(entry_json(entry), ensure_ascii=False))
        return
    table = Table("key", "state", "model", "edge", "cloud", "reason", "camera", box=None, header_style="bold")
    for entry in entries:
        edge = f"{entry.label} {entry.certainty:.2f}" if entry.label else ""
        found = entry.result["predictions"] if entry.result else ()
        cloud = f"{found[0]['label']} {found[0]['score']:.2f}" if found else ""
        row = (entry.key[:_KEY_LETTERS], entry.state, entry.model, edge, cloud, entry.reason, entry.camera)
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
    states = ", ".join(f"{counts[one]} {one}" for one in State)
    click.echo(f"{states}; {counts['bytes']:,} bytes")


def show(settings: Settings, key: str, image: Path | None) -> None:
    """Print one entry as JSON, and write its image where asked.

    Raises:
        UsageError: there is no such entry.
        OutputError: the image cannot be written.
        OutboxError: its image was not kept, or does not open.
    """
    with _store(settings) as store:
        key = _key(store, key)
        entry = store.get(key)
        assert entry is not None
        if image is not None:
            content = store.image(key)
            try:
                image.write_bytes(content)
            except OSError as error:
                raise OutputError(f"The image cannot be written to {image}: {error.strerror}.") from error
    click.echo(json.dumps(entry_json(entry), indent=2, ensure_ascii=False))


def export_all(
    settings: Settings, folder: Path, *, model: str | None, prefix: str | None, labels: str, threshold: float
) -> None:
    """Write the images and Vertex AI's import files."""
    plan = Plan(folder, prefix, Labels(labels), threshold, settings.max_pixels, model)
    with _store(settings) as store:
        done = export(store, plan)
    click.echo(f"{done.images} images in {folder}, {done.labelled} of them with labels")
    if done.left_out:
        click.echo(f"{done.left_out} entries were left out: their images cannot be read", err=True)


def retry(settings: Settings, keys: Sequence[str]) -> None:
    """Let entries that were set aside wait again; all of them where none is named."""
    with _store(settings) as store:
        count = store.retry([_key(store, key) for key in keys] if keys else None)
    click.echo(f"{count} entries are tried again")


def purge(settings: Settings, keys: Sequence[str], states: Sequence[str]) -> None:
    """Drop the entries named, or those of the states."""
    if not keys and not states:
        raise UsageError("Name entries, or --state; nothing is dropped without being named.")
    with _store(settings) as store:
        count = store.purge(states=[State(state) for state in states], keys=[_key(store, key) for key in keys])
    click.echo(f"{count} entries dropped")


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    store = open_store(settings, create=False)
    try:
        yield store
    finally:
        store.close()


def _key(store: Store, start: str) -> str:
    entry = store.get(start)
    if entry is None:
        raise UsageError(f"The outbox holds no entry {start}, or more than one that begins so.")
    return entry.key

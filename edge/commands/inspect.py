"""`edge inspect`: shows what an export contains, once its runtime has accepted it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.commands.named_model import find_model
from edge.commands.results.text import echo_json
from edge.export.describe import export_json, export_rows
from edge.export.read import read_export
from edge.printable import escape
from edge.repository.version import ModelVersion
from edge.runtime.pipeline import DecodeOptions
from edge.wiring.bootstrap import build_prover

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.settings import Settings


def run(name: str, settings: Settings, *, as_json: bool) -> None:
    """Read the export, run its first frame, and print its contract.

    Args:
        name: path of an export, or name of a model.

    Raises:
        ExportError: the service or the runtime refuses it.
        UsageError: there is neither an export nor a model of that name.
    """
    version = _find(name, settings)
    export = version.export
    version.load(1, DecodeOptions(settings.max_pixels))
    if as_json:
        echo_json(export_json(export, version.labels), indent=2)
        return
    _print_rows(export_rows(export, version.labels))


def _print_rows(rows: Iterable[tuple[str, str, str]]) -> None:
    """Print a table on a terminal, else a tab-separated line for each row; nothing is cut."""
    if not sys.stdout.isatty():
        for row in rows:
            click.echo("\t".join(escape(field) for field in row))
        return
    table = Table(show_header=True, header_style="dim", box=None, pad_edge=False)
    for heading in ("", "", "read from"):
        table.add_column(heading, overflow="fold")
    for name, value, origin in rows:
        table.add_row(Text(name, "bold"), Text(escape(value)), Text(escape(origin), "dim"))
    Console().print(table)


def _find(name: str, settings: Settings) -> ModelVersion:
    path = Path(name)
    if not path.exists():
        _, version, _ = find_model(name, settings)
        return version
    # The export itself, rather than a repository: what is in a folder is looked at more closely.
    export = read_export(path, allow_unsafe=settings.allow_unsafe_models)
    return ModelVersion(export.model.stem, 1, export, build_prover(settings))

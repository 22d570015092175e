"""`edge inspect`: shows what an export contains, once its runtime has accepted it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from edge.export.describe import export_json, export_rows
from edge.export.read import read_export
from edge.printable import escape, printable_json
from edge.repository.version import ModelVersion
from edge.runtime.pipeline import DecodeOptions
from edge.wiring.bootstrap import build_prover

if TYPE_CHECKING:
    from pathlib import Path

    from edge.settings import Settings


def run(path: Path, settings: Settings, *, as_json: bool) -> None:
    """Read the export, run its first frame, and print its contract.

    Raises:
        ExportError: the service or the runtime refuses it.
    """
    export = read_export(path, allow_unsafe=settings.allow_unsafe_models)
    version = ModelVersion(export.model.stem, 1, export, build_prover(settings))
    version.load(1, DecodeOptions(settings.max_pixels))
    if as_json:
        click.echo(printable_json(export_json(export, version.labels), indent=2))
        return
    table = Table(
        "", "", "read from", show_header=True, header_style="dim", box=None, pad_edge=False
    )
    for name, value, origin in export_rows(export, version.labels):
        table.add_row(Text(name, "bold"), Text(escape(value)), Text(escape(origin), "dim"))
    Console().print(table)

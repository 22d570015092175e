"""The command line: `edge serve`, `edge predict`, `edge inspect`, `edge key`, `edge bench`, `edge outbox`.

Takes arguments apart and turns errors into one clear line; the commands themselves are in `edge.commands`, imported
when they are asked for, so that each starts as fast as it can.
"""

# ruff: noqa: PLC0415 -- imports inside the commands, as said above

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge import __version__
from edge.api_key import Scope
from edge.errors import EdgeError
from edge.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

REFUSED = 2
"""Exit code where a command could not do what was asked at all; 1 where some images failed."""

_PATH = click.Path(path_type=Path)


class _Group(click.Group):
    """Commands whose errors are one clear line, never a stack trace."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EdgeError as error:
            click.echo(f"edge: {error.message}", err=True)
            ctx.exit(REFUSED)


def _setting(name: str) -> Callable[..., Any]:
    """The flag of a setting, described as in `edge.settings`."""
    field = Settings.model_fields[name]
    flag = f"--{name.replace('_', '-')}"
    shown = field.default is not None and field.default not in ({}, "")
    default = f"  [default: {field.default}]" if shown else ""
    words = f"{field.description}{default}"
    if field.annotation is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=words)
    return click.option(flag, name, default=None, metavar="VALUE", help=words)


def _settings(*names: str) -> Callable[..., Any]:
    """The flags of several settings, and of the file that holds them."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        command = click.option("--config", type=_PATH, help="A TOML file with settings. Also EDGE_CONFIG.")(command)
        for name in reversed(names):
            command = _setting(name)(command)
        return command

    return add


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edge")
def main() -> None:
    """Runs a Google AutoML Vision or Vertex AI edge export, offline."""


@main.command()
@_settings(*Settings.model_fields)
def serve(config: Path | None, **flags: Any) -> None:
    """Serve the models over HTTP. Every flag can also be set as EDGE_<NAME> or in a TOML file."""
    from edge.commands.serve import run

    run(load_settings(flags, config))


@main.command()
@_settings("host", "port")
def health(config: Path | None, **flags: Any) -> None:
    """Say whether the service on this machine is ready; exit code 1 if not."""
    from edge.commands.health import check
    from edge.web.tls import uses_tls

    settings = load_settings(flags, config)
    fault = check(settings.host, settings.port, secure=uses_tls(settings))
    click.echo(fault or "ready")
    sys.exit(1 if fault else 0)


@main.command()
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option("--model", help="Name of a model, or the path of an export. The default model if not given.")
@click.option("--top-k", type=click.IntRange(min=1), help="Show at most so many predictions.")
@click.option("--threshold", type=click.FloatRange(0, 1), help="Leave out predictions under this score.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line, one an image.")
@click.option("--draw", type=_PATH, help="Write the pictures with what was seen: a file for one image, else a folder.")
@_settings("models", "workers", "max_pixels", "exact_decode")
def predict(config: Path | None, **arguments: Any) -> None:
    """Say what is on images: files, folders, or quoted patterns such as 'photos/*.jpg'."""
    from edge.commands.predict import Request, run

    names = ("images", "model", "top_k", "threshold", "as_json", "draw")
    request = Request(**{name: arguments.pop(name) for name in names})
    sys.exit(run(request, load_settings(arguments, config)))


@main.command()
@click.argument("export", type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def inspect(export: Path, *, as_json: bool) -> None:
    """Say what an EXPORT (folder, zip, file) is, what it expects and answers, and whether it runs here."""
    from edge.commands.inspect import run

    run(export, as_json=as_json)


@main.command()
@click.argument("name")
@click.option(
    "--scope", "scopes", multiple=True, default=("predict",), show_default=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What the key opens: frames and the kiosk; the wall; everything. Several are possible.",
)  # fmt: skip
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="The last day (UTC) on which the key is good.")
def key(name: str, scopes: tuple[str, ...], expires: datetime | None) -> None:
    """Make an API key called NAME; print it once, and the setting that makes the service know it."""
    from edge.commands.key import run

    run(name, scopes, expires.date() if expires else None)


@main.command()
@click.option("--model", help="Name of a model, or the path of an export. The default model if not given.")
@click.option("--quick", is_flag=True, help="Half a minute for a first impression, instead of six.")
@click.option("--seconds", type=click.FloatRange(min=0.1), help="Seconds of each point, without its warm-up.")
@click.option("--black-hole", is_flag=True, help="Measure what a cloud whose network vanished costs a frame.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench(**arguments: Any) -> None:
    """Measure the server on this machine against the bare work: decode, resize, invoke. Settings as for serve."""
    from edge.commands.bench import Request, run

    if arguments["black_hole"] and arguments["seconds"] is not None:
        raise click.UsageError("--black-hole counts frames, not seconds: leave --seconds out.")

    run(Request(**arguments), load_settings())


@main.group()
def outbox() -> None:
    """Look at the frames that were kept for the online model, export them, try them again, drop them."""


_OUTBOX_SETTINGS = ("outbox_dir", "outbox_key")
_STATES = click.Choice(["waiting", "settled", "set_aside", "record"])


@outbox.command(name="list")
@click.option("--state", type=_STATES, help="Only entries of that state.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="At most so many.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line, one an entry.")
@_settings(*_OUTBOX_SETTINGS)
def outbox_list(config: Path | None, state: str | None, limit: int, *, as_json: bool, **flags: Any) -> None:
    """Print the entries in their order."""
    from edge.commands.outbox import show_all

    show_all(load_settings(flags, config), state=state, limit=limit, as_json=as_json)


@outbox.command(name="show")
@click.argument("key")
@click.option("--image", type=_PATH, help="Write the entry's image to this file.")
@_settings(*_OUTBOX_SETTINGS)
def outbox_show(key: str, config: Path | None, image: Path | None, **flags: Any) -> None:
    """Print the entry with KEY, or whose key begins so."""
    from edge.commands.outbox import show

    show(load_settings(flags, config), key, image)


@outbox.command(name="export")
@click.argument("folder", type=_PATH)
@click.option("--model", help="Only the frames of the model of that name.")
@click.option("--gcs", "prefix", help="Where the images will lie, such as gs://bucket/uncertain.")
@click.option(
    "--labels",
    type=click.Choice(["cloud", "edge", "none"]),
    default="cloud",
    show_default=True,
    help="Whose labels are trusted: the online model's, else the edge's, or nobody's.",
)
@click.option(
    "--threshold", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Least score of a label."
)
@_settings(*_OUTBOX_SETTINGS)
def outbox_export(folder: Path, config: Path | None, **given: Any) -> None:
    """Write all images and Vertex AI's import files (JSONL) to FOLDER."""
    from edge.commands.outbox import export_all

    how = {name: given.pop(name) for name in ("model", "prefix", "labels", "threshold")}
    export_all(load_settings(given, config), folder, **how)


@outbox.command(name="retry")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@_settings(*_OUTBOX_SETTINGS)
def outbox_retry(keys: tuple[str, ...], config: Path | None, **flags: Any) -> None:
    """Try entries again that were set aside; all of them where none is named."""
    from edge.commands.outbox import retry

    retry(load_settings(flags, config), keys)


@outbox.command(name="purge")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option("--state", "states", type=_STATES, multiple=True, help="All entries of that state; may be repeated.")
@_settings(*_OUTBOX_SETTINGS)
def outbox_purge(keys: tuple[str, ...], config: Path | None, states: tuple[str, ...], **flags: Any) -> None:
    """Drop entries for good."""
    from edge.commands.outbox import purge

    purge(load_settings(flags, config), keys, states)

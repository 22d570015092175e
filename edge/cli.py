"""The command line: parses arguments and turns errors into one clear line.

The commands are in `edge.commands`, one file each, imported when they run, so that each starts
fast.
"""

# ruff: noqa: PLC0415 -- commands are imported when they run

from __future__ import annotations

import logging
import math
import signal
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from edge import __version__, logs
from edge.api_key import Scope
from edge.environment import logs_as_json
from edge.errors import DataSetError, EdgeError
from edge.printable import escape
from edge.settings import FIELDS, TOPICS, default_text, load_settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

REFUSED = 2
"""Exit code of a command that could do nothing of its job; 1 means that some images failed."""

_PATH = click.Path(path_type=Path)


class _Command(click.Command):
    """A command that does not quote what it did not expect: a secret without its flag, perhaps."""

    allow_extra_args = True

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        rest = super().parse_args(ctx, args)
        if ctx.args:
            ctx.fail(f"{len(ctx.args)} unexpected arguments after the flags of {ctx.info_name}.")
        return rest


class _Number(click.FloatRange):
    """A number within bounds; click itself takes NaN, which no comparison refuses."""

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number.", param, ctx)
        return number


_SHARE = _Number(0, 1)


class _Group(click.Group):
    """Commands whose errors are one clear line, never a stack trace."""

    command_class = _Command
    group_class = type

    def invoke(self, ctx: click.Context) -> Any:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, TextIOWrapper):
                # A label that the locale cannot write is escaped, rather than the end of the run.
                stream.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except EdgeError as error:
            if ctx.invoked_subcommand == "serve" and logs_as_json():
                logs.configure("error", "json")
                logging.getLogger(__name__).critical("%s", error.message)
            else:
                click.echo(f"edge: {escape(error.message)}", err=True)
                for fault in error.faults if isinstance(error, DataSetError) else ():
                    click.echo(f"  {escape(fault)}", err=True)
            ctx.exit(REFUSED)


class _ByTopic(_Command):
    """A command whose help lists its settings by topic."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = {}
        for parameter in self.get_params(ctx):
            row = parameter.get_help_record(ctx)
            if row is not None and parameter.name is not None:
                rows[parameter.name] = row
        for topic, names in TOPICS.items():
            with formatter.section(topic):
                formatter.write_dl([rows.pop(name) for name in names])
        with formatter.section("Options"):
            formatter.write_dl(list(rows.values()))


def _setting(name: str) -> Callable[..., Any]:
    """Return the flag of a setting, described as in `edge.settings`."""
    field = FIELDS[name]
    flag = f"--{name.replace('_', '-')}"
    help_text = field.description or ""
    if field.default not in (None, {}):
        help_text += f"  [default: {default_text(field)}]"
    if field.annotation is bool:
        return click.option(f"{flag}/--no-{flag[2:]}", name, default=None, help=help_text)
    return click.option(flag, name, default=None, metavar="VALUE", help=help_text)


def _settings(*names: str) -> Callable[..., Any]:
    """Return the flags of several settings, and of the file that holds them."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        command = click.option(
            "--config", type=_PATH, help="TOML file with settings. Also EDGE_CONFIG."
        )(command)
        for name in reversed(names):
            command = _setting(name)(command)
        return command

    return add


_OUTBOX_SETTINGS = ("outbox_dir", "outbox_key")
_MODEL_SETTINGS = (
    "models",
    "allow_unsafe_models",
    "workers",
    "max_pixels",
    "max_decoded_bytes",
    "exact_decode",
    "data",
)
"""Of a command that runs a model over pictures."""


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edge")
def main() -> None:
    """Run a Google AutoML Vision or Vertex AI edge export, offline."""


@main.command(cls=_ByTopic)
@_settings(*FIELDS)
def serve(config: Path | None, **flags: Any) -> None:
    """Serve the models over HTTP. Every flag can also be set as EDGE_<NAME> or in a TOML file."""
    # Until the server takes the signal over nothing is accepted: it ends as after any clean stop.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    from edge.commands.serve import run

    run(load_settings(flags, config))


@main.command()
@_settings("host", "port", "tls", "tls_cert")
def health(config: Path | None, **flags: Any) -> None:
    """Check whether the service on this machine is ready; exit code 1 if not."""
    from edge.commands.health import check

    settings = load_settings(flags, config)
    fault = check(settings.host, settings.port, secure=settings.tls is not None)
    click.echo(fault or "ready")
    sys.exit(1 if fault else 0)


@main.command(epilog="Example: edge predict --model objects --draw drawn models/photos/*.jpg")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@click.option(
    "--model", help="Name of a model, or path of an export. The default model if not given."
)
@click.option(
    "--top-k", type=click.IntRange(min=1), help="Maximum number of predictions per image."
)
@click.option("--threshold", type=_SHARE, help="Minimum score of a prediction.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line and image.")
@click.option(
    "--csv",
    type=_PATH,
    metavar="FILE",
    help="Write a row per prediction to this file; - is standard output.",
)
@click.option(
    "--html",
    type=_PATH,
    metavar="FOLDER",
    help="Write a page with all pictures and their predictions, the unsure ones first.",
)
@click.option(
    "--draw",
    type=_PATH,
    help="Write the images with their predictions drawn in: a file for one image, else a folder.",
)
@_settings(*_MODEL_SETTINGS)
def predict(config: Path | None, **arguments: Any) -> None:
    """Classify images or detect objects in them.

    IMAGE is a file, a folder, a quoted pattern such as 'photos/*.jpg', or - for standard input.

    On a terminal each image is a line. In a pipe or a file it is a line of three fields with tabs
    between them: the file; certain, unsure or failed; and what was found or went wrong.
    """
    from edge.commands.predict import Request, run

    names = ("images", "model", "top_k", "threshold", "as_json", "csv", "html", "draw")
    request = Request(**{name: arguments.pop(name) for name in names})
    sys.exit(run(request, load_settings(arguments, config)))


@main.command()
@click.argument("export")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@_settings("models", "allow_unsafe_models", "data")
def inspect(export: str, config: Path | None, *, as_json: bool, **flags: Any) -> None:
    """Show what an EXPORT contains and check that it runs here.

    EXPORT is a folder, a zip, a file, or the name of a model, as predict --model takes it.
    """
    from edge.commands.inspect import run

    run(export, load_settings(flags, config), as_json=as_json)


@main.command()
@click.argument("name", required=False)
@click.option(
    "--scope", "scopes", multiple=True, default=("predict",), show_default=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What the key allows: frames and the kiosk; the wall; everything. May be repeated.",
)  # fmt: skip
@click.option(
    "--expires",
    type=click.DateTime(["%Y-%m-%d"]),
    help="Last day (UTC) on which the key is valid.",
)
@click.option(
    "--save", "saves", is_flag=True, help="Save it in the data folder, where edge serve reads it."
)
@click.option("--list", "lists", is_flag=True, help="List all keys instead of creating one.")
@click.option("--revoke", metavar="NAME", help="Remove a saved key instead of creating one.")
@_settings("data")
def key(
    config: Path | None,
    data: str | None,
    name: str | None,
    scopes: tuple[str, ...],
    expires: datetime | None,
    revoke: str | None,
    *,
    saves: bool,
    lists: bool,
) -> None:
    """Create an API key called NAME and print it, once, with the setting that enables it."""
    from edge.commands import key as commands

    if (name is not None) + (revoke is not None) + lists != 1:
        raise click.UsageError("Give either NAME, --list or --revoke NAME.")
    if name is not None and not saves:
        commands.run(name, scopes, expires.date() if expires else None)
        return
    settings = load_settings({"data": data}, config)
    if name is not None:
        commands.save(settings, name, scopes, expires.date() if expires else None)
    elif revoke is not None:
        commands.revoke(settings, revoke)
    else:
        commands.show_all(settings)


@main.command()
@click.option(
    "--model", help="Name of a model, or path of an export. The default model if not given."
)
@click.option(
    "--quick", is_flag=True, help="Take half a minute instead of eleven, for a first impression."
)
@click.option(
    "--seconds",
    type=_Number(0.1, 3_600),
    help="Seconds per measurement, without its warm-up.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def bench(**arguments: Any) -> None:
    """Measure the server on this machine against the bare work: decode, resize, invoke.

    Reads settings as serve does, from the environment and the file that EDGE_CONFIG names.
    """
    from edge.commands.bench import Request, run

    run(Request(**arguments), load_settings())


@main.command(
    epilog="Example: edge evaluate my-export/ photos/ --html report.html --fail-under accuracy=0.97"
)
@click.argument("model")
@click.argument("data_set", metavar="SET", type=_PATH)
@click.option(
    "--split",
    type=click.Choice(["test", "validation", "training", "all"]),
    help="Which pictures of the set. Its test split if not given, or all if it states no split.",
)
@click.option("--against", metavar="OTHER", help="Compare with this model on the same pictures.")
@click.option(
    "--precision",
    type=_Number(0, 1, min_open=True),
    help="Choose each label's threshold for this precision and write it to the model.toml.",
)
@click.option("--dry-run", is_flag=True, help="With --precision: only show what would be written.")
@click.option(
    "--fail-under",
    multiple=True,
    metavar="FIGURE=VALUE",
    help="Exit with 1 if a figure is lower, such as accuracy=0.97 or recall:rose=0.9. "
    "May be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--html", type=_PATH, metavar="FILE", help="Write a page with plots and pictures.")
@_settings(*_MODEL_SETTINGS)
def evaluate(config: Path | None, **arguments: Any) -> None:
    """Say how good a MODEL is on a data SET: a folder per label, or another known layout.

    MODEL is the path of an export or the name of a model. The figures are those of the answers
    that serve would give, with the thresholds of its model.toml.
    """
    from edge.commands.evaluate import Request, run

    names = (
        "model", "data_set", "split", "against", "precision", "dry_run", "fail_under", "as_json",
        "html",
    )  # fmt: skip
    request = Request(**{name: arguments.pop(name) for name in names})
    sys.exit(run(request, load_settings(arguments, config)))


@main.command(epilog="Example: edge verify my-export/ photos/ --saved-model my-export-container/")
@click.argument("model")
@click.argument("images", nargs=-1, metavar="[IMAGE]...")
@click.option(
    "--saved-model",
    type=_PATH,
    help="A SavedModel (Container) export of the same model. The one beside it if nothing is "
    "given to compare with.",
)
@click.option("--answers", type=_PATH, metavar="FILE", help="Answers recorded as JSON lines.")
@click.option(
    "--online", is_flag=True, help="Ask the online model, within its budget: each call is billed."
)
@click.option(
    "--outbox", is_flag=True, help="Take the outbox's frames and the online model's answers."
)
@click.option(
    "--tolerance",
    type=_SHARE,
    default=0.05,
    show_default=True,
    help="By how much scores may differ; quantisation alone moves them by up to 0.05.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--html", type=_PATH, metavar="FILE", help="Write a page with what differs.")
@_settings(
    *(name for name in _MODEL_SETTINGS if name != "workers"),
    "cloud_endpoint",
    "cloud_address",
    "cloud_transport",
    "cloud_request",
    "cloud_credentials",
    "cloud_calls_per_day",
    "cloud_budget_file",
    "cloud_timeout_ms",
    *_OUTBOX_SETTINGS,
)
def verify(config: Path | None, **arguments: Any) -> None:
    """Check that a MODEL answers here as it did in the cloud; exit code 1 if not.

    MODEL is the path of an export or the name of a model; IMAGE as edge predict takes it, or the
    pictures in the export if it was made by edge train. If the answers differ, the ways of
    preparing pixels are tried, and the one that explains it is shown as lines of model.toml.
    """
    from edge.commands.verify import Request, run

    names = (
        "model", "images", "saved_model", "answers", "online", "outbox", "tolerance", "as_json",
        "html",
    )  # fmt: skip
    request = Request(**{name: arguments.pop(name) for name in names})
    sys.exit(run(request, load_settings(arguments, config)))


@main.group()
def data() -> None:
    """Look over data sets: labelled pictures, to train and to evaluate with."""


@data.command(name="inspect", epilog="Example: edge data inspect photos/ --html report.html")
@click.argument("data_set", metavar="SET", type=_PATH)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--html", type=_PATH, metavar="FILE", help="Write a page with pictures.")
@click.option(
    "--resume",
    is_flag=True,
    help="Reuse what an earlier run has found out about pictures that have not changed.",
)
@_settings("data", "max_pixels", "max_decoded_bytes", "workers")
def data_inspect(config: Path | None, **arguments: Any) -> None:
    """Say what is in a data SET, what is wrong with it, and what to collect next.

    SET is a folder per label, or CSV, JSONL, COCO, Pascal VOC or YOLO: see docs/datasets.md.
    """
    from edge.commands.data import Request, inspect

    names = ("data_set", "as_json", "html", "resume")
    request = Request(**{name: arguments.pop(name) for name in names})
    sys.exit(inspect(request, load_settings(arguments, config)))


@main.command(epilog="Example: edge train photos/ --out my-model")
@click.argument("data_set", type=_PATH, metavar="[SET]", required=False)
@click.option(
    "--good",
    type=_PATH,
    metavar="FOLDER",
    help="Instead of SET: learn from pictures of good parts alone, to tell parts that look "
    "otherwise. For parts that always lie alike in the picture; not for free texture.",
)
@click.option("--out", type=_PATH, required=True, metavar="DIR", help="Folder to write the export.")
@click.option(
    "--add",
    "added",
    type=_PATH,
    multiple=True,
    metavar="SET",
    help="Train with this data set as well; the test pictures of SET stay what they were. May be "
    "repeated.",
)
@click.option(
    "--saved-model/--no-saved-model",
    default=True,
    help="Write a SavedModel as well, 13 MB, for TensorFlow and TensorFlow Serving.  "
    "[default: saved-model]",
)
@click.option(
    "--minutes",
    type=_Number(0.1, 24 * 60),
    help="Fine-tune the network as well, and be done in about this time. Needs TensorFlow. Without "
    "it only a last layer is fitted, in seconds.",
)
@click.option(
    "--resume",
    is_flag=True,
    help="Reuse what an earlier run, or edge data inspect, has read of pictures that have not "
    "changed.",
)
@_settings("data", "workers", "max_pixels", "max_decoded_bytes")
def train(
    data_set: Path | None,
    good: Path | None,
    out: Path,
    added: tuple[Path, ...],
    config: Path | None,
    *,
    saved_model: bool,
    minutes: float | None,
    resume: bool,
    **flags: Any,
) -> None:
    """Train a classifier on the pictures of SET and write it as an AutoML export.

    SET is a folder with a folder of pictures for each label, or another data set that edge reads.
    """
    from edge.commands.train import Request, run

    request = Request(data_set, out, added, saved_model, minutes, good, resume)
    sys.exit(run(request, load_settings(flags, config)))


@main.group()
def outbox() -> None:
    """List, show, export, retry or delete the frames kept for the online model."""


_STATES = click.Choice(["waiting", "resolved", "dead_letter", "prediction_only", "corrected"])


@outbox.command(name="list")
@click.option("--state", type=_STATES, help="Only entries in this state.")
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000_000),
    default=100,
    show_default=True,
    help="Maximum number of entries.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line and entry.")
@_settings(*_OUTBOX_SETTINGS)
def outbox_list(
    config: Path | None, state: str | None, limit: int, *, as_json: bool, **flags: Any
) -> None:
    """List the entries, in the order they are forwarded."""
    from edge.commands.outbox import show_all

    show_all(load_settings(flags, config), state=state, limit=limit, as_json=as_json)


@outbox.command(name="show")
@click.argument("key")
@click.option("--image", type=_PATH, help="Write the entry's image to this file.")
@_settings(*_OUTBOX_SETTINGS)
def outbox_show(key: str, config: Path | None, image: Path | None, **flags: Any) -> None:
    """Print the entry whose key is KEY or begins with it."""
    from edge.commands.outbox import show

    show(load_settings(flags, config), key, image)


@outbox.command(name="export")
@click.argument("folder", type=_PATH)
@click.option("--model", help="Only frames of this model.")
@click.option(
    "--gcs", "prefix", help="Where you will upload the images, such as gs://bucket/uncertain."
)
@click.option(
    "--labels",
    type=click.Choice(["cloud", "edge", "none"]),
    default="cloud",
    show_default=True,
    help="Labels to trust: the online model's, the edge's as well, or none.",
)
@click.option(
    "--threshold",
    type=_SHARE,
    default=0.5,
    show_default=True,
    help="Minimum score for a label to be exported.",
)
@click.option(
    "--none-of-the-above",
    is_flag=True,
    help="Export what a person has called none of the labels as None_of_the_above, for edge train "
    "to learn. Without it such frames wait for a label.",
)
@_settings(*_OUTBOX_SETTINGS)
def outbox_export(folder: Path, config: Path | None, **given: Any) -> None:
    """Write all images and their Vertex AI import files (JSONL) to FOLDER."""
    from edge.commands.outbox import export_all

    how = {
        name: given.pop(name)
        for name in ("model", "prefix", "labels", "threshold", "none_of_the_above")
    }
    export_all(load_settings(given, config), folder, **how)


@outbox.command(name="retry")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@_settings(*_OUTBOX_SETTINGS)
def outbox_retry(keys: tuple[str, ...], config: Path | None, **flags: Any) -> None:
    """Retry dead letters and failed deliveries: those with KEY, or all of them."""
    from edge.commands.outbox import retry

    retry(load_settings(flags, config), keys)


@outbox.command(name="purge")
@click.argument("keys", nargs=-1, metavar="[KEY]...")
@click.option(
    "--state",
    "states",
    type=_STATES,
    multiple=True,
    help="All entries in this state. May be repeated.",
)
@_settings(*_OUTBOX_SETTINGS)
def outbox_purge(
    keys: tuple[str, ...], config: Path | None, states: tuple[str, ...], **flags: Any
) -> None:
    """Delete entries permanently."""
    from edge.commands.outbox import purge

    purge(load_settings(flags, config), keys, states)

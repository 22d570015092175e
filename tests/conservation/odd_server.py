"""`edge serve` with models that wait and fail: a program for `serving.process.Server`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from builders.odd_models import odd_repository

from edge.dataplane import turns
from edge.settings import Settings
from edge.web.server import serve
from edge.wiring.bootstrap import build_service


def say(url: str, _: Settings) -> None:
    sys.stdout.write(f"edge serves odd models on {url}\n")
    sys.stdout.flush()


def main() -> None:
    turns.OVERLOAD_S = 0.2  # an overload is over at once, so that tests find every slot free again
    flags = sys.argv[2:]  # after "serve"
    named = {
        name.removeprefix("--").replace("-", "_"): value
        for name, value in zip(flags[::2], flags[1::2], strict=True)
    }
    with tempfile.TemporaryDirectory() as folder:
        repository = odd_repository(Path(folder))
        settings = Settings(**named)
        service = build_service(settings, repository)
        serve(service, settings, on_listening=say)


main()

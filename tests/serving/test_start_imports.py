"""What `edge serve` imports until its first answer: most of a start's time, counted, not timed."""

from pathlib import Path

import pytest

from serving.pictures import photo
from serving.process import MODELS, Server

PROGRAM = """
import atexit, os, pathlib, sys
from edge.cli import main
target = pathlib.Path(os.environ["IMPORTED"])
with_file = lambda module: getattr(module, "__file__", None)
atexit.register(
    lambda: target.write_text("\\n".join(n for n, m in [*sys.modules.items()] if with_file(m)))
)
main()
"""

MAX_MODULES = 950
"""Modules with a file, of the whole process: 856 with Python 3.11 and its newest packages, of which
202 are ours. The rest is for other versions."""

MUST_NOT = {
    "tensorflow",
    "keras",
    "google",
    "grpc",
    "sqlite3",
    "cryptography",
    "matplotlib",
    "pandas",
    "scipy",
    "requests",
    "rich",
    "segno",
}
"""Packages of optional parts and of other commands: each costs a start 10 ms to 6 s."""


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Names of the modules of a server of a TFLite model that has answered a frame."""
    file: Path = tmp_path_factory.mktemp("imports") / "modules"
    environment = {"IMPORTED": str(file)}
    flags = ("--models", MODELS / "imagenet")
    with Server(*flags, program=("-c", PROGRAM), env=environment) as server:
        assert server.client.post("/predict", content=photo("coffee")).status_code == 200
        server.stop()
    return set(file.read_text().split())


def test_a_start_imports_no_more_modules_than_it_did(imported: set[str]) -> None:
    assert {"fastapi", "ai_edge_litert.interpreter", "PIL.Image"} <= imported
    assert len(imported) <= MAX_MODULES


def test_a_start_imports_nothing_of_optional_parts(imported: set[str]) -> None:
    packages = {name.partition(".")[0] for name in imported}
    assert packages & MUST_NOT == set()
    optional = {"edge.fallback.vertex", "edge.outbox.store", "edge.runtime.tensorflow"}
    assert optional & imported == set()

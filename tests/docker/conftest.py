"""The engine, the two images, and folders as people mount them."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from answers import readable
from docker_engine import ROOT, Engine, find_engine

PHOTOS = ROOT / "models/photos"


@pytest.fixture(scope="session")
def engine(request):
    """A real Docker engine."""
    conftest = request.config.pluginmanager.get_plugin(str(ROOT / "tests/conftest.py"))
    found = find_engine(conftest.SHARED)
    if not isinstance(found, Engine):
        pytest.skip(found)
    return found


@pytest.fixture(scope="session")
def lite(engine):
    """The small image."""
    return engine.build("edge-under-test:lite", "--target", "lite")


@pytest.fixture(scope="session")
def full(engine):
    """The image that a plain `docker build` gives."""
    return engine.build("edge-under-test:full")


@pytest.fixture(params=["lite", "full"])
def image(request):
    """Either image."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session")
def coffee():
    """A photo of a cup of coffee, which the embedded model calls espresso."""
    return (PHOTOS / "coffee.jpg").read_bytes()


@pytest.fixture(scope="session")
def saved_model(tmp_path_factory):
    """A SavedModel in Google's layout: a folder with `0001` in it. It answers red or blue."""
    folder = tmp_path_factory.mktemp("saved-model")
    script = Path(__file__).parent / "make_saved_model.py"
    subprocess.run([sys.executable, script, folder / "0001"], capture_output=True, check=True)
    return readable(folder)


@pytest.fixture(scope="session")
def flowers(shared_exports, tmp_path_factory):
    """A real classification export of five flowers."""
    folder = tmp_path_factory.mktemp("export") / "flowers"
    shutil.copytree(shared_exports / "flowers", folder, ignore=shutil.ignore_patterns("photos"))
    return readable(folder)


@pytest.fixture(scope="session")
def sunflower(shared_exports):
    """A photo of a sunflower, which that export calls so with 0.918."""
    return (shared_exports / "flowers/photos/sunflower_1627193_640.jpg").read_bytes()

"""What all rooms' tests share: the real exports, their golden runs, and a clean environment."""

import json
import os  # tests stand outside the service: they may look at the environment
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
# Taken out of the environment: every other EDGE_ variable is a setting, and an unknown one stops
# the service.
SHARED = Path(os.environ.pop("EDGE_SHARED", ROOT.parent / "shared"))
EXPORTS = SHARED / "exports"
NO_SKIPS = (
    os.environ.pop("EDGE_NO_SKIPS", "") == "1"
)  # set where everything is there that a test may need
NO_EXPORTS = f"the shared exports are not at {SHARED}; set EDGE_SHARED"

# A property that a busy machine checks slowly is no failure.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


@pytest.fixture(scope="session")
def repository_root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session")
def embedded_models() -> Path:
    """The model repository that ships."""
    return ROOT / "models"


@pytest.fixture(scope="session")
def shared_exports() -> Path:
    """Real AutoML exports, which no machine but the project's has."""
    if not EXPORTS.is_dir():
        pytest.skip(NO_EXPORTS)
    return EXPORTS


def golden_runs() -> list[dict[str, Any]]:
    """The recorded outputs of the real exports that are served; empty where they are not there."""
    file = EXPORTS / "golden.json"
    runs = json.loads(file.read_text())["runs"] if file.is_file() else []
    return [
        run for run in runs if not run["model"].startswith("traffic-video")
    ]  # refused: it has LSTM state


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes ``golden_run`` runs once for each of them."""
    if "golden_run" in metafunc.fixturenames:
        runs = golden_runs()
        names = [f"{Path(run['model']).parent.name}-{Path(run['image']).stem}" for run in runs]
        nothing = [pytest.param(None, marks=pytest.mark.skip(reason=NO_EXPORTS), id="none")]
        metafunc.parametrize("golden_run", runs or nothing, ids=names or None)


@pytest.fixture(autouse=True, scope="session")
def home_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
    """Nothing is written into the home folder of whoever runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for variable in [name for name in os.environ if name.startswith("XDG_")]:
            patch.delenv(variable)
        yield


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment of whoever runs the tests sets nothing."""
    for variable in [name for name in os.environ if name.startswith("EDGE_")]:
        monkeypatch.delenv(variable)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Where nothing has a reason to skip, a skipped test has failed."""
    report = yield
    if NO_SKIPS and report.skipped:
        report.outcome = "failed"
        report.longrepr = f"skipped, and EDGE_NO_SKIPS is set: {report.longrepr}"
    return report

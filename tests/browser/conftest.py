"""Debian's Chromium with a camera that shows a photo, a server of its own for each set of settings,
and axe-core.
"""

import os  # tests stand outside the service: they hand Chromium an environment
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from chromium import CHROMIUM, clip
from screens import SIZES
from serving.process import Server

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # Last of all: Playwright's loop runs in this thread until the session ends, and other tests run
    # loops of their own.
    items.sort(key=lambda item: Path(item.path).parent == HERE)
    for item in items:
        if Path(item.path).parent == HERE:
            item.add_marker(pytest.mark.slow)
            if not CHROMIUM.exists():
                item.add_marker(
                    pytest.mark.skip(reason=f"{CHROMIUM} is not there (apt-get install chromium)")
                )


@pytest.fixture(scope="session")
def programs() -> Iterator[playwright.Playwright]:
    with playwright.sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def chromium_program(programs) -> playwright.BrowserType:
    return programs.chromium


@pytest.fixture(scope="session")
def launch(chromium_program, tmp_path_factory) -> Callable[..., playwright.Browser]:
    """Start Chromium with a fake camera that shows that photo, or with no camera, trusting that
    authority.
    """

    def start(photo: str | None = "coffee", authority: Path | None = None) -> playwright.Browser:
        home = tmp_path_factory.mktemp("home")
        arguments = ["--no-sandbox", "--use-fake-ui-for-media-stream"]
        if photo is not None:
            arguments += [
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={clip(photo, home)}",
            ]
        if authority is not None:
            trust(authority, home)
        environment = {**os.environ, "HOME": str(home)}
        return chromium_program.launch(
            executable_path=str(CHROMIUM), args=arguments, env=environment
        )

    return start


def trust(authority: Path, home: Path) -> None:
    """Let Chromium trust the authority, as its certificate manager does: in the user's NSS
    databases.
    """
    if shutil.which("certutil") is None:
        pytest.skip("certutil is not there (apt-get install libnss3-tools)")
    for place in (".pki/nssdb", ".local/share/pki/nssdb"):
        folder = home / place
        folder.mkdir(parents=True)
        database = ["-d", f"sql:{folder}"]
        subprocess.run(["certutil", *database, "-N", "--empty-password"], check=True)
        subprocess.run(
            ["certutil", *database, "-A", "-t", "C,,", "-n", "edge", "-i", str(authority)],
            check=True,
        )


@pytest.fixture(scope="session")
def chromium(launch) -> Iterator[playwright.Browser]:
    browser = launch()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def served() -> Iterator[Server]:
    """A server that the network reaches, without keys."""
    with Server("--host", "0.0.0.0", "--allow-open") as running:
        yield running


class Watched:
    """A page in a context of its own; afterwards: no error in its console, no address but the
    server's.
    """

    def __init__(self, browser: playwright.Browser, base: str, **options) -> None:
        options.setdefault("viewport", dict(zip(("width", "height"), SIZES["7-inch"], strict=True)))
        self.base = base
        self.context = browser.new_context(
            base_url=base, locale=options.pop("locale", "en-GB"), **options
        )
        self.errors: list[str] = []
        self.addresses: set[str] = set()
        self.context.on("request", lambda request: self.addresses.add(request.url))
        self.context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.context.on(
            "console", lambda line: line.type == "error" and self.errors.append(line.text)
        )
        self.page = self.context.new_page()
        self.page.on("websocket", lambda socket: self.addresses.add(socket.url))
        self.offline_expected = False

    def close(self) -> None:
        self.context.close()
        allowed = urlsplit(self.base).netloc
        outside = {
            url
            for url in self.addresses
            if not url.startswith("blob:") and urlsplit(url).netloc != allowed
        }
        assert not outside, f"asked outside addresses: {outside}"
        network = re.compile("Failed to load resource|WebSocket connection|net::ERR")
        errors = [
            line for line in self.errors if not (self.offline_expected and network.search(line))
        ]
        assert not errors, errors


@pytest.fixture
def watch(chromium, served) -> Iterator[Callable[..., Watched]]:
    """Open a page as `Watched`, and look at what it did when the test ends."""
    opened: list[Watched] = []

    def start(path: str = "", browser=None, base: str | None = None, **options) -> Watched:
        watched = Watched(browser or chromium, base or served.url, **options)
        opened.append(watched)
        if path:
            watched.page.goto(path)
        return watched

    yield start
    for watched in opened:
        watched.close()


@pytest.fixture(scope="session")
def axe(tmp_path_factory) -> str:
    """The source of axe-core, as the lock file names it; installed by npm where it is not yet."""
    installed = HERE / "node_modules"
    if not installed.is_dir():
        if shutil.which("npm") is None:
            pytest.skip("npm is not there, to install axe-core")
        folder = tmp_path_factory.mktemp("axe")
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, folder)
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        if subprocess.run(
            command, cwd=folder, capture_output=True, timeout=120, check=False
        ).returncode:
            pytest.skip("axe-core could not be installed (npm ci failed: is there a network?)")
        installed = folder / "node_modules"
    return (installed / "axe-core" / "axe.min.js").read_text()

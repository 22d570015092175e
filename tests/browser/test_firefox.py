"""The pages in Debian's Firefox ESR: one load each, and the main thing that each is for."""

import os  # tests stand outside the service: they hand Firefox an environment
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from firefox_bidi import FIREFOX
from playwright.sync_api import Browser, Page, expect
from serving.pictures import photo
from serving.process import MODELS, Server
from test_all_pages import serious_problems

HERE = Path(__file__).parent
COFFEE = str(MODELS / "photos" / "coffee.jpg")
PATIENCE_MS = 30_000

pytestmark = pytest.mark.skipif(
    not Path(FIREFOX).exists(), reason=f"{FIREFOX} is not there (apt-get install firefox-esr)"
)


@pytest.fixture(scope="module")
def firefox(programs, tmp_path_factory) -> Iterator[Browser]:
    """Firefox with a camera of its own making."""
    home = tmp_path_factory.mktemp("firefox")
    program = home / "firefox"  # with the interpreter that has the tests' packages
    command = [sys.executable, str(HERE / "firefox_bidi.py")]
    program.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    program.chmod(0o755)
    browser = programs.firefox.launch(
        channel="moz-firefox",
        executable_path=str(program),
        env={**os.environ, "HOME": str(home)},
        firefox_user_prefs={
            "media.navigator.streams.fake": True,
            "media.navigator.permission.disabled": True,
        },
        timeout=120_000,
    )
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def keeping(tmp_path_factory) -> Iterator[Server]:
    with Server(outbox_dir=tmp_path_factory.mktemp("outbox")) as running:
        yield running


@pytest.fixture
def page(firefox, keeping) -> Iterator[Page]:
    """A page of its own; afterwards: no error in its scripts, no address but the server's."""
    context = firefox.new_context(viewport={"width": 1024, "height": 600})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    expect.set_options(timeout=PATIENCE_MS)
    errors: list[str] = []
    outside: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((keeping.url, "blob:", "data:", "about:"))
            else outside.append(request.url)
        ),
    )
    yield page
    context.close()
    expect.set_options(timeout=5_000)
    assert (errors, outside) == ([], [])


def test_the_front_page_answers_a_sample_photo(page, keeping, axe):
    page.goto(f"{keeping.url}/?lang=en")
    expect(page.locator(".models li").first).to_be_visible()
    page.get_by_role("button", name="A cup of coffee").click()
    expect(page.get_by_text("espresso").first).to_be_visible()
    assert serious_problems(page, axe) == []


def test_the_kiosk_answers_an_opened_picture_and_keeps_its_correction(page, keeping, axe):
    page.goto(f"{keeping.url}/kiosk?lang=en")
    page.set_input_files("#file", COFFEE)
    expect(page.locator("#verdict")).to_have_text("espresso")
    assert serious_problems(page, axe) == []
    page.get_by_role("button", name="Wrong?").click()
    page.get_by_role("dialog").get_by_role("button", name="coffee mug").click()
    expect(page.get_by_text("Kept for training: coffee mug")).to_be_visible()
    (entry,) = keeping.client.get("/outbox").json()["entries"]
    assert entry["correction"]["label"] == "coffee mug"


def test_the_wall_shows_what_a_camera_posts_and_opens_it(page, keeping):
    """Without axe: this Firefox loses the page's context while it runs beside a stream of events.

    Chromium's tests run it on the wall.
    """
    page.goto(f"{keeping.url}/wall?lang=en")
    keeping.client.post("/predict?camera=gate&model=objects", content=photo("chelsea"))
    tile = page.locator(".tiles button").filter(has_text="gate")
    expect(tile).to_be_visible()
    tile.click()
    expect(page.locator("#large-scores li").first).to_be_visible()


def test_the_phone_page_sends_a_picture(page, keeping, axe):
    page.goto(f"{keeping.url}/phone?lang=en")
    page.set_input_files("input[type=file]", COFFEE)
    expect(page.get_by_text("espresso").first).to_be_visible()
    assert serious_problems(page, axe) == []

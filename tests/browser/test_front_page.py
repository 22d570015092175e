"""The front page in a browser without a camera: a photo tried, its answer filtered, its faults."""

import subprocess

import pytest
from ink import assert_boxes_are_drawn
from playwright.sync_api import expect
from serving.process import MODELS
from test_all_pages import serious_problems


@pytest.fixture(scope="module")
def blind(launch):
    browser = launch(None)
    yield browser
    browser.close()


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_a_sample_is_answered_at_once_and_the_slider_filters_it_in_the_page(
    watch, served, blind, axe, theme
):
    page = watch("/?model=objects", browser=blind, color_scheme=theme).page
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("button", name="A cat").click()
    expect(page.locator("#verdict")).to_have_text("Cat", timeout=15_000)
    photo = (MODELS / "photos" / "chelsea.jpg").read_bytes()
    answer = served.client.post("/predict/objects", content=photo).json()
    assert_boxes_are_drawn(page.locator("#boxes"), answer)
    assert not serious_problems(page, axe)
    asked.clear()
    page.locator("#threshold").fill("95")
    expect(page.locator("#verdict")).to_have_text("Nothing recognised")
    page.locator("#threshold").fill("5")
    expect(page.locator("#bars li").first).to_be_visible()
    assert not asked


def test_a_file_that_is_no_picture_is_told_with_buttons_that_a_finger_hits(
    watch, blind, axe, tmp_path
):
    watched = watch("/", browser=blind)
    watched.offline_expected = True  # the refusal is a 415, which the console names
    page = watched.page
    file = tmp_path / "a.jpg"
    file.write_text("no picture")
    page.locator("#file").set_input_files(file)
    expect(page.get_by_role("alert")).to_contain_text("The service refused the picture")
    for name in ("Try again", "Open a picture"):
        box = page.get_by_role("alert").get_by_role("button", name=name).bounding_box()
        assert box["height"] >= 64
    assert not serious_problems(page, axe)
    page.get_by_role("button", name="A cup of coffee").click()
    expect(page.locator("#verdict")).to_have_text("espresso", timeout=15_000)
    expect(page.get_by_role("alert")).to_be_hidden()


def test_the_line_for_a_terminal_works_as_it_stands(watch, blind, tmp_path):
    page = watch("/", browser=blind).page
    expect(page.locator("#command")).to_contain_text("curl")
    line = page.locator("#command").text_content()
    asked = subprocess.run(
        ["/bin/sh", "-c", line], cwd=tmp_path, capture_output=True, timeout=60, check=True
    )
    assert b"espresso" in asked.stdout

"""The heat map of a model that learned from good parts, on every page that shows pictures."""

import base64
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from builders.parts import part, put_parts
from PIL import Image
from playwright.sync_api import expect
from screens import SIZES
from serving.pictures import encoded
from serving.process import Server
from test_all_pages import serious_problems

from edge.vision.heat import opacity

_MEAN_APART = 4  # of 255: browsers and Pillow curve between places in ways of their own
_EDGE = 3  # pixels around the region that may be blended


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A server with a model of parts, and with the same one that looks at the middle alone."""
    root = tmp_path_factory.mktemp("parts")
    whole, middle = root / "models" / "parts", root / "models" / "middle"
    whole.parent.mkdir()
    command = ("train", "--good", put_parts(root / "good", 60), "--out", whole)
    subprocess.run([sys.executable, "-m", "edge", *map(str, command)], check=True, timeout=120)
    shutil.copytree(whole, middle)
    (middle / "model.toml").write_text('resize = "center_crop"\ncrop_fraction = 0.7\n')
    with Server("--models", root / "models", "--default-model", "parts") as running:
        yield running


def odd_part(size=(160, 160)):
    """A part with a blob, on a background of that size."""
    picture = Image.new("RGB", size, (90, 95, 100))
    picture.paste(Image.open(io.BytesIO(part(3000, "blob"))))
    return encoded(picture, "PNG")


def drawn_on(canvas):
    """The canvas's own pixels, RGBA."""
    url = canvas.evaluate("(canvas) => canvas.toDataURL()")
    content = base64.b64decode(url.partition(",")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGBA")).astype(int)


def assert_heat_is_drawn(canvas, answer, *, mirror=False):
    """What glows on the canvas is what `edge predict --draw` lays over such a picture."""
    found = drawn_on(canvas)
    height, width = found.shape[:2]
    image, region = answer["image"], answer["heat_region"]
    scale = min(width / image["width"], height / image["height"])
    shown_width, shown_height = image["width"] * scale, image["height"] * scale
    left, top = (width - shown_width) / 2, (height - shown_height) / 2
    rows = np.float32(answer["heat_map"])
    start, end = region["x_min"], region["x_max"]
    if mirror:
        rows = rows[:, ::-1]
        start, end = 1 - end, 1 - start
    x0, x1 = (round(left + share * shown_width) for share in (start, end))
    y0, y1 = (round(top + region[edge] * shown_height) for edge in ("y_min", "y_max"))
    grid = Image.fromarray(np.ascontiguousarray(opacity(rows)))
    expected = np.zeros((height, width), int)
    expected[y0:y1, x0:x1] = np.asarray(grid.resize((x1 - x0, y1 - y0), Image.Resampling.BICUBIC))
    alpha = found[..., 3]
    assert expected.max() > 120
    assert abs(alpha - expected)[y0:y1, x0:x1].mean() < _MEAN_APART
    outside = np.ones_like(alpha, bool)
    outside[max(0, y0 - _EDGE) : y1 + _EDGE, max(0, x0 - _EDGE) : x1 + _EDGE] = False
    assert not alpha[outside].any()
    red, green, blue = found[alpha > 100][:, :3].mean(axis=0)
    assert (red, green, blue) == pytest.approx((255, 40, 0), abs=4)


def draw_all(page):
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def test_the_front_page_shows_where_a_part_is_odd_and_says_so_in_words(watch, served, axe):
    page = watch("/").page
    page.locator("#file").set_input_files(
        {"name": "odd.png", "mimeType": "image/png", "buffer": odd_part()}
    )
    expect(page.locator("#verdict")).to_have_text("anomaly")
    answer = served.client.post("/predict", content=odd_part()).json()
    assert_heat_is_drawn(page.locator("#boxes"), answer)
    with pytest.raises(AssertionError):
        assert_heat_is_drawn(page.locator("#boxes"), answer, mirror=True)
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        assert not serious_problems(page, axe)
    page.locator("#file").set_input_files(
        {"name": "good.png", "mimeType": "image/png", "buffer": part(1000)}
    )
    expect(page.locator("#verdict")).to_have_text("good")
    assert not drawn_on(page.locator("#boxes")).any()


def test_the_kiosk_shows_the_part_that_the_model_saw_as_in_its_mirror(watch, served):
    """Its frame is wider than the picture, and its model looks at the middle alone."""
    page = watch(viewport={"width": 1000, "height": 480}).page
    answer = served.client.post("/predict/middle", content=odd_part((640, 480))).json()
    assert answer["heat_region"]["x_min"] > 0.2
    answer |= {"frame": 0, "dropped": 0}
    page.route_web_socket(
        "**/stream*", lambda socket: socket.on_message(lambda _: socket.send(json.dumps(answer)))
    )
    for mirror in (False, True):
        page.goto(f"/kiosk?mirror={int(mirror)}")
        expect(page.locator("#verdict")).to_have_text("anomaly", timeout=15_000)
        assert_heat_is_drawn(page.locator("#boxes"), answer, mirror=mirror)


def test_the_kiosk_of_an_opened_picture_has_the_words_of_its_language(watch, served, axe):
    page = watch("/kiosk?mirror=1", locale="fr-FR").page
    for content, words in ((odd_part((300, 160)), "anomalie"), (part(1000), "conforme")):
        page.locator("#file").set_input_files(
            {"name": "part.png", "mimeType": "image/png", "buffer": content}
        )
        expect(page.locator("#state")).to_have_text("Image")
        expect(page.locator("#verdict")).to_have_text(words)
        answer = served.client.post("/predict", content=content).json()
        if words == "anomalie":
            assert_heat_is_drawn(page.locator("#boxes"), answer)
            assert not serious_problems(page, axe)
    assert not drawn_on(page.locator("#boxes")).any()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_wall_shows_the_heat_wherever_it_shows_the_frame(watch, served, axe, language):
    camera, words = f"odd-{language}", {"en": "anomaly", "fr": "anomalie"}[language]
    width, height = SIZES["1080p"]
    page = watch("/wall", viewport={"width": width, "height": height}, locale=language).page
    expect(page.locator("#state")).to_have_attribute("data-state", "live")
    content = odd_part((300, 160))
    answer = served.client.post(f"/predict?camera={camera}", content=content).json()
    tabs = ("#tab-tiles", ".tile"), ("#tab-feed", ".card")
    for tab, kind in tabs:
        page.locator(tab).click()
        shown = page.locator(kind).filter(has_text=camera)
        expect(shown.locator(".best .words")).to_have_text(words)
        expect(shown.locator("img")).to_have_attribute("alt", re.compile(words))
        expect(shown.locator("img")).to_be_visible()
        draw_all(page)
        assert_heat_is_drawn(shown.locator("canvas"), answer)
    expect(page.locator("#counts")).to_contain_text(words, timeout=10_000)
    shown.click()
    rows = page.locator("#large-scores .label")
    expect(rows).to_have_text([words, {"en": "good", "fr": "conforme"}[language]])
    draw_all(page)
    assert_heat_is_drawn(page.locator("#large-picture canvas"), answer)
    assert not serious_problems(page, axe)
    with page.expect_download() as download:
        page.locator("#large-frame").click()
    assert Path(download.value.path()).read_bytes() == content
    with page.expect_download() as download:
        page.locator("#large-annotated").click()
    assert_annotated(Image.open(download.value.path()), content, answer)


def assert_annotated(annotated, content, answer):
    """The download glows where the page does; its corner with the words is left aside."""
    before = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), float)
    after = np.asarray(annotated, float)
    rows = opacity(np.float32(answer["heat_map"]))
    size = annotated.size
    alpha = np.asarray(Image.fromarray(rows).resize(size, Image.Resampling.BICUBIC)) / 255
    expected = before * (1 - alpha[..., None]) + np.float32([255, 40, 0]) * alpha[..., None]
    below = slice(40, None)
    assert abs(after - expected)[below].mean() < 6  # JPEG
    assert abs(after - before)[below].max() > 60

"""What the pages know of models and pictures, and the owner's title and logo on the kiosk."""

import os
import re

import pytest
from builders.images import encode, noise
from builders.tflite import classifier
from serving.direct import DirectClient

from edge.errors import SettingsError
from edge.settings import Settings, load_settings
from edge.web.app import create_app
from edge.web.pages.brand import MAX_LOGO_BYTES, MAX_LOGO_PIXELS, read_brand
from edge.wiring.bootstrap import build_repository, build_serving_service

ENDPOINT = "projects/p/locations/l/endpoints/1"


@pytest.fixture
def models(tmp_path):
    """Two models: one with words for its labels, and one that asks no cloud."""
    for name, text in (
        ("worded", '[display_names.en]\nc1 = "Cup"\n[display_names.fr]\nc1 = "Tasse"\n'),
        ("silent", '[fallback]\nmode = "off"\n'),
    ):
        folder = tmp_path / "models" / name
        folder.mkdir(parents=True)
        (folder / "model.tflite").write_bytes(classifier())
        (folder / "dict.txt").write_text("\n".join(f"c{at}" for at in range(12)))
        (folder / "model.toml").write_text(text)
    return tmp_path / "models"


@pytest.fixture
def ask(models):
    """Build an application with those settings and ask it for a path."""
    services = []

    def get(path="/page/info", **given):
        settings = Settings(workers=1, models=models, **given)
        service = build_serving_service(settings, build_repository(settings))
        services.append(service)
        return DirectClient(create_app(service, settings)).get(path)

    yield get
    for service in services:
        service.pool.close()


def test_words_cross_to_the_pages_and_labels_on_the_wire_stay(ask):
    info = ask().json()
    assert info["default"] == "silent"
    words = {"en": {"c1": "Cup"}, "fr": {"c1": "Tasse"}}
    assert info["models"]["worded"]["display_names"] == words
    assert info["models"]["silent"]["display_names"] == {}
    assert info["models"]["silent"]["task"] == "classification"
    listed = {model["name"]: model for model in ask("/models").json()["models"]}
    assert listed["worded"]["display_names"] == words
    assert "c1" in listed["worded"]["labels"]


BOX = {"outbox_dir": "{box}"}
CLOUD = {"cloud_endpoint": ENDPOINT}


@pytest.mark.parametrize(
    ("given", "sends", "keeps"),
    [
        ({}, False, False),
        (CLOUD, False, False),
        (BOX, False, False),
        ({**CLOUD, "cloud_mode": "low_confidence"}, True, False),
        ({**CLOUD, "cloud_mode": "shadow"}, True, False),
        ({**CLOUD, "cloud_mode": "prefer_cloud"}, True, False),
        ({**BOX, "cloud_mode": "low_confidence"}, False, True),
        ({**BOX, "cloud_mode": "shadow"}, False, False),
        ({**BOX, "cloud_mode": "low_confidence", "outbox_images": False}, False, False),
        ({**BOX, **CLOUD, "cloud_mode": "on_error"}, True, True),
        ({**BOX, **CLOUD, "cloud_mode": "shadow"}, True, False),
    ],
)
def test_it_is_said_what_becomes_of_pictures_by_the_rules_in_force(
    ask, tmp_path, given, sends, keeps
):
    given = {name: str(tmp_path) if text == "{box}" else text for name, text in given.items()}
    models = ask(**given).json()["models"]
    assert (models["worded"]["sends"], models["worded"]["keeps"]) == (sends, keeps)
    # Its own file turns the cloud off.
    assert (models["silent"]["sends"], models["silent"]["keeps"]) == (False, False)


def test_the_kiosk_has_the_owners_title_as_text_and_no_other_page_has_it(ask):
    title = "<script>\"&' Café"
    page = ask("/kiosk", kiosk_title=title).text
    assert 'data-brand="&lt;script&gt;&quot;&amp;&#x27; Café"' in page
    assert "<script>" not in page
    assert "Café" not in ask("/", kiosk_title=title).text
    assert 'data-brand=""' in ask("/kiosk").text


def test_a_logo_is_served_as_what_it_is_and_shown(ask, tmp_path):
    assert re.search(r'id="logo" alt="" hidden>', ask("/kiosk").text)
    assert ask("/kiosk/logo").status_code == 404
    for kind, media in (("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")):
        file = tmp_path / "logo"  # its name says nothing
        file.write_bytes(encode(noise(32, 16), kind))
        reply = ask("/kiosk/logo", kiosk_logo=file)
        assert (reply.status_code, reply.headers["content-type"]) == (200, media)
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert reply.content == file.read_bytes()
    assert re.search(r'id="logo" alt="" src="kiosk/logo">', ask("/kiosk", kiosk_logo=file).text)


SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (SVG, "HTML, SVG or XML text"),
        (b"", "no bytes arrived"),
        (encode(noise(8, 8), "GIF"), "it is GIF"),
        (encode(noise(64, 64), "PNG")[:90], "truncated"),
        (encode(noise(8, 8), "PNG") + b"\0" * MAX_LOGO_BYTES, "larger than 1,048,576 bytes"),
        (encode(noise(1, 1).resize((2001, 2000)), "PNG"), f"limit is {MAX_LOGO_PIXELS:,}"),
    ],
    ids=["svg", "empty", "gif", "cut", "bytes", "pixels"],
)
def test_a_logo_that_is_no_small_picture_stops_the_start_by_name(tmp_path, content, words):
    file = tmp_path / "logo.png"
    file.write_bytes(content)
    with pytest.raises(SettingsError, match=f"^kiosk_logo = .*{re.escape(words)}"):
        read_brand(Settings(kiosk_logo=file))


def test_a_logo_that_is_no_file_stops_the_start_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name in ("nothing.png", "pipe", "."):
        with pytest.raises(SettingsError, match=r"^kiosk_logo = .*no such file"):
            read_brand(Settings(kiosk_logo=tmp_path / name))


def test_a_title_is_one_line_of_sixty_characters():
    assert load_settings({"kiosk_title": f" {'é' * 58} "}).kiosk_title == "é" * 58
    for title in ("a" * 61, "two\nlines", "a\u202eb"):
        with pytest.raises(SettingsError, match=r"^--kiosk-title = "):
            load_settings({"kiosk_title": title})


def test_a_drawn_picture_of_the_wall_has_people_s_words(monkeypatch, models):
    """What the wall's door hands to the pen; `tests/vision/` looks at the pixels."""
    drawn = []
    monkeypatch.setattr(
        "edge.web.pages.wall_routes.draw_jpeg",
        lambda image, marks, **_: drawn.extend(marks) or b"jpeg",
    )
    settings = Settings(workers=1, models=models, default_model="worded")
    service = build_serving_service(settings, build_repository(settings))
    service.load_models()
    app = DirectClient(create_app(service, settings))
    app.post("/predict?camera=a&top_k=12", content=encode(noise(8, 8), "PNG"))
    assert app.get("/wall/annotated/1.jpg").content == b"jpeg"
    service.pool.close()
    labels = {mark.label for mark in drawn}
    assert "Cup" in labels
    assert "c1" not in labels
    assert "c2" in labels

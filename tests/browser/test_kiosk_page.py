"""The kiosk as a person in front of it sees it."""

import json
import re

import pytest
from ink import assert_boxes_are_drawn
from playwright.sync_api import expect
from screens import SIZES
from serving.pictures import scene
from serving.process import MODELS, ROOT, Server
from serving.secure import LAN, free_port
from test_all_pages import serious_problems

PHOTOS = MODELS / "photos"


def verdict(page):
    return page.locator("#verdict")


def state(page):
    return page.locator("#state")


def test_the_kiosk_says_what_the_camera_shows(watch):
    page = watch("/kiosk").page
    expect(page).to_have_url(re.compile("/kiosk"))
    expect(verdict(page)).to_have_text("espresso", timeout=15_000)
    expect(state(page)).to_have_text("Live")
    expect(page.locator("#bars .label").first).to_have_text("espresso")
    expect(page.locator("#spoken")).to_have_text(
        re.compile(r"espresso, \d+%")
    )  # for a screen reader
    expect(page.locator("#rate")).to_have_text(re.compile(r"\d+ per second, \d+ ms"), timeout=5000)


def test_another_camera_says_something_else(watch, launch):
    page = watch(browser=launch("chelsea")).page
    answers = []
    page.on(
        "websocket",
        lambda socket: socket.on("framereceived", lambda text: answers.append(json.loads(text))),
    )
    page.goto("/kiosk?model=objects")
    expect(verdict(page)).to_have_text("Cat", timeout=15_000)
    assert_boxes_are_drawn(page.locator("#boxes"), answers[-1])


SEEN = {
    "frame": 0,
    "dropped": 0,
    "image": {"width": 640, "height": 480},
    "model": {"name": "objects", "version": 1},
    "timing_ms": {"inference": 20.0},
    "predictions": [
        {
            "label": "Cat",
            "index": 15,
            "score": 0.9,
            "box": {"x_min": 0.1, "y_min": 0.4, "x_max": 0.3, "y_max": 0.95},
        },
        {
            "label": "Dog",
            "index": 16,
            "score": 0.8,
            "box": {"x_min": 0.55, "y_min": 0.3, "x_max": 0.7, "y_max": 0.5},
        },
    ],
}


@pytest.mark.parametrize(("size", "ratio"), [("7-inch", 1), ("1080p", 1), ("phone", 2)])
def test_boxes_are_where_the_answer_says_and_on_the_other_side_when_mirrored(watch, size, ratio):
    width, height = SIZES[size]
    page = watch(viewport={"width": width, "height": height}, device_scale_factor=ratio).page
    page.route_web_socket(
        "**/stream*", lambda socket: socket.on_message(lambda _: socket.send(json.dumps(SEEN)))
    )
    video, canvas = page.locator("#video"), page.locator("#boxes")
    for mirror in (False, True):
        page.goto(f"/kiosk?mirror={int(mirror)}")
        expect(verdict(page)).to_have_text("Cat", timeout=15_000)
        assert video.evaluate("(video) => [video.videoWidth, video.videoHeight]") == [640, 480]
        assert video.bounding_box() == canvas.bounding_box()
        expect(video).to_have_css("object-fit", "contain")
        expect(video).to_have_css("transform", "matrix(-1, 0, 0, 1, 0, 0)" if mirror else "none")
        assert_boxes_are_drawn(canvas, SEEN, mirror=mirror)
        with pytest.raises(AssertionError):
            assert_boxes_are_drawn(canvas, SEEN, mirror=not mirror)
    page.keyboard.press("s")
    page.get_by_label("Mirror the picture").uncheck()
    assert_boxes_are_drawn(canvas, SEEN)


@pytest.mark.parametrize("shape", [(900, 300), (300, 700)])
def test_boxes_of_an_opened_picture_are_where_the_answer_says_also_in_a_mirrored_kiosk(
    watch, served, tmp_path, shape
):
    file = tmp_path / "cat.png"
    scene(shape).save(file)
    page = watch("/kiosk?model=objects&mirror=1").page
    page.locator("#file").set_input_files(file)
    expect(state(page)).to_have_text("Picture")
    expect(verdict(page)).to_have_text(re.compile("Cat"))
    answer = served.client.post("/predict?model=objects", content=file.read_bytes()).json()
    assert_boxes_are_drawn(page.locator("#boxes"), answer)
    expect(page.locator("#still")).to_have_css("object-fit", "contain")
    expect(page.locator("#still")).to_have_css("transform", "none")
    assert page.locator("#still").bounding_box() == page.locator("#boxes").bounding_box()


def test_the_server_goes_and_comes_and_the_kiosk_recovers_by_itself(watch):
    port = free_port()
    with Server("--port", port) as first:
        watched = watch("/kiosk", base=first.url)
        watched.offline_expected = True
        page = watched.page
        expect(verdict(page)).to_have_text("espresso", timeout=15_000)
        first.process.kill()
        first.ended()
        expect(state(page)).to_have_text("The service cannot be reached")
        expect(page.locator("#notice")).to_be_visible()
        expect(verdict(page)).to_have_text("")  # what is old is not shown as if it were new
    with Server("--port", port):
        expect(verdict(page)).to_have_text("espresso", timeout=5000)  # it tries every two seconds
        expect(page.locator("#notice")).to_be_hidden()
        watched.page.close()


def test_a_camera_that_fails_is_told_and_found_again(watch):
    page = watch("/kiosk").page
    expect(verdict(page)).to_have_text("espresso", timeout=15_000)
    page.evaluate("document.getElementById('video').srcObject.getTracks()[0].stop()")
    expect(state(page)).to_have_text("The camera gives no picture", timeout=10_000)
    expect(verdict(page)).to_have_text("")
    expect(verdict(page)).to_have_text("espresso", timeout=10_000)


def test_without_a_camera_a_picture_is_opened_dropped_or_pasted(watch, launch):
    browser = launch(photo=None)
    watched = watch("/kiosk?model=objects", browser=browser)
    watched.offline_expected = True  # the refused text is an error in the console too
    page = watched.page
    page.on(
        "filechooser", lambda _: None
    )  # choosers are caught from now on, before a key can open one
    expect(page.locator("#headline")).to_have_text("No camera", timeout=10_000)
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("o")
    chooser.value.set_files(PHOTOS / "chelsea.jpg")
    expect(verdict(page)).to_have_text("Cat")
    expect(page.locator("#notice")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#headline")).to_have_text("No camera")
    _drop(page, PHOTOS / "coffee.jpg", "image/jpeg")
    expect(verdict(page)).to_have_text("Coffee cup")
    _drop(page, ROOT / "pyproject.toml", "text/plain")
    expect(page.locator("#headline")).to_have_text("The service refused the picture")
    expect(page.locator("#advice")).to_contain_text("not an image")


def _drop(page, file, kind):
    page.evaluate(
        """([bytes, kind]) => {
          const transfer = new DataTransfer();
          transfer.items.add(new File([new Uint8Array(bytes)], "dropped", { type: kind }));
          const options = { dataTransfer: transfer, bubbles: true, cancelable: true };
          document.body.dispatchEvent(new DragEvent("drop", options));
        }""",
        [list(file.read_bytes()), kind],
    )


def test_settings_survive_a_reload_and_a_bare_address(watch):
    page = watch("/kiosk").page
    expect(verdict(page)).to_have_text("espresso", timeout=15_000)
    page.keyboard.press("s")
    page.get_by_label("Model").select_option("objects")
    page.get_by_label("Language").select_option("fr")
    page.get_by_label("Thème").select_option("dark")
    page.keyboard.press("Escape")
    for step in (page.reload, lambda: page.goto("/kiosk")):
        expect(verdict(page)).to_have_text("Coffee cup", timeout=15_000)
        expect(state(page)).to_have_text("En direct")
        expect(page.locator("html")).to_have_attribute("lang", "fr")
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert "model=objects" in page.url
        step()


_TWINS = """
  const { mediaDevices } = navigator;
  const open = mediaDevices.getUserMedia.bind(mediaDevices);
  window.opened = [];
  mediaDevices.getUserMedia = ({ video }) => {
    const { deviceId, ...others } = video;
    window.opened.push(deviceId?.exact ?? null);
    return open({ audio: false, video: others });
  };
  mediaDevices.enumerateDevices = async () => ["left", "right"].map((deviceId) => {
    return { kind: "videoinput", label: "HD Webcam", deviceId };
  });
"""
"""Gives a page two cameras of the same name, and notes which it opens."""


def test_of_two_cameras_of_the_same_name_each_can_be_chosen_and_is_kept(watch):
    watched = watch()
    watched.context.add_init_script(_TWINS)
    page = watched.page
    page.goto("/kiosk")
    expect(verdict(page)).to_have_text("espresso", timeout=15_000)
    page.keyboard.press("s")
    for name, device in (
        ("HD Webcam (2)", "right"),
        ("HD Webcam", "left"),
        ("HD Webcam (2)", "right"),
    ):
        page.locator("#set-camera").select_option(name)
        page.wait_for_function("(device) => window.opened.at(-1) === device", arg=device)
    page.keyboard.press("Escape")
    for step in (page.reload, lambda: page.goto("/kiosk")):
        step()
        expect(verdict(page)).to_have_text("espresso", timeout=15_000)
        assert page.evaluate("window.opened.at(-1)") == "right"


def test_all_is_reached_by_the_keyboard(watch):
    page = watch("/kiosk").page
    expect(verdict(page)).to_have_text("espresso", timeout=15_000)
    names = []
    for _ in range(3):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert names == ["Open a picture", "Full screen", "Settings"]
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name="Settings")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press(" ")
    expect(state(page)).to_have_text("Paused")
    page.keyboard.press(" ")
    expect(state(page)).to_have_text("Live")
    page.keyboard.press("f")
    page.evaluate(
        "() => new Promise((done) => setInterval(() => document.fullscreenElement && done(), 50))"
    )


def test_over_plain_http_on_the_network_the_way_to_a_camera_is_shown(watch, served):
    if LAN is None:
        pytest.skip("this machine has no address but loopback")
    page = watch("/kiosk", base=f"http://{LAN}:{served.url.rpartition(':')[2]}").page
    expect(page.locator("#headline")).to_have_text("The camera needs HTTPS")
    expect(page.get_by_role("link", name="Pair this device")).to_be_visible()
    page.locator("#file").set_input_files(PHOTOS / "coffee.jpg")
    expect(verdict(page)).to_have_text("espresso")


@pytest.mark.parametrize("size", SIZES)
def test_the_screen_is_filled_and_the_verdict_is_large(watch, size):
    width, height = SIZES[size]
    page = watch("/kiosk", viewport={"width": width, "height": height}).page
    expect(verdict(page)).to_have_text("espresso", timeout=15_000)
    measured = page.evaluate(
        "() => { const root = document.documentElement;"
        " const verdict = document.getElementById('verdict');"
        " return { w: root.scrollWidth, h: root.scrollHeight,"
        " size: parseFloat(getComputedStyle(verdict).fontSize),"
        " cut: verdict.scrollWidth > verdict.clientWidth }; }"
    )
    assert (measured["w"], measured["h"]) == (width, height)  # nothing to scroll
    assert not measured["cut"]
    # 7 inches across 800 pixels are 5.2 pixels a millimetre; letters of 10 mm are read from three
    # metres
    assert measured["size"] >= {"7-inch": 75, "1080p": 150, "phone": 45}[size]


def test_a_link_that_dies_without_a_word_is_noticed(watch):
    watched = watch("/kiosk")
    watched.offline_expected = True
    page = watched.page
    expect(verdict(page)).to_have_text("espresso", timeout=15_000)
    page.evaluate("WebSocket.prototype.send = () => {}")  # frames leave and never arrive
    expect(state(page)).to_have_text("No answer", timeout=10_000)


def test_the_documented_browser_client_says_what_it_sees(watch):
    [code] = re.findall(r"```js\n(.*?)```", (ROOT / "docs/stream.md").read_text(), re.DOTALL)
    page = watch("/login").page
    page.evaluate(
        "async (bytes) => { const picture = new Blob([new Uint8Array(bytes)]);"
        " window.video = await createImageBitmap(picture);"
        " window.heard = []; window.say = (words) => window.heard.push(words); }",
        list((PHOTOS / "coffee.jpg").read_bytes()),
    )
    page.evaluate(f"(() => {{ {code} }})()")
    page.evaluate(
        "() => new Promise((done) => setInterval(() => window.heard.length > 2 && done(), 50))"
    )
    assert page.evaluate("window.heard[0]") == "espresso"


CLOUDS = {
    **SEEN,
    "source": "cloud",
    "certain": True,
    "cloud": {"latency_ms": 214.2},
    "edge": {"predictions": [{**SEEN["predictions"][1], "score": 0.41}], "latency_ms": 20},
    "predictions": [
        {**SEEN["predictions"][0], "label": "A label of so many words that it needs two lines"},
        SEEN["predictions"][1],
    ],
}
INFO = {
    "default": "objects",
    "models": {
        "objects": {"display_names": {"fr": {"Dog": "Chien"}}, "sends": True, "keeps": True}
    },
}


@pytest.mark.parametrize(
    ("size", "theme", "language"),
    [("7-inch", "light", "fr"), ("1080p", "dark", "en"), ("phone", "light", "fr")],
)
def test_a_clouds_answer_fits_the_screen_and_says_what_becomes_of_pictures(
    watch, axe, size, theme, language
):
    width, height = SIZES[size]
    page = watch(
        viewport={"width": width, "height": height}, color_scheme=theme, locale=language
    ).page
    page.route_web_socket(
        "**/stream*", lambda socket: socket.on_message(lambda _: socket.send(json.dumps(CLOUDS)))
    )
    page.route("**/page/info", lambda route: route.fulfill(json=INFO))
    page.goto("/kiosk")
    chip = {"en": "Cloud, 214 ms", "fr": "Nuage, 214 ms"}[language]
    expect(page.locator("#chip")).to_have_text(chip, timeout=15_000)
    said = {"en": "edge said: Dog 41%", "fr": "en local : Chien 41\u00a0%"}[language]
    expect(page.locator("#edge-said")).to_have_text(
        re.compile(re.escape(said).replace(r"\ ", r"\s"))
    )
    expect(page.locator("#privacy")).to_be_visible()
    # The long label and the long verdict stand on two lines each, whole within the screen.
    lines = page.evaluate(
        "() => [document.querySelector('#bars .label'), document.getElementById('verdict')].map("
        "(one) => one.clientHeight / parseFloat(getComputedStyle(one).lineHeight))"
    )
    assert [round(count) for count in lines] == [2, 2]
    root = page.evaluate(
        "[document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
    )
    assert root == [width, height]
    for part in ("#privacy", "#chip", "#edge-said", ".verdict"):
        box = page.locator(part).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["y"] + box["height"] <= height
    assert not serious_problems(page, axe)


@pytest.mark.parametrize("size", SIZES)
def test_a_refused_picture_leaves_the_view_and_offers_ways_that_a_finger_hits(
    watch, axe, tmp_path, size
):
    width, height = SIZES[size]
    watched = watch("/kiosk", viewport={"width": width, "height": height})
    watched.offline_expected = True  # the refusal is a 415, which the console names
    page = watched.page
    expect(verdict(page)).to_have_text("espresso", timeout=15_000)
    file = tmp_path / "a.jpg"
    file.write_bytes(b"PK\x03\x04 no picture")
    page.locator("#file").set_input_files(file)
    expect(page.locator("#headline")).to_have_text("The service refused the picture")
    expect(verdict(page)).to_have_text("espresso")
    stage = page.locator("#stage").bounding_box()
    for name in ("Try again", "Open a picture", "Close"):
        box = page.get_by_role("alert").get_by_role("button", name=name).bounding_box()
        assert box["height"] >= 64
        assert stage["y"] <= box["y"]
        assert box["y"] + box["height"] <= stage["y"] + stage["height"]
    assert not serious_problems(page, axe)
    page.get_by_role("button", name="Close").click()
    expect(page.locator("#notice")).to_be_hidden()


def test_an_unknown_model_is_the_cause_that_is_said_and_the_default_one_answers(watch, axe):
    page = watch("/kiosk?model=nothing").page
    expect(verdict(page)).to_have_text("espresso", timeout=15_000)
    expect(page.locator("#note")).to_contain_text("There is no model “nothing” here")
    assert not serious_problems(page, axe)
    page.goto("/kiosk")  # remembered, and still not there
    expect(page.locator("#note")).to_contain_text("“nothing”")
    expect(verdict(page)).to_have_text("espresso", timeout=15_000)


def test_a_locked_kiosk_invites_when_idle_and_begins_anew(watch, axe):
    page = watch("/kiosk?locked=1&idle=5").page
    expect(verdict(page)).to_have_text("espresso", timeout=15_000)
    expect(page.locator("#attract")).to_be_visible(timeout=20_000)
    assert page.locator("a:visible").count() == 0
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme)
        assert not serious_problems(page, axe)
    for key in ("s", "o"):
        page.keyboard.press(key)
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(page.locator("#attract")).to_be_hidden()
    expect(verdict(page)).to_have_text("espresso")
    expect(page.locator("#attract")).to_be_visible(timeout=20_000)
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#attract")).to_be_hidden()
    expect(page.locator(".tools button:visible")).to_have_count(0)


def test_the_owners_title_and_logo_stand_on_the_kiosk(watch):
    title = "Musée <b>du café</b>"
    with Server("--kiosk-title", title, "--kiosk-logo", PHOTOS / "coffee.jpg") as server:
        page = watch("/kiosk", base=server.url).page
        expect(page.get_by_role("heading", name=title)).to_be_visible()
        expect(page).to_have_title(title)
        assert page.locator("#logo").evaluate("(logo) => logo.complete && logo.naturalWidth") > 0
        page.context.close()

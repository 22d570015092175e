"""The wall, the phone and the sign-in as people use them."""

import json
import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from ink import assert_boxes_are_drawn
from playwright.sync_api import expect
from screens import SIZES
from serving.pictures import encoded, photo, scene
from serving.process import MODELS, Server
from serving.secure import LAN

from edge.api_key import hash_key, new_key
from edge.web.pages.qr import qr_svg

KEYS = {name: new_key() for name in ("camera", "operator", "owner")}
SCOPES = {"camera": ["predict"], "operator": ["view"], "owner": ["admin"]}


@pytest.fixture(scope="module")
def locked():
    keys = {name: {"hash": hash_key(key), "scopes": SCOPES[name]} for name, key in KEYS.items()}
    with Server("--host", "0.0.0.0", env={"EDGE_API_KEYS": json.dumps(keys)}) as running:
        yield running


def tile(page, camera):
    return page.locator(".tiles > li").filter(
        has=page.locator(".camera", has_text=re.compile(f"^{camera}$"))
    )


def test_the_wall_shows_what_cameras_post(watch, served):
    page = watch("/wall").page
    expect(page.locator("#state")).to_have_text("Live")
    served.client.post("/predict?camera=line-1&model=objects", content=photo("chelsea"))
    shown = tile(page, "line-1")
    expect(shown.locator(".best")).to_contain_text("Cat", timeout=3000)
    expect(shown.locator(".maker")).to_contain_text("Edge")
    expect(shown.locator(".maker")).to_contain_text("ms")
    expect(shown.get_by_role("img", name="Picture of line-1: Cat")).to_be_visible()
    assert (
        shown.locator("img").evaluate("(image) => image.decode().then(() => image.naturalWidth)")
        == 451
    )
    expect(page.locator("#health")).to_contain_text("imagenet v1")
    expect(page.locator("#counts")).to_contain_text("Cat", timeout=10_000)
    expect(page.locator("#counts svg .minute").first).to_be_attached()
    page.locator("#counts svg").first.hover(position={"x": 1, "y": 20})
    expect(page.locator(".tip").first).to_have_text("59 min ago: not running")


def test_a_wall_opened_after_a_curl_is_not_empty_and_its_tile_opens_the_large_view(watch, served):
    """With the keyboard alone; the frame stays there while newer ones come."""
    served.client.post("/predict?camera=curl", content=photo("coffee"))
    page = watch("/wall").page
    button = tile(page, "curl").get_by_role("button")
    expect(button).to_contain_text("espresso")
    button.press("Enter")
    large = page.get_by_role("dialog")
    expect(large.locator("#large-best")).to_contain_text("espresso")
    expect(large.locator(".scores li")).to_have_count(1000)
    served.client.post("/predict?camera=curl", content=photo("chelsea"))
    served.client.post("/predict?camera=curl", content=photo("chelsea"))
    for name, words in (("picture", "Download picture"), ("drawn", "Download annotated")):
        with page.expect_download() as download:
            large.get_by_role("link", name=words).click()
        content = Path(download.value.path()).read_bytes()
        assert (content == photo("coffee")) == (name == "picture")
        assert content.startswith(b"\xff\xd8\xff")
    large.get_by_text("JSON").click()
    told = json.loads(large.locator("pre").text_content())
    assert (told["predictions"][0]["label"], len(told["scores"])) == ("espresso", 1000)
    page.keyboard.press("Escape")
    expect(large).to_have_count(0)
    expect(button).to_be_focused()


def test_tiles_stay_in_the_order_of_names_while_a_fast_camera_posts(watch, served):
    """And the fast one takes no other's place."""
    page = watch("/wall").page
    cameras = ["order-10", "order-2", "order-1"]
    for camera in cameras:
        served.client.post(f"/predict?camera={camera}", content=photo("coffee"))
    shown = page.locator(".tile .camera").filter(has_text="order-")
    expect(shown).to_have_text(["order-1", "order-2", "order-10"])
    for _ in range(26):
        served.client.post("/predict?camera=order-2", content=photo("chelsea"))
    expect(tile(page, "order-2")).to_contain_text("tiger cat")
    expect(shown).to_have_text(["order-1", "order-2", "order-10"])


def test_a_camera_that_only_fails_is_red_and_says_why(watch, served):
    for _ in range(2):
        served.client.post("/predict?camera=red", content=b"\xff\xd8\xff no picture")
    page = watch("/wall").page
    expect(tile(page, "red")).to_have_attribute("data-state", "failing")
    expect(tile(page, "red")).to_contain_text("Only errors: 2")
    expect(tile(page, "red").locator(".more")).not_to_be_empty()


@pytest.mark.parametrize("size", SIZES)
def test_a_television_has_no_controls_and_its_tiles_fill_the_screen(watch, served, size):
    for number in range(3):
        served.client.post(f"/predict?camera=tv-{number}", content=photo("coffee"))
    width, height = SIZES[size]
    page = watch("/wall?tv=1", viewport={"width": width, "height": height}).page
    expect(page.locator(".tile").first).to_be_visible()
    for control in (".bar", "#filters", ".panel"):
        expect(page.locator(control)).to_be_hidden()
    boxes = [one.bounding_box() for one in page.locator(".tiles > li").all()]
    for side in ("width", "height"):
        assert max(box[side] for box in boxes) - min(box[side] for box in boxes) < 1
    assert max(box["x"] + box["width"] for box in boxes) == pytest.approx(width, abs=10)
    assert max(box["y"] + box["height"] for box in boxes) <= height
    assert page.evaluate("document.documentElement.scrollHeight") <= height
    points = page.locator(".tile .best").first.evaluate("(one) => getComputedStyle(one).fontSize")
    # Three metres from a television of 40 inches, where a pixel is half a millimetre.
    assert float(points.removesuffix("px")) >= {"1080p": 44, "7-inch": 20, "phone": 16}[size]


@pytest.mark.parametrize("shape", [(900, 300), (300, 700), (451, 300)])
def test_boxes_on_a_tile_and_a_card_are_where_the_answer_says(watch, served, shape):
    width, height = SIZES["1080p"]  # a caption has room beside the narrowest picture
    viewport = {"width": width, "height": height}
    page = watch("/wall", device_scale_factor=2, viewport=viewport).page
    expect(page.locator("#state")).to_have_text("Live")
    camera = f"shape-{shape[0]}-{shape[1]}"
    answer = served.client.post(
        f"/predict?camera={camera}&model=objects", content=encoded(scene(shape), "PNG")
    ).json()
    card = page.locator(".card").filter(has_text=camera)
    for tab, one in (("Cameras", tile(page, camera)), ("Changes", card)):
        page.get_by_role("tab", name=tab).click()
        expect(one.locator("img")).to_be_visible()
        shown = one.locator("img").evaluate(
            "(image) => image.decode().then(() => image.naturalWidth / image.naturalHeight)"
        )
        assert shown == pytest.approx(shape[0] / shape[1], rel=0.02)
        assert one.locator("img").bounding_box() == one.locator("canvas").bounding_box()
        draw_all(page)
        assert_boxes_are_drawn(one.locator("canvas"), answer)
        expect(one.locator("img")).to_have_css("object-fit", "contain")
    page.set_viewport_size({"width": 1300, "height": 700})
    draw_all(page)
    assert_boxes_are_drawn(card.locator("canvas"), answer)
    card.click()
    expect(page.locator("#large-picture img")).to_be_visible()
    draw_all(page)
    assert_boxes_are_drawn(page.locator("#large-picture canvas"), answer)


def draw_all(page):
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def test_boxes_on_a_phone_are_where_the_answer_says(watch, tmp_path):
    width, height = SIZES["phone"]
    page = watch(
        "/phone?model=objects", viewport={"width": width, "height": height}, device_scale_factor=3
    ).page
    file = tmp_path / "cat.png"
    scene((900, 300)).save(file)
    with page.expect_response(re.compile("/phone/picture")) as response:
        page.locator("#file").set_input_files(file)
    expect(page.locator("#headline")).to_have_text(re.compile("Cat"))
    expect(page.locator("#picture")).to_have_css("object-fit", "contain")
    assert page.locator("#picture").bounding_box() == page.locator("#boxes").bounding_box()
    assert_boxes_are_drawn(page.locator("#boxes"), response.value.json())


def test_filters_choose_and_survive_a_reload(watch, served):
    """In the feed; they fold behind a button where there is no room."""
    page = watch("/wall?tab=feed").page
    expect(page.locator("#state")).to_have_text("Live")
    for camera, name in (("one", "coffee"), ("two", "chelsea"), ("three", "astronaut")):
        served.client.post(f"/predict?camera={camera}", content=photo(name))
    cards = page.locator(".card")
    expect(cards.filter(has_text="football helmet")).not_to_have_count(0)
    expect(page.locator("#filters")).to_be_hidden()
    page.get_by_role("button", name="Filters").click()
    page.locator("#filter-camera").select_option("=two")
    expect(cards.filter(has_text="espresso")).to_have_count(0)
    expect(cards.filter(has_text="tiger cat")).not_to_have_count(0)
    page.get_by_label("Label").select_option("tiger cat")
    expect(cards.filter(has_text="football helmet")).to_have_count(0)
    page.get_by_label("Minimum score").fill("95")
    expect(page.locator("#cards .blank")).to_have_text("No answer matches the filters")
    page.get_by_label("Minimum score").fill("30")
    expect(cards.filter(has_text="tiger cat")).not_to_have_count(0)
    expect(page.locator("#fold")).to_have_text("Filters (3)")
    page.reload()
    expect(page.locator("#fold")).to_have_text("Filters (3)")
    page.set_viewport_size({"width": 1000, "height": 700})
    expect(page.locator("#fold")).to_be_hidden()
    expect(page.locator("#filter-camera")).to_have_value("=two")
    expect(page.get_by_label("Label")).to_have_value("tiger cat")
    expect(page.get_by_label("Minimum score")).to_have_value("30")
    page.get_by_label("Source").select_option("cloud")
    expect(cards).to_have_count(0)


def test_the_wall_comes_back_by_itself(watch):
    with Server() as first:
        port = first.url.rpartition(":")[2]
        watched = watch("/wall?tv=1", base=first.url)
        watched.offline_expected = True
        page = watched.page
        first.client.post("/predict?camera=before", content=photo("coffee"))
        expect(page.locator(".tile img")).to_be_visible()
        expect(page.locator("#gone")).to_be_hidden()
    expect(page.locator("#gone")).to_have_text("The service cannot be reached; trying again")
    expect(page.locator("#tiles")).to_have_css("opacity", "0.4")
    with Server("--port", port) as second:
        expect(page.locator("#gone")).to_be_hidden(timeout=10_000)
        expect(page.locator(".tile")).to_have_count(0)  # gone on restart
        second.client.post("/predict?camera=after", content=photo("coffee"))
        expect(page.locator(".tile")).to_contain_text("after")
        page.close()


def test_a_phone_scans_the_code_and_its_picture_is_on_the_wall_until_it_is_cleared(watch, locked):
    if LAN is None:
        pytest.skip("this machine has no address but loopback")
    base = f"http://{LAN}:{locked.url.rpartition(':')[2]}"
    wall = watch("/wall", base=base).page
    sign_in(wall, KEYS["owner"])
    expect(wall.locator("#state")).to_have_text("Live")
    wall.get_by_role("button", name="Phones").click()
    link = wall.locator("#phones-link")
    expect(link).to_be_visible()
    scanned = link.get_attribute("href")
    assert wall.get_by_role("img", name="QR code").evaluate(
        "(image) => image.decode().then(() => image.naturalWidth > 0)"
    )
    drawn = wall.evaluate(
        "async () => (await fetch(document.getElementById('phones-code').src)).text()"
    )
    told = drawn.partition("<title>")[2].partition("</title>")[0]
    assert told.startswith(f"{base}/phone?pass=")
    assert drawn == qr_svg(told).body.decode()
    wall.keyboard.press("Escape")

    width, height = SIZES["phone"]
    viewport = {"width": width, "height": height}
    phone = watch(
        scanned, base=base, viewport=viewport, is_mobile=True, has_touch=True, locale="fr-FR"
    ).page
    expect(
        phone.get_by_text("en mémoire seulement")
    ).to_be_visible()  # the notice comes before the picture
    with phone.expect_file_chooser() as chooser:
        phone.get_by_role("button", name="Prendre une photo").tap()
    chooser.value.set_files(MODELS / "photos" / "coffee.jpg")
    expect(phone.locator("#headline")).to_have_text("espresso")
    expect(phone.locator("#state")).to_have_text("Sur le mur")

    expect(tile(wall, "Phone")).to_contain_text("espresso", timeout=3000)
    wall.get_by_role("button", name="Clear").click()
    wall.get_by_role("button", name="Remove").click()
    expect(wall.locator(".tile")).to_have_count(0)


def sign_in(page, key):
    page.get_by_label("Key").fill(key)
    page.get_by_role("button", name="Sign in").click()


def test_a_person_signs_in_with_a_key_and_out(watch, locked):
    watched = watch("/wall", base=locked.url)
    watched.offline_expected = True
    page = watched.page
    expect(page.locator("#fault")).to_be_hidden()
    sign_in(page, new_key())
    expect(page.locator("#fault")).to_have_text("This key is unknown.")
    sign_in(page, KEYS["operator"])
    expect(page.locator("#state")).to_have_text("Live")
    assert KEYS["operator"] not in page.evaluate("document.cookie + JSON.stringify(localStorage)")
    [cookie] = watched.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    page.get_by_role("button", name="Clear").click()
    page.get_by_role("button", name="Remove").click()
    expect(page.locator("#clear-fault")).to_contain_text("admin")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Settings").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Key")).to_be_visible()


def test_under_the_path_of_a_proxy_pages_sign_in_and_ask_for_nothing_outside_of_it(watch):
    root = "/behind/a-proxy"
    keys = {"owner": {"hash": hash_key(KEYS["owner"]), "scopes": ["admin"]}}
    with Server(root_path=root, env={"EDGE_API_KEYS": json.dumps(keys)}) as behind:
        watched = watch(f"{root}/", base=behind.url)
        page = watched.page
        sign_in(page, KEYS["owner"])
        page.get_by_role("button", name="A cup of coffee").click()
        expect(page.locator("#verdict")).to_have_text("espresso", timeout=15_000)
        page.get_by_role("link", name="Kiosk").click()
        expect(page.locator("#verdict")).to_have_text("espresso", timeout=15_000)
        page.keyboard.press("s")
        page.get_by_role("link").click()  # the wall
        expect(page.locator("#state")).to_have_text("Live")
        reply = behind.client.post(
            "/predict", content=photo("coffee"), headers={"X-API-Key": KEYS["owner"]}
        )
        assert reply.status_code == 200
        picture = page.locator(".tile img").first
        expect(picture).to_be_visible()
        assert picture.evaluate("(image) => image.decode().then(() => image.naturalWidth > 0)")
        page.goto(f"{root}/docs")
        expect(page.get_by_text("/v1/models/{model}:predict").first).to_be_visible()
        page.goto(f"{root}/wall")
        page.get_by_role("button", name="Settings").click()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("Key")).to_be_visible()
        assert page.url == f"{behind.url}{root}/login"
        paths = {urlsplit(url).path for url in watched.addresses if not url.startswith("blob:")}
        assert len(paths) > 15
        assert not {path for path in paths if not path.startswith(f"{root}/")}
        page.close()


def test_a_kiosk_signs_in_with_its_key(watch, locked):
    page = watch("/kiosk", base=locked.url).page
    sign_in(page, KEYS["camera"])
    expect(page.locator("#verdict")).to_have_text("espresso", timeout=15_000)


def test_link_and_outbox_are_shown_where_a_cloud_is_configured(watch):
    watched = watch()
    health = {
        "models": [
            {
                "name": "parts",
                "version": 2,
                "state": "END",
                "fault": "dict.txt: 3 labels for 4 classes.",
            }
        ],
        "workers": {"all": 2, "busy": 1},
        "queue": {"size": 64, "waiting": 3},
        "link": {"state": "down", "fault": "The endpoint cannot be reached."},
        "outbox": {"waiting": 12, "fault": None},
    }
    event = f"event: health\ndata: {json.dumps(health)}\n\n"
    watched.context.route(
        "**/wall/events", lambda route: route.fulfill(content_type="text/event-stream", body=event)
    )
    page = watched.page
    page.goto("/wall")
    shown = page.locator("#health")
    for words in (
        "parts v2",
        "refused",
        "3 labels for 4 classes",
        "down",
        "cannot be reached",
        "12 waiting",
        "3 of 64",
    ):
        expect(shown).to_contain_text(words)

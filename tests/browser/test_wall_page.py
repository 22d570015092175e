"""The wall, the phone and the sign-in as people use them."""

import json
import re
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


def test_the_wall_shows_what_cameras_post(watch, served):
    page = watch("/wall").page
    expect(page.locator("#state")).to_have_text("Live")
    served.client.post("/predict?camera=line-1&model=objects", content=photo("chelsea"))
    card = page.locator(".card").first
    expect(card.locator(".best")).to_contain_text("Cat", timeout=3000)
    expect(card.locator(".origin").first).to_contain_text("line-1")
    expect(card.locator(".origin").last).to_contain_text("objects v1")
    expect(card.locator(".origin").last).to_contain_text("Edge")
    expect(card.locator(".origin").last).to_contain_text("ms")
    expect(card.get_by_role("img", name="Picture of line-1: Cat")).to_be_visible()
    assert (
        card.locator("img").evaluate("(image) => image.decode().then(() => image.naturalWidth)")
        == 451
    )
    expect(page.locator("#health")).to_contain_text("imagenet v1")
    expect(page.locator("#counts")).to_contain_text("Cat", timeout=10_000)
    expect(page.locator("#counts svg rect").first).to_be_attached()


@pytest.mark.parametrize("shape", [(900, 300), (300, 700), (451, 300)])
def test_boxes_on_a_card_are_where_the_answer_says(watch, served, shape):
    page = watch("/wall", device_scale_factor=2).page
    expect(page.locator("#state")).to_have_text("Live")
    camera = f"shape-{shape[0]}-{shape[1]}"
    answer = served.client.post(
        f"/predict?camera={camera}&model=objects", content=encoded(scene(shape), "PNG")
    ).json()
    card = page.locator(".card").filter(has_text=camera)
    expect(card.locator("img")).to_be_visible()
    shown = card.locator("img").evaluate(
        "(image) => image.decode().then(() => image.naturalWidth / image.naturalHeight)"
    )
    assert shown == pytest.approx(shape[0] / shape[1], rel=0.02)
    assert card.locator("img").bounding_box() == card.locator("canvas").bounding_box()
    assert_boxes_are_drawn(card.locator("canvas"), answer)
    expect(card.locator("img")).to_have_css("object-fit", "contain")
    page.set_viewport_size({"width": 1300, "height": 700})
    page.evaluate(
        "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )
    assert_boxes_are_drawn(card.locator("canvas"), answer)


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
    page = watch("/wall").page
    expect(page.locator("#state")).to_have_text("Live")
    for camera, name in (("one", "coffee"), ("two", "chelsea"), ("two", "astronaut")):
        served.client.post(f"/predict?camera={camera}", content=photo(name))
    cards = page.locator(".card")
    expect(cards.filter(has_text="Football helmet")).not_to_have_count(0)
    page.get_by_label("Camera").select_option("=two")
    expect(cards.filter(has_text="espresso")).to_have_count(0)
    expect(cards.filter(has_text="tiger cat")).not_to_have_count(0)
    page.get_by_label("Label").select_option("tiger cat")
    expect(cards.filter(has_text="football helmet")).to_have_count(0)
    page.get_by_label("Minimum score").fill("95")
    expect(page.locator(".blank")).to_have_text("No answer matches the filters")
    page.get_by_label("Minimum score").fill("30")
    expect(cards.filter(has_text="tiger cat")).not_to_have_count(0)
    page.reload()
    expect(page.get_by_label("Camera")).to_have_value("=two")
    expect(page.get_by_label("Label")).to_have_value("tiger cat")
    expect(page.get_by_label("Minimum score")).to_have_value("30")
    page.get_by_label("Source").select_option("cloud")
    expect(cards).to_have_count(0)


def test_the_wall_comes_back_by_itself(watch):
    with Server() as first:
        port = first.url.rpartition(":")[2]
        watched = watch("/wall", base=first.url)
        watched.offline_expected = True
        page = watched.page
        expect(page.locator("#state")).to_have_text("Live")
        first.client.post("/predict?camera=before", content=photo("coffee"))
        expect(page.locator(".card")).to_have_count(1)
    expect(page.locator("#state")).to_contain_text("cannot be reached")
    with Server("--port", port) as second:
        expect(page.locator("#state")).to_have_text("Live", timeout=10_000)
        expect(page.locator(".card")).to_have_count(0)  # gone on restart
        second.client.post("/predict?camera=after", content=photo("coffee"))
        expect(page.locator(".card")).to_contain_text("after")
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

    card = wall.locator(".card").first
    expect(card).to_contain_text("espresso", timeout=3000)
    expect(card).to_contain_text("Phone")
    wall.get_by_role("button", name="Clear").click()
    wall.get_by_role("button", name="Remove").click()
    expect(wall.locator(".card")).to_have_count(0)


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
        picture = page.locator(".card img")
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

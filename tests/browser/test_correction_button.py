"""The "wrong" button: large enough for a finger, accessible, in both languages, and kept."""

import httpx
import pytest
from playwright.sync_api import expect
from screens import SIZES
from serving.pictures import encoded, picture
from serving.process import MODELS, Server
from test_all_pages import serious_problems

COFFEE = str(MODELS / "photos" / "coffee.jpg")
MIN_TARGET = 64


@pytest.fixture(scope="module")
def keeping(tmp_path_factory):
    """A server with an outbox."""
    with Server(outbox_dir=tmp_path_factory.mktemp("outbox")) as running:
        yield running


def entries(server):
    return httpx.get(f"{server.url}/outbox").json()["entries"]


def viewport(size):
    return dict(zip(("width", "height"), SIZES[size], strict=True))


def smallest_target(page, within):
    """The shorter side of the smallest button that is seen."""
    boxes = [one.bounding_box() for one in page.locator(f"{within} button:visible").all()]
    return min(min(box["width"], box["height"]) for box in boxes)


def open_picture(page):
    page.goto("/kiosk?lang=en")
    page.set_input_files("#file", COFFEE)
    expect(page.locator("#state")).to_have_attribute("data-state", "still")


@pytest.mark.parametrize("size", ["7-inch", "phone", "1080p"])
def test_a_kiosk_keeps_what_a_person_corrects(watch, axe, keeping, size):
    watched = watch(base=keeping.url, viewport=viewport(size))
    page = watched.page
    open_picture(page)
    wrong = page.get_by_role("button", name="Wrong?")
    expect(wrong).to_be_visible()
    assert smallest_target(page, "#actions") >= MIN_TARGET
    wrong.click()
    dialog = page.get_by_role("dialog", name="What does it show?")
    expect(dialog.get_by_role("button", name="cup")).to_be_visible()
    assert smallest_target(page, "dialog.correction") >= MIN_TARGET
    assert serious_problems(page, axe) == []
    box = dialog.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= page.viewport_size["width"]
    dialog.get_by_role("searchbox").fill(f"my {size}")
    dialog.get_by_role("button", name=f"Use “my {size}”").click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_text(f"Kept for training: my {size}")).to_be_visible()
    assert serious_problems(page, axe) == []
    (entry,) = entries(keeping)
    assert (entry["state"], entry["correction"]["label"]) == ("corrected", f"my {size}")


def test_a_kiosk_corrects_a_frame_of_its_camera_in_french(watch, axe, keeping):
    watched = watch(
        "/kiosk?lang=fr", base=keeping.url, color_scheme="light", reduced_motion="reduce"
    )
    page = watched.page
    before = len(entries(keeping))
    page.get_by_role("button", name="Erreur ?").click()
    dialog = page.get_by_role("dialog", name="Que voit-on ?")
    assert serious_problems(page, axe) == []
    dialog.get_by_role("button", name="Rien de tout cela").click()
    expect(page.get_by_text("Conservé pour l\u2019apprentissage : Rien de tout")).to_be_visible()
    assert len(entries(keeping)) == before + 1
    assert entries(keeping)[-1]["correction"]["label"] is None


def test_without_an_outbox_and_on_a_locked_kiosk_there_is_no_button(watch, served, keeping):
    plain = watch().page
    open_picture(plain)
    expect(plain.get_by_role("button", name="Wrong?")).to_have_count(0)
    locked = watch("/kiosk?locked=1&lang=en", base=keeping.url).page
    expect(locked.locator("#verdict")).to_have_text("espresso", timeout=15_000)
    expect(locked.get_by_role("button", name="Wrong?")).to_have_count(0)


@pytest.mark.parametrize("size", ["7-inch", "phone"])
def test_the_large_view_of_the_wall_keeps_what_a_person_corrects(watch, axe, keeping, size):
    side = viewport(size)["width"] // 2  # pictures of their own: the same one is one entry
    seen = encoded(picture("coffee", (side, side * 2 // 3)), "JPEG")
    keeping.client.post(f"/predict?camera=gate {size}", content=seen)
    page = watch("/wall?lang=en", base=keeping.url, viewport=viewport(size)).page
    page.locator(".tiles button").filter(has_text=f"gate {size}").click()
    large = page.locator("#large")
    expect(large.locator("#large-scores li").first).to_be_visible()
    large.get_by_role("button", name="Wrong?").click()
    dialog = page.get_by_role("dialog", name="What does it show?")
    assert smallest_target(page, "dialog.correction") >= MIN_TARGET
    assert serious_problems(page, axe) == []
    dialog.get_by_role("searchbox").fill("coffee mug")
    dialog.get_by_role("button", name="coffee mug").click()
    expect(dialog).to_be_hidden()
    expect(large.get_by_text("Kept for training: coffee mug")).to_be_visible()
    assert serious_problems(page, axe) == []
    entry = next(one for one in entries(keeping) if one["camera"] == f"gate {size}")
    assert entry["correction"]["label"] == "coffee mug"
    assert entry["edge"]["predictions"][0]["label"] == "espresso"

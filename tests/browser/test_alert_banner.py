"""Alerts on the wall, as an operator sees them."""

import re

import pytest
from playwright.sync_api import expect
from screens import SIZES
from serving.pictures import photo
from serving.process import Server
from test_all_pages import serious_problems

RULES = """
[[rule]]
name = "cat at the gate"
label = "Cat"
camera = "gate"
cooldown_s = 0
silent_s = 1
"""


@pytest.fixture
def guarded(tmp_path):
    """A server of its own for each test: a new wall shows the alerts of the last half minute.

    To be asked for before `watch`, so that it outlives the page.
    """
    file = tmp_path / "alerts.toml"
    file.write_text(RULES)
    with Server(alerts_rules=file, alerts_mqtt="mqtt://127.0.0.1:1") as running:
        yield running


@pytest.mark.parametrize(("language", "theme"), [("en", "dark"), ("fr", "light")])
def test_an_alert_is_a_banner_that_is_accessible_and_fits_every_screen(
    guarded, watch, axe, language, theme
):
    # Muted at first: whether a browser waits for a touch depends on how it was started.
    looks = {"locale": language, "color_scheme": theme}
    page = watch("/wall?alert-sound=off", base=guarded.url, **looks).page
    banner = page.locator(".alerts")
    words = {
        "en": ("Alerts", "Turn the sound on", "Mute", "Dismiss the alert cat at the gate"),
        "fr": (
            "Alertes",
            "Activer le son",
            "Couper le son",
            re.compile("Fermer .*cat at the gate"),
        ),
    }
    title, sound_on, mute, dismiss = words[language]
    expect(banner).to_have_class(re.compile("quiet"))
    expect(page.get_by_role("button", name=sound_on)).to_be_visible()
    expect(banner.locator(".alert-faults")).to_contain_text("mqtt")
    assert not serious_problems(page, axe)
    guarded.client.post("/predict?camera=gate&model=objects", content=photo("chelsea"))
    row = banner.locator(".alert-row").first
    expect(row).to_contain_text("cat at the gate")
    expect(row).to_contain_text("Cat")
    expect(row).to_contain_text("gate")
    expect(page.get_by_role("region", name=title)).to_be_visible()
    assert not serious_problems(page, axe)
    for width, height in SIZES.values():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        expect(row.get_by_role("button", name=dismiss)).to_be_in_viewport(ratio=1)
    page.get_by_role("button", name=sound_on).click()
    expect(page.get_by_role("button", name=mute)).to_be_visible()
    expect(banner.locator(".alert-faults")).to_be_visible()
    while banner.locator(".alert-row").count():
        banner.get_by_role("button", name=dismiss).first.click()
    expect(banner).to_have_class(re.compile("quiet"))


def test_without_rules_there_is_no_banner(watch, served):
    page = watch("/wall").page
    served.client.post("/predict?camera=gate&model=objects", content=photo("chelsea"))
    expect(page.locator("#health")).to_contain_text("imagenet v1")
    expect(page.locator(".alerts")).to_have_count(0)

"""What holds for every page: accessible, nothing from outside, a strict policy, every text in both
languages, TLS.
"""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from screens import SIZES
from serving.pictures import photo
from serving.process import ROOT
from serving.secure import LAN, SecureServer, free_port

STATIC = ROOT / "edge" / "web/pages/static"
PAGES = (
    "/",
    "/nothing",
    "/kiosk",
    "/wall",
    "/wall?tab=feed",
    "/wall?tv=1",
    "/phone",
    "/login",
    "/login?fault=key_missing",
    "/pair",
)


@pytest.fixture(scope="module")
def secure(tmp_path_factory):
    with SecureServer(
        tmp_path_factory.mktemp("data"),
        "--host",
        "0.0.0.0",
        "--allow-open",
        "--pairing-port",
        free_port(),
    ) as running:
        yield running


def settle(page, path):
    page.goto(path)
    page.wait_for_load_state("load")
    if path == "/":
        expect(page.locator(".models li").first).to_be_visible()
    if path.startswith("/kiosk"):
        expect(page.locator("#verdict")).not_to_have_text("", timeout=15_000)
    if path.startswith("/wall"):
        expect(page.locator(".tile:visible, .card:visible").first).to_be_visible()
    if path == "/pair":
        expect(page.locator("main p").first).to_be_visible()


def serious_problems(page, axe):
    page.evaluate(axe)
    found = page.evaluate("() => axe.run()")["violations"]
    return [
        (one["id"], one["impact"], [node["html"] for node in one["nodes"]])
        for one in found
        if one["impact"] in {"serious", "critical"}
    ]


@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_no_serious_problem(watch, served, axe, path, theme):
    watched = watch(color_scheme=theme, reduced_motion="reduce")
    watched.offline_expected = path == "/nothing"  # Chromium's console names the 404 as well
    page = watched.page
    served.client.post("/phone/picture?model=objects", content=photo("chelsea"))
    settle(page, path)
    assert not serious_problems(page, axe)
    if path == "/wall":
        axe_finds_nothing_in_the_large_view(page, axe)
    if path in {"/kiosk", "/wall"}:
        page.get_by_role("button", name="Settings").click()
        assert not serious_problems(page, axe)


def axe_finds_nothing_in_the_large_view(page, axe):
    page.get_by_role("button", name="Filters").click()
    assert not serious_problems(page, axe)
    page.locator(".tile").first.click()
    expect(page.locator("#large-scores li").first).to_be_visible()
    page.get_by_text("JSON").click()
    assert not serious_problems(page, axe)
    page.keyboard.press("Escape")


def test_axe_finds_no_serious_problem_where_a_device_pairs(watch, secure, axe):
    port = re.search(r":(\d+)/pair$", secure.client.get("/pair/info").json()["pairing_url"])[1]
    page = watch("/pair", base=f"http://127.0.0.1:{port}").page
    expect(page.get_by_role("link", name="Download the certificate")).to_be_visible()
    expect(page.get_by_role("heading", name="Android")).to_be_visible()
    assert not serious_problems(page, axe)


def test_axe_finds_what_is_wrong(watch, axe):
    page = watch("/login").page
    page.evaluate("document.body.append(document.createElement('select'))")
    assert "select-name" in [name for name, *_ in serious_problems(page, axe)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(
    "path", ["/", "/nothing", "/kiosk", "/wall", "/wall?tab=feed", "/phone", "/login", "/pair"]
)
def test_no_page_is_wider_than_its_screen(watch, served, path, language, size):
    width, height = SIZES[size]
    watched = watch(viewport={"width": width, "height": height}, locale=language)
    watched.offline_expected = path == "/nothing"
    page = watched.page
    served.client.post("/phone/picture", content=photo("coffee"))
    settle(page, path)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(
    "path",
    ["/", "/kiosk", "/wall", "/phone", "/login", "/pair", "/static/kiosk.js", "/static/icon.svg"],
)
def test_the_policy_lets_nothing_in_from_outside_and_nothing_inline(served, path):
    policy = served.client.get(path).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy


def test_an_inline_script_does_not_run(watch):
    watched = watch("/login")
    watched.page.evaluate(
        "() => { const script = document.createElement('script');"
        " script.textContent = 'window.ran = 1';"
        " document.body.append(script); }"
    )
    assert watched.page.evaluate("window.ran") is None
    assert any("Content Security Policy" in line for line in watched.errors)
    watched.errors.clear()


def test_every_text_is_there_in_both_languages_and_is_used(watch):
    texts = watch("/login").page.evaluate("async () => (await import('/static/texts.js')).TEXTS")
    assert set(texts["en"]) == set(texts["fr"])
    holes = re.compile(r"{(\w+)}")
    for key, words in texts["en"].items():
        assert sorted(holes.findall(words)) == sorted(holes.findall(texts["fr"][key])), key
    sources = "".join(file.read_text() for file in STATIC.iterdir() if file.name != "texts.js")
    named = set(re.findall(r'data-(?:text|label|title|alt)="([\w.]+)"', sources))
    named |= set(
        re.findall(
            r'"((?:front|alerts|answer|correct|privacy|fault|lost|kiosk|camera|server|settings|wall|phones?|login|pair)\.[\w.]+)"',
            sources,
        )
    )
    built = re.findall(
        r"`((?:camera|server|fault|login\.fault|pair|front\.task|wall\.(?:state|source|link))\.)\$",
        sources,
    )
    unknown = {key for key in named if key not in texts["en"]}
    unused = {key for key in texts["en"] if key not in named and not key.startswith(tuple(built))}
    assert not unknown
    assert not unused


def test_nothing_in_the_pages_names_an_outside_address():
    for file in STATIC.iterdir():
        found = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", file.read_text())) - {
            "http://www.w3.org"
        }  # SVG's name
        assert not found, (file.name, found)


def test_a_browser_that_trusts_the_made_authority_gives_the_kiosk_its_camera(watch, launch, secure):
    if LAN is None:
        pytest.skip("this machine has no address but loopback")
    browser = launch(authority=Path(secure.authority))
    base = f"https://{LAN}:{secure.url.rpartition(':')[2]}"
    page = watch("/kiosk", browser=browser, base=base).page
    expect(page.locator("#verdict")).to_have_text("espresso", timeout=15_000)


def test_a_browser_that_does_not_trust_it_is_warned(watch, secure):
    page = watch(base=secure.url).page
    with pytest.raises(Exception, match="ERR_CERT_AUTHORITY_INVALID"):
        page.goto("/kiosk")

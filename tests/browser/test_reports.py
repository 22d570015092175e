"""The reports that are pages on disk: readable at three widths, dark, light and on paper.

Each page is loaded once.
"""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from builders.parts import put_parts
from click.testing import CliRunner
from PIL import Image

from edge.cli import main

WIDTHS = {390: "dark", 900: "light", 1440: "dark"}
LABELS = (
    "good",
    "<b>bold & \"quoted\" 'part'",
    "A label that somebody wrote as a whole sentence, since nobody had told them that it is a name",
    "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichenlochstanzmaschine",
    "划痕缺陷",
    "خدش عميق على السطح",
    "100 % ok",
)


def edge(*arguments, codes=(0,)):
    """Run a command, in a thread of its own: Playwright's loop runs in this one."""
    with ThreadPoolExecutor(1) as pool:
        done = pool.submit(CliRunner().invoke, main, list(map(str, arguments))).result()
    assert done.exit_code in codes, done.output


def put_pictures(folder, labels, count):
    """Discs on noise, so that labels are told apart now and then."""
    rng = np.random.default_rng(0)
    for number, label in enumerate(labels):
        (folder / label).mkdir(parents=True)
        for picture in range(count):
            grey = 60 + 20 * number + int(rng.integers(-30, 30))
            pixels = rng.normal(grey, 30, (60, 80 + 20 * (picture % 3), 3))
            image = Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            image.save(folder / label / f"{number}-{picture}.png")
    return folder


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """The page of each command by its name."""
    root = tmp_path_factory.mktemp("reports")
    pages = {name: root / f"{name}.html" for name in ("inspect", "evaluate", "roc", "verify")}
    data_set = put_pictures(root / "set", LABELS, 14)
    edge("data", "inspect", data_set, "--html", pages["inspect"])
    model = root / "model"
    edge("train", data_set, "--out", model, "--no-saved-model")
    judged = ("--split", "all", "--against", model, "--precision", "0.99", "--dry-run")
    demands = ("--fail-under", "accuracy=1", "--html", pages["evaluate"])
    edge("evaluate", model, data_set, *judged, *demands, codes=(0, 1))
    other = [{"label": LABELS[0], "score": 0.9}, {"label": LABELS[4], "score": 0.1}]
    lines = [
        json.dumps({"file": file.name, "predictions": other})
        for file in (data_set / LABELS[5]).iterdir()
    ]
    (root / "answers.jsonl").write_text("\n".join(lines), "utf-8")
    answers = ("--answers", root / "answers.jsonl", "--html", pages["verify"])
    edge("verify", model, data_set / LABELS[5], *answers, codes=(1,))
    good = root / "good"
    edge("train", "--good", put_parts(root / "parts", 20), "--out", good)
    put_parts(root / "faults" / "good", 5, seed=100)
    put_parts(root / "faults" / "blob", 5, "blob", seed=200)
    edge("evaluate", good, root / "faults", "--html", pages["roc"])
    return pages | {"train": model / "report.html", "good": good / "report.html"}


def problems(page):
    """What axe-core finds, down to the minor ones."""
    found = page.evaluate("() => axe.run()")["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]


@pytest.mark.parametrize("name", ["inspect", "train", "good", "evaluate", "roc", "verify"])
def test_a_report_is_readable_at_every_width_and_on_paper(chromium, axe, reports, name):
    context = chromium.new_context()
    requests = []
    context.on("request", lambda request: requests.append(request.url))
    page = context.new_page()
    try:
        page.goto(reports[name].as_uri())
        page.evaluate(axe)
        for width, theme in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert not problems(page), (width, theme)
        page.emulate_media(media="print")
        assert not page.locator("nav").is_visible()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
            "rgb(255, 255, 255)"
        )
        assert not page.locator("script").count()
        assert not page.locator("img:not([alt]), img[alt='']").count()
        assert page.locator("svg:not([aria-label])").count() == 0
        policy = page.locator("meta[http-equiv=Content-Security-Policy]").get_attribute("content")
        assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
        assert not [url for url in requests if not url.startswith(("file:", "data:"))]
    finally:
        context.close()


def test_what_the_reports_show_is_there_to_be_looked_at(reports):
    """The pages above have plots, pictures and matrices, or nothing was checked."""
    texts = {name: file.read_text("utf-8") for name, file in reports.items()}
    assert 'class="matrix"' in texts["train"]
    assert '<circle class="dot"' in texts["roc"]
    assert texts["evaluate"].count("<svg") > len(LABELS)
    for name in ("inspect", "evaluate", "verify"):
        assert "<img" in texts[name], name
    assert not [name for name, text in texts.items() if "<b>bold" in text]

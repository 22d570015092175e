"""`edge verify` from end to end: recordings, another export, the outbox, the online model."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from builders.outbox import frame
from builders.tflite import TINY_LABELS, tiny_export
from click.testing import CliRunner
from serving.process import clean_environment

from edge.cli import main
from edge.outbox.store import Store

PHOTOS = Path(__file__).parents[2] / "models/photos"
FLOWERS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
SCRIPT = Path(__file__).with_name("tensorflow_side.py")


def edge(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)


def verified(*arguments):
    """The JSON of a run and its exit code."""
    done = edge("verify", *arguments, "--json")
    assert done.stdout, done.stderr
    return json.loads(done.stdout), done.exit_code


@pytest.fixture
def recording(shared_exports, tmp_path):
    """The recorded answers of the flowers' model, as lines of JSON."""
    runs = json.loads((shared_exports / "golden.json").read_text())["runs"]
    lines = [
        json.dumps(
            {
                "file": run["image"],
                "labels": FLOWERS,
                "scores": [score / 256 for score in run["scores_uint8"]],
            }
        )
        for run in runs
        if run["model"] == "flowers/model.tflite"
    ]
    file = tmp_path / "answers.jsonl"
    file.write_text("\n".join(lines))
    return file


@pytest.fixture
def tuned(shared_exports, tmp_path):
    """The flowers' model in a folder of its own, with lines of model.toml."""

    def make(text):
        folder = tmp_path / "tuned"
        folder.mkdir()
        for name in ("model.tflite", "dict.txt"):
            (folder / name).symlink_to(shared_exports / "flowers" / name)
        (folder / "model.toml").write_text(text)
        return folder

    return make


def test_a_real_export_answers_as_recorded(shared_exports, recording):
    photos = shared_exports / "flowers/photos"
    found, code = verified(shared_exports / "flowers", photos, "--answers", recording)
    (against,) = found["against"]
    assert (code, found["verified"]) == (0, True)
    assert (against["compared"], against["same"], against["missing"]) == (6, 6, 0)
    assert against["worst_score_difference"] <= 3 / 256
    assert against["preprocessing"] is None


def test_the_bound_of_decoding_holds(shared_exports, recording):
    photos = shared_exports / "flowers/photos"
    small = ("--max-decoded-bytes", 1 << 17)
    done = edge("verify", shared_exports / "flowers", photos, "--answers", recording, *small)
    assert done.exit_code != 0
    assert "memory" in done.output


def test_the_preprocessing_that_explains_a_gap_is_found(tuned, shared_exports, recording):
    export = tuned('channel_order = "bgr"\nresize = "center_crop"\ncrop_fraction = 0.4\n')
    found, code = verified(export, shared_exports / "flowers/photos", "--answers", recording)
    (against,) = found["against"]
    assert (code, found["verified"]) == (1, False)
    assert against["preprocessing"]["explains"]
    assert against["preprocessing"]["model_toml"] == [
        'resize = "stretch"',
        "# and remove crop_fraction",
        'channel_order = "rgb"',
    ]
    assert against["preprocessing"]["tried"][0]["distance"] < 0.005


def test_another_model_is_not_explained_by_preprocessing(shared_exports, recording):
    done = edge(
        "verify",
        shared_exports / "flowers-low-latency",
        shared_exports / "flowers/photos",
        *("--answers", recording, "--tolerance", "0"),
    )
    assert done.exit_code == 1
    assert "None explains the difference" in done.stdout
    assert done.stdout.rstrip().endswith("DIFFERENT.")


def test_what_predict_prints_is_a_recording(tmp_path):
    photos = [PHOTOS / "coffee.jpg", PHOTOS / "chelsea.jpg"]
    for model, overlap in (("imagenet", None), ("objects", 1.0)):
        printed = edge("predict", *photos, "--model", model, "--json").stdout
        (tmp_path / "answers.jsonl").write_text(printed)
        found, code = verified(model, *photos, "--answers", tmp_path / "answers.jsonl")
        (against,) = found["against"]
        assert (code, against["compared"], against["same"]) == (0, 2, 2)
        assert against["mean_iou"] == (overlap and pytest.approx(overlap, abs=1e-4))
        assert against["worst_score_difference"] == pytest.approx(0, abs=1e-6)


def test_two_exports_of_one_model_are_compared(tmp_path):
    export = tiny_export(tmp_path)
    other = tmp_path / "other"
    shutil.copytree(export, other)
    (other / "model.toml").write_text('channel_order = "bgr"\n')
    found, code = verified(export, PHOTOS, "--saved-model", other)
    assert code in {0, 1}
    assert found["against"][0]["compared"] == 3
    (other / "dict.txt").write_text("\n".join(["x", *TINY_LABELS[1:]]))
    done = edge("verify", export, PHOTOS, "--saved-model", other)
    assert done.exit_code == 2
    assert "not the same model" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("photo.jpg",), "no SavedModel of this model is beside it"),
        ((), "Give images, or --outbox"),
        (("photo.jpg", "--outbox"), "Give either images or --outbox"),
        (("photo.jpg", "--online"), "set cloud_endpoint"),
        (("--outbox",), "No outbox is configured"),
        (("photo.jpg", "--answers", "missing.jsonl"), "missing.jsonl cannot be read"),
        (("photo.jpg", "--answers", "empty.jsonl"), "none for the 1 pictures"),
    ],
)
def test_without_anything_to_compare_with_it_says_what_to_give(
    arguments, words, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photo.jpg").symlink_to(PHOTOS / "coffee.jpg")
    (tmp_path / "empty.jsonl").write_text("")
    done = edge("verify", tiny_export(tmp_path), *arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert words in done.stderr


def test_an_export_with_pictures_of_its_own_is_checked_by_them(tmp_path):
    export = tiny_export(tmp_path)
    (export / "golden").mkdir()
    (export / "golden/01.jpg").symlink_to(PHOTOS / "coffee.jpg")
    printed = json.loads(edge("predict", PHOTOS / "coffee.jpg", "--model", export, "--json").stdout)
    row = {"file": "01.jpg", "labels": ["x"], "predictions": printed["predictions"]}
    (export / "golden/answers.json").write_text(json.dumps({"pictures": [row]}, indent=2))
    found, code = verified(export)
    assert (code, found["against"][0]["same"]) == (0, 1)


def test_a_picture_that_fails_is_not_verified(tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/good.jpg").symlink_to(PHOTOS / "coffee.jpg")
    printed = edge("predict", tmp_path / "photos", "--model", "imagenet", "--json").stdout
    (tmp_path / "answers.jsonl").write_text(printed)
    (tmp_path / "photos/bad.jpg").write_bytes(b"no picture")
    found, code = verified("imagenet", tmp_path / "photos", "--answers", tmp_path / "answers.jsonl")
    (against,) = found["against"]
    assert (code, against["same"], len(against["failures"])) == (1, 1, 1)


def test_the_outbox_gives_frames_and_the_online_models_answers(tmp_path):
    export = tiny_export(tmp_path)
    store = Store(tmp_path / "outbox")
    names = ("coffee", "chelsea", "astronaut")
    images = [(PHOTOS / f"{name}.jpg").read_bytes() for name in names]
    receipts = store.put([replace(frame(""), image=image, model="tiny") for image in images])
    (first, second, waiting) = (one.key for one in receipts)
    own = [
        json.loads(line)["predictions"]
        for line in edge(
            "predict", *(PHOTOS / f"{name}.jpg" for name in names), "--model", export, "--json"
        ).stdout.splitlines()
    ]
    store.resolve(first, {"predictions": own[0], "model": "far"})
    wrong = [{"label": "something new", "index": 99, "score": 0.99}]
    store.resolve(second, {"predictions": wrong, "model": "far"})
    (other,) = store.put([frame("elsewhere", model="another")])
    store.resolve(other.key, {"predictions": wrong, "model": "far"})
    store.close()
    found, code = verified(export, "--outbox", "--outbox-dir", tmp_path / "outbox")
    (against,) = found["against"]
    assert code == 1
    assert (against["compared"], against["same"]) == (2, 1)
    assert [one["file"] for one in against["differing"]] == [second]
    assert waiting not in json.dumps(found)


def test_an_outbox_without_answers_for_the_model_names_those_it_has(tmp_path):
    store = Store(tmp_path / "outbox")
    (other,) = store.put([frame("elsewhere", model="another")])
    store.resolve(other.key, {"predictions": [{"label": "a", "index": 0, "score": 1.0}]})
    store.close()
    done = edge("verify", "imagenet", "--outbox", "--outbox-dir", tmp_path / "outbox")
    assert done.exit_code == 2
    assert "It has some of another" in done.stderr


@pytest.mark.slow  # TensorFlow makes and runs a SavedModel
def test_the_saved_model_beside_an_export_is_found_and_its_kernel_explains_the_gap(tmp_path):
    done = subprocess.run(
        [sys.executable, SCRIPT, tmp_path / "export", PHOTOS],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    before, after = (json.loads(line) for line in done.stdout.splitlines()[-2:])
    (against,) = before["against"]
    assert "saved_model" in against["source"]
    assert (before["verified"], against["compared"]) == (False, 3)
    assert against["preprocessing"]["model_toml"] == ['kernel = "tensorflow_v1"']
    assert after["verified"]
    assert after["against"][0]["worst_score_difference"] < 0.01


def test_the_page_shows_what_differs_and_escapes_names(tmp_path):
    export = tiny_export(tmp_path)
    photos = tmp_path / "photos"
    photos.mkdir()
    shutil.copy(PHOTOS / "coffee.jpg", photos / "<b>coffee.jpg")
    shutil.copy(PHOTOS / "chelsea.jpg", photos / "chelsea.jpg")
    answers = tmp_path / "answers.jsonl"
    sure = [{"label": TINY_LABELS[5], "score": 0.99}, {"label": TINY_LABELS[0], "score": 0.01}]
    lines = [json.dumps({"file": file.name, "predictions": sure}) for file in photos.iterdir()]
    answers.write_text("\n".join(lines))
    page = tmp_path / "page.html"
    done = edge("verify", export, photos, "--answers", answers, "--html", page)
    assert done.exit_code == 1
    assert "The page is in" in done.stderr
    text = page.read_text("utf-8")
    assert "<b>Different</b><span>1 of 1 sources give other answers." in text
    assert text.count("<img") == 2
    assert "&lt;b&gt;coffee.jpg" in text
    assert "<b>coffee" not in text
    assert "Ways of preparing the pixels" in text
    assert f"against the answers in {answers}: different" in done.stdout


def test_a_page_of_another_command_is_not_overwritten(tmp_path):
    page = tmp_path / "page.html"
    page.write_text("my own page")
    done = edge("verify", tiny_export(tmp_path), PHOTOS, "--answers", page, "--html", page)
    assert (done.exit_code, page.read_text()) == (2, "my own page")

"""The shared exports, as AutoML gave them: read right, and answering as they were recorded."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from builders.answers import ask, ask_all
from builders.images import encode
from PIL import Image

from edge.errors import ExportError
from edge.export.read import read_export
from edge.model.contract import Format, PixelInput
from edge.model.preprocess import min_decoded_side, preprocess
from edge.model.tasks.classification import CLASSIFICATION
from edge.model.tasks.detection import DETECTION
from edge.vision.decode import decode

STEP = 1 / 256
SCALED_DECODE = 0.01
"""FORMATS.md: what a JPEG decode at a lower scale moves scores by at most."""
MEAN_SHIFT, WORST_SHIFT = 0.025, 0.08
"""What a decode at a lower scale moves the scores of two quantised models by. On six photos: mean
0.012 and 0.021, worst 0.047 and 0.074. At twice the input it would be 0.016 and 0.018, 0.066 and
0.055; one step of JPEG quality is 0.008 and 0.014, 0.020 and 0.035."""

FLOWERS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
DRUGS = (
    "zemiglo",
    "jardiance_duo",
    "formet_500",
    "getryl",
    "xelevia",
    "trajenta_duo",
    "diamicron",
    "piozone",
    "galvusmet",
    "forxiga",
)

CLASSIFIERS = {  # folder: model file, labels (or how many), multi-label, where the labels were read
    "flowers": ("model.tflite", FLOWERS, False, "dict.txt"),
    "flowers-low-latency": ("model.tflite", FLOWERS, False, "dict.txt"),
    "flowers-embedded-labels": (
        "automl_labeler_model.tflite",
        FLOWERS,
        False,
        "labels.txt inside automl_labeler_model.tflite",
    ),
    "sunflowers-multilabel": ("model.tflite", ("sunflowers", "tulips"), True, "dict.txt"),
    "dog-breeds": ("model.tflite", 121, False, "dict.txt"),
}


@pytest.mark.parametrize("folder", CLASSIFIERS)
def test_a_classification_export_is_read_right(shared_exports, folder):
    file, labels, multi_label, origin = CLASSIFIERS[folder]
    export = read_export(shared_exports / folder)
    contract = export.contract
    assert export.model.name == file
    assert (contract.format, contract.task) == (Format.TFLITE, CLASSIFICATION)
    assert contract.multi_label is multi_label
    assert (len(contract.labels) if isinstance(labels, int) else contract.labels) == labels
    spec = contract.input
    assert isinstance(spec, PixelInput)
    assert (spec.name, spec.dtype, spec.width, spec.height) == ("image", "uint8", 224, 224)
    assert list(contract.outputs) == ["scores"]
    assert (
        contract.outputs["scores"].quantization.scale,
        contract.outputs["scores"].quantization.zero_point,
    ) == (
        STEP,
        0,
    )
    assert (
        contract.origins["task"] == f"its last operator, {'LOGISTIC' if multi_label else 'SOFTMAX'}"
    )
    assert contract.origins["labels"] == origin
    assert contract.notes == ()


def test_the_detection_export_is_read_right(shared_exports):
    contract = read_export(shared_exports / "drugs-detection").contract
    assert contract.task is DETECTION
    assert contract.labels == DRUGS, "the side file's background is no class"
    assert (contract.input.name, contract.input.dtype) == ("normalized_input_image_tensor", "uint8")
    assert (contract.input.width, contract.input.height) == (320, 320)
    assert {role: output.name for role, output in contract.outputs.items()} == {
        "boxes": "TFLite_Detection_PostProcess",
        "classes": "TFLite_Detection_PostProcess:1",
        "scores": "TFLite_Detection_PostProcess:2",
        "count": "TFLite_Detection_PostProcess:3",
    }
    assert contract.origins["labels"] == "dict.txt inside drug_detection_v3.tflite"
    assert contract.origins["outputs"] == "the outputs of TFLite_Detection_PostProcess"
    assert contract.notes == (), "a side file that differs by background alone differs in nothing"


def test_the_digest_is_that_of_the_model_file(shared_exports, golden_run):
    export = read_export((shared_exports / golden_run["model"]).parent)
    assert export.digest == golden_run["model_sha256"]


@pytest.mark.parametrize(
    ("folder", "file", "reason", "remedy"),
    [
        (
            "traffic-edgetpu",
            "traffic_model_edgetpu.tflite",
            r"Edge TPU \(Coral\)",
            'plain "TFLite"',
        ),
        (
            "traffic-video",
            "traffic_model.tflite",
            "init_lstm_c.*AutoML Video",
            "AutoML Vision object detection",
        ),
        ("photos", "photos", "no model is in it", "TFLite"),
    ],
)
def test_an_export_that_is_not_served_is_refused_with_what_to_do(
    shared_exports, folder, file, reason, remedy
):
    with pytest.raises(ExportError, match=reason) as caught:
        read_export(shared_exports / folder)
    assert caught.value.file.endswith(file)
    assert remedy in caught.value.remedy


def matches(run, scores: np.ndarray, tolerance: float) -> None:
    expected = np.array(run["scores_uint8"]) * STEP
    assert np.abs(scores - expected).max() <= tolerance, (scores * 256, run["scores_uint8"])


def detected(run, items, tolerance: float) -> None:
    rows = zip(run["boxes_ymin_xmin_ymax_xmax"], run["classes"], run["scores"], strict=True)
    expected = [row for row in rows if row[2] >= 0.3]
    assert [item.index for item in items] == [int(row[1]) for row in expected]
    for item, ((ymin, xmin, ymax, xmax), _, score) in zip(items, expected, strict=True):
        assert item.score == pytest.approx(score, abs=tolerance)
        assert item.box == pytest.approx((xmin, ymin, xmax, ymax), abs=tolerance)


@pytest.mark.parametrize("exact", [True, False], ids=["exact", "scaled"])
def test_the_service_answers_as_was_recorded(shared_exports, golden_run, exact):
    image = (shared_exports / golden_run["image"]).read_bytes()
    answer = ask((shared_exports / golden_run["model"]).parent, image, exact=exact)
    if "scores" in golden_run:
        detected(golden_run, answer.items, 0.05)
    else:
        matches(golden_run, answer.prediction.scores, 2 * STEP + (0 if exact else SCALED_DECODE))


@pytest.mark.parametrize("model", ["flowers", "flowers-low-latency"])
def test_a_decode_at_a_lower_scale_changes_no_label_and_hardly_a_pixel_or_score(
    shared_exports, model
):
    """The recorded photos are too small to be scaled, so they are enlarged four times."""
    contract = read_export(shared_exports / model).contract
    enough = min_decoded_side(contract.input, contract.tuning)
    photos = []
    for file in sorted((shared_exports / "flowers/photos").glob("*.jpg")):
        with Image.open(file) as photo:
            large = photo.resize((photo.width * 4, photo.height * 4), Image.Resampling.BICUBIC)
        photos.append(encode(large, "JPEG", quality=92, subsampling=2))
    exact, scaled = (
        ask_all(shared_exports / model, photos, exact=exact) for exact in (True, False)
    )
    moved = []
    for one, other in zip(exact, scaled, strict=True):
        assert one.items[0].label == other.items[0].label
        moved.append(np.abs(one.prediction.scores - other.prediction.scores).max())
    assert np.mean(moved) <= MEAN_SHIFT
    assert max(moved) <= WORST_SHIFT
    for photo in photos:
        frames = (
            decode(photo, max_pixels=50_000_000, min_side=at_least) for at_least in (None, enough)
        )
        whole, reduced = (
            preprocess(frame, contract.input, contract.tuning)[0].astype(int) for frame in frames
        )
        assert 0 < np.abs(whole - reduced).mean() < 1


@pytest.mark.slow
def test_the_command_line_answers_as_was_recorded(shared_exports, repository_root):
    """All images of a model in one run of `edge predict --json`, in a process of its own."""
    runs = json.loads((shared_exports / "golden.json").read_text())["runs"]
    by_model = {}
    for run in runs:
        by_model.setdefault(run["model"], []).append(run)
    del by_model["traffic-video/traffic_model.tflite"]
    for model, of_model in by_model.items():
        images = [str(shared_exports / run["image"]) for run in of_model]
        arguments = [
            "--model",
            str((shared_exports / model).parent),
            "--json",
            "--exact-decode",
            "--top-k",
            "200",
        ]
        done = subprocess.run(
            [sys.executable, "-m", "edge", "predict", *images, *arguments],
            cwd=repository_root,
            capture_output=True,
            text=True,
            check=True,
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert [answer["file"] for answer in answers] == images
        for run, answer in zip(of_model, answers, strict=True):
            assert answer["model"]["digest"] == run["model_sha256"]
            found = answer["predictions"]
            if "scores" in run:
                assert [item["index"] for item in found] == [int(c) for c in run["classes"]]
                assert found[0]["score"] == pytest.approx(run["scores"][0], abs=0.05)
                ymin, xmin, ymax, xmax = run["boxes_ymin_xmin_ymax_xmax"][0]
                box = {"x_min": xmin, "y_min": ymin, "x_max": xmax, "y_max": ymax}
                assert found[0]["box"] == pytest.approx(box, abs=0.05)
            else:
                scores = np.zeros(len(run["scores_uint8"]))
                for item in found:
                    scores[item["index"]] = item["score"]
                matches(run, scores, 2 * STEP)


@pytest.mark.parametrize("fraction", [1.0, 0.875])
def test_the_dandelion_that_stretching_spoils_comes_out_right_with_a_centre_crop(
    shared_exports, tmp_path, fraction
):
    for file in ("model.tflite", "dict.txt", "manifest.json"):
        shutil.copy(shared_exports / "flowers-low-latency" / file, tmp_path)
    image = (shared_exports / "flowers/photos/dandelion_2817950_640.jpg").read_bytes()
    assert ask(tmp_path, image).items[0].label == "tulips"
    (tmp_path / "model.toml").write_text(f'resize = "center_crop"\ncrop_fraction = {fraction}\n')
    for exact in (True, False):
        best = ask(tmp_path, image, exact=exact).items[0]
        assert (best.label, best.score > 0.5) == ("dandelion", True), best


def test_every_photo_of_flowers_comes_out_as_its_name_says(shared_exports):
    for photo in sorted((shared_exports / "flowers/photos").glob("*.jpg")):
        best = ask(shared_exports / "flowers", photo.read_bytes(), exact=False).items[0]
        assert best.label.startswith(photo.name.partition("_")[0]), (photo, best)

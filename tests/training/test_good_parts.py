"""Learning from good parts: Gaussians, bound, buffer, and `edge train --good` to an answer."""

import json
import math
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from builders.damaged_bytes import damaged
from builders.parts import part, put_parts
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from serving.process import Server

from edge.cli import main
from edge.datasets.dataset import DataSet, Example
from edge.evaluation.anomaly import good_or_anomaly
from edge.export.good_parts_buffer import HEADER, decode_good_parts, encode_good_parts
from edge.model.contract import Quantization
from edge.training.good_parts_fit import (
    MAX_DRIFT,
    MIN_ALIGNMENT,
    MIN_PICTURES,
    alignment,
    fit_good_parts,
)
from edge.web.schema import AnswerSchema

SHAPE = (4, 5, 6)
QUANTIZATION = Quantization(0.5, 3)


def maps(count, seed):
    """Maps of parts: each place has its own mean, and varies from part to part."""
    means = np.random.default_rng(0).uniform(-80, 80, SHAPE)
    rng = np.random.default_rng(seed)
    return (means + rng.normal(0, 8, (count, *SHAPE))).round().clip(-128, 127).astype(np.int8)


def real(stored):
    return (stored.astype(np.float32) - 3) * np.float32(0.5)


@pytest.fixture(scope="module")
def fitted():
    return fit_good_parts(maps(200, seed=1), QUANTIZATION).parts


def highest(parts, stored):
    return np.array([parts.scores(parts.distances(real(one))).max() for one in stored])


def test_about_one_good_part_in_fifty_is_beyond_the_bound(fitted):
    scores = highest(fitted, maps(500, seed=2))
    assert 0.002 < (scores >= 0.5).mean() < 0.06
    assert 0.05 < np.median(scores) < 0.2


def test_a_part_that_is_odd_at_one_place_is_beyond_it_and_the_heat_is_there(fitted):
    odd = maps(20, seed=3)
    odd[:, 3, 4] = np.clip(odd[:, 3, 4].astype(int) + 60, -128, 127)
    for one in odd:
        heat = fitted.scores(fitted.distances(real(one)))
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        assert heat.max() > 0.9
        assert row >= 2
        assert column >= 3


def two_kinds(count, seed):
    """Maps of which the last sixth is of another kind of part."""
    found = maps(count, seed).astype(int)
    found[count * 5 // 6 :, 0, 0] += 60
    return found.clip(-128, 127).astype(np.int8)


def test_kinds_of_parts_that_follow_each_other_are_all_good_and_do_not_blunt_the_bound():
    learned = two_kinds(240, seed=7)
    fit = fit_good_parts(learned, QUANTIZATION)
    shuffled = fit_good_parts(np.random.default_rng(0).permutation(learned), QUANTIZATION)
    assert fit.parts.bound == pytest.approx(shuffled.parts.bound, rel=0.15)
    assert (highest(fit.parts, two_kinds(300, seed=8)) >= 0.5).mean() < 0.06


def test_pictures_that_change_along_the_folder_are_told_from_those_that_do_not():
    assert fit_good_parts(two_kinds(240, seed=9), QUANTIZATION).drift > MAX_DRIFT
    assert fit_good_parts(maps(200, seed=1), QUANTIZATION).drift < MAX_DRIFT


def test_parts_that_are_all_the_same_still_give_a_bound():
    same = np.repeat(maps(1, seed=4), MIN_PICTURES, axis=0)
    parts = fit_good_parts(same, QUANTIZATION).parts
    assert 0 < parts.typical < parts.bound < math.inf
    assert highest(parts, maps(1, seed=4))[0] < 0.5 < highest(parts, maps(1, seed=5))[0]


def test_parts_are_aligned_and_texture_is_not():
    parts = maps(30, seed=8)
    texture = np.random.default_rng(9).integers(-80, 80, parts.shape).astype(np.int8)
    assert alignment(parts, QUANTIZATION) > 0.8
    assert alignment(texture, QUANTIZATION) < 0.05 < MIN_ALIGNMENT
    assert alignment(parts[:1].repeat(20, axis=0), QUANTIZATION) == pytest.approx(1)


def test_too_few_parts_are_refused():
    with pytest.raises(ValueError, match="fewer than 20"):
        fit_good_parts(maps(MIN_PICTURES - 1, seed=6), QUANTIZATION)


@pytest.mark.parametrize(("beyond", "score"), [(-1, 0.1), (0, 0.5), (1, 0.9), (1e6, 1), (-1e6, 0)])
def test_the_score_is_a_tenth_for_the_typical_part_and_a_half_at_the_bound(fitted, beyond, score):
    distance = fitted.bound + beyond * (fitted.bound - fitted.typical)
    assert fitted.scores(np.float32([distance]))[0] == pytest.approx(score, abs=1e-4)


# The buffer


def test_the_buffer_gives_back_what_was_written(fitted):
    read = decode_good_parts(encode_good_parts(fitted), SHAPE)
    stored = maps(5, seed=7)
    assert np.allclose(highest(read, stored), highest(fitted, stored), atol=1e-6)


@settings(max_examples=50)
@given(data=st.data())
def test_a_damaged_buffer_is_refused_or_gives_bounded_numbers(fitted, data):
    content = damaged(data, encode_good_parts(fitted))
    try:
        read = decode_good_parts(content, SHAPE)
    except (ValueError, struct.error):
        return
    assert read.map_shape == SHAPE
    arrays = (read.projection, read.means, read.whitening)
    assert all(np.isfinite(numbers).all() for numbers in arrays)
    assert 0 < read.typical < read.bound < math.inf


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [
        ((4, 5, 6, 65), SHAPE),
        ((4, 5, 6, 0), SHAPE),
        ((65, 5, 6, 6), (65, 5, 6)),
        ((64, 64, 6, 64), (64, 64, 6)),
        ((4, 5, 6, 6), (4, 5, 7)),
        ((2**31, 2**31, 6, 6), SHAPE),
    ],
)
def test_stated_sizes_beyond_reason_are_refused(sizes, shape):
    content = HEADER.pack(b"EDGEGP01", *sizes, 1.0, 2.0)
    with pytest.raises(ValueError, match="another model"):
        decode_good_parts(content, shape)


@pytest.mark.parametrize(
    ("typical", "bound"), [(0, 1), (2, 1), (1, 1), (1, math.inf), (math.nan, 1), (1, math.nan)]
)
def test_distances_that_cannot_be_are_refused(fitted, typical, bound):
    content = encode_good_parts(fitted)
    start = HEADER.pack(b"EDGEGP01", *SHAPE, fitted.means.shape[-1], typical, bound)
    with pytest.raises(ValueError, match="cannot be"):
        decode_good_parts(start + content[HEADER.size :], SHAPE)


# The command


def edge(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("good")
    result = edge("train", "--good", put_parts(root / "parts", 60), "--out", root / "model")
    assert result.exit_code == 0, result.output
    return root / "model", result.output


def test_the_command_says_where_it_works_and_where_not(trained):
    _, output = trained
    assert "same camera" in output
    assert "does not work for free texture" in output
    assert "one good part in 50" in output
    assert "Faults will hardly be found" not in output
    assert "60 pictures of good parts" in output  # near duplicates of each other, as parts are


def test_the_model_is_one_file_that_holds_no_other_scores(trained):
    model, _ = trained
    names = sorted(entry.name for entry in model.iterdir())
    assert names == ["learnt_pictures.tsv", "model.tflite", "model.toml", "report.html"]
    shown = json.loads(edge("inspect", model, "--json").stdout)
    assert (shown["task"], shown["labels"]) == ("anomaly", ["good", "anomaly"])


@pytest.mark.slow
def test_it_tells_parts_with_faults_over_http_and_where_they_are(trained):
    model, _ = trained
    with Server("--models", model) as server:

        def ask(picture):
            reply = server.client.post("/predict", content=picture)
            assert reply.status_code == 200, reply.text
            AnswerSchema.model_validate(reply.json())
            return reply.json()

        good = [ask(part(1000 + seed)) for seed in range(10)]
        bad = [ask(part(2000 + seed, fault)) for seed in range(5) for fault in ("blob", "chip")]
    assert sum(one["predictions"][0]["label"] == "good" for one in good) >= 8
    assert sum(one["predictions"][0]["label"] == "anomaly" for one in bad) >= 9
    for one in [*good, *bad]:
        heat = np.array(one["heat_map"])
        (item,) = one["predictions"]
        score = item["score"] if item["label"] == "anomaly" else 1 - item["score"]
        assert heat.shape == (14, 14)
        assert heat.max() == pytest.approx(score, abs=0.006)
        assert one["heat_region"] == {"x_min": 0, "y_min": 0, "x_max": 1, "y_max": 1}


@pytest.mark.parametrize(
    ("count", "words"), [(0, "has 0 pictures"), (1, "has 1 picture;"), (19, "has 19 pictures")]
)
def test_a_folder_with_too_few_parts_is_refused_and_nothing_is_written(tmp_path, count, words):
    folder = put_parts(tmp_path / "parts", count)
    result = edge("train", "--good", folder, "--out", tmp_path / "model")
    assert result.exit_code == 2
    assert words in result.stderr
    assert "at least 20" in result.stderr
    assert not (tmp_path / "model").exists()


def test_parts_that_cannot_be_read_are_said_to_be_why_there_are_too_few(tmp_path):
    folder = put_parts(tmp_path / "parts", 19)
    (folder / "broken.jpg").write_bytes(b"x")
    result = edge("train", "--good", folder, "--out", tmp_path / "model")
    assert result.exit_code == 2
    assert "19 pictures that can be read" in result.stderr
    assert "broken.jpg: These bytes are of an unknown format" in result.stderr


def test_copies_of_one_picture_are_one_picture(tmp_path):
    folder = put_parts(tmp_path / "parts", 1)
    for number in range(30):
        (folder / f"copy{number}.png").write_bytes((folder / "000.png").read_bytes())
    result = edge("train", "--good", folder, "--out", tmp_path / "model")
    assert result.exit_code == 2
    assert "has 1 picture " in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "--good"),
        (["SET", "--good", "parts"], "one of both"),
        (["--good", "parts", "--add", "SET"], "--add"),
        (["--good", "parts", "--minutes", "1"], "--minutes"),
    ],
)
def test_what_does_not_go_together_is_refused(tmp_path, arguments, words):
    result = edge("train", *arguments, "--out", tmp_path / "model")
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_warning_is_given_for_free_texture(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "texture").mkdir()
    grain = rng.integers(0, 256, (40, 40), np.uint8)
    whole = Image.fromarray(grain).resize((640, 640), Image.Resampling.BICUBIC)
    for number, (x, y) in enumerate(rng.integers(0, 440, (20, 2)).tolist()):
        whole.crop((x, y, x + 200, y + 200)).save(tmp_path / "texture" / f"{number}.png")
    result = edge("train", "--good", tmp_path / "texture", "--out", tmp_path / "model")
    assert result.exit_code == 0, result.output
    assert "Faults will hardly be found" in result.stderr


@pytest.mark.parametrize("offset", [0, 100, 20_000])
def test_a_model_whose_gaussians_are_damaged_is_refused(trained, tmp_path, offset):
    content = bytearray((trained[0] / "model.tflite").read_bytes())
    start = content.index(b"EDGEGP01") + offset
    content[start : start + 4] = b"\xff\xff\xff\x7f"  # NaN as float32
    (tmp_path / "model.tflite").write_bytes(content)
    result = edge("inspect", tmp_path)
    assert result.exit_code == 2
    assert "edge_good_parts" in result.stderr


def test_what_is_drawn_glows_where_the_fault_is(trained, tmp_path):
    (tmp_path / "bad.png").write_bytes(part(3000, "blob"))
    result = edge(
        "predict", "--model", trained[0], "--draw", tmp_path / "drawn.png", tmp_path / "bad.png"
    )
    assert result.exit_code == 0, result.output
    before, after = (
        np.asarray(Image.open(tmp_path / name).convert("RGB"), int)
        for name in ("bad.png", "drawn.png")
    )
    redder = (after[..., 0] - after[..., 2]) - (before[..., 0] - before[..., 2])
    row, column = np.unravel_index(redder[40:].argmax(), redder[40:].shape)
    assert redder[40:].max() > 60
    ground = np.asarray(before[..., 0] - before[..., 2])  # the blob is brown, all else is grey
    rows, columns = np.nonzero(ground > 60)
    assert abs(row + 40 - rows.mean()) < 30
    assert abs(column - columns.mean()) < 30


def test_the_pictures_of_a_report_glow_only_where_a_part_is_odd(trained, tmp_path):
    (tmp_path / "bad.png").write_bytes(part(3000, "blob"))
    (tmp_path / "good.png").write_bytes(part(1000))
    pictures = (tmp_path / "bad.png", tmp_path / "good.png")
    result = edge("predict", "--model", trained[0], "--html", tmp_path / "report", *pictures)
    assert result.exit_code == 0, result.output
    redder = [
        (pixels[..., 0] - pixels[..., 2]).max()
        for file in sorted((tmp_path / "report" / "thumbnails").iterdir())
        for pixels in [np.asarray(Image.open(file), int)]
    ]
    assert len(redder) == 2
    assert max(redder) > 110  # the blob itself has 90
    assert min(redder) < 30


# Evaluation


def test_evaluation_counts_faults_of_any_name_as_anomalies(trained, tmp_path):
    put_parts(tmp_path / "set" / "good", 8, seed=4000)
    put_parts(tmp_path / "set" / "blob", 5, "blob", seed=4100)
    put_parts(tmp_path / "set" / "anomaly", 3, "chip", seed=4200)
    page = tmp_path / "page.html"
    result = edge("evaluate", trained[0], tmp_path / "set", "--json", "--html", page)
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout)
    figures = report["figures"]
    assert figures["area_under_roc"] > 0.95
    good, anomaly = sorted(report["labels"], key=lambda one: one["label"], reverse=True)
    assert (good["there"], anomaly["there"]) == (8, 8)
    assert anomaly["recall"] > 0.8
    assert figures["accuracy"] == pytest.approx((good["right"] + anomaly["right"]) / 16)
    assert figures["false_alarms"] == pytest.approx(1 - good["recall"])
    assert not report["data_set"]["unknown_labels"]
    roc = report["roc"]
    assert (roc["anomalies"], roc["good"], roc["in_force"]["threshold"]) == (8, 8, 0.5)
    assert roc["area"] == figures["area_under_roc"]
    assert roc["in_force"]["true_positive_rate"] == figures["anomalies_found"] == anomaly["recall"]
    first, *_, last = roc["points"]
    assert first == {"threshold": None, "false_positive_rate": 0, "true_positive_rate": 0}
    assert (last["false_positive_rate"], last["true_positive_rate"]) == (1, 1)
    assert '<circle class="dot"' in page.read_text("utf-8")
    text = edge("evaluate", trained[0], tmp_path / "set").stdout
    assert "At the threshold in force (0.5)" in text


@pytest.mark.parametrize(
    ("kind", "unknown"), [("good", "anomalies_found"), ("blob", "false_alarms")]
)
def test_a_set_of_one_kind_has_no_curve_and_says_so(trained, tmp_path, kind, unknown):
    label = "good" if kind == "good" else "anomaly"
    put_parts(tmp_path / "set" / label, 3, "" if kind == "good" else kind, seed=4300)
    if kind != "good":  # what another label means, nobody has said
        put_parts(tmp_path / "set" / "spare", 2, seed=4400)
    page = tmp_path / "page.html"
    result = edge("evaluate", trained[0], tmp_path / "set", "--json", "--html", page)
    assert result.exit_code == 0, result.output
    assert "NaN" not in result.stdout
    report = json.loads(result.stdout)
    assert (report["roc"]["area"], report["roc"]["points"]) == (None, [])
    assert report["figures"][unknown] is None
    assert "There is no ROC curve" in page.read_text("utf-8")


def test_evaluation_counts_by_the_threshold_of_model_toml(trained, tmp_path):
    put_parts(tmp_path / "set" / "good", 4, seed=5000)
    put_parts(tmp_path / "set" / "anomaly", 4, "blob", seed=5100)
    shutil.copytree(trained[0], tmp_path / "model")
    with (tmp_path / "model" / "model.toml").open("a") as file:
        file.write("score_threshold = 0.0001\n")
    result = edge("evaluate", tmp_path / "model", tmp_path / "set", "--json")
    assert json.loads(result.stdout)["figures"]["false_alarms"] == 1


def labelled(*labels):
    examples = tuple(Example(Path(f"{label}.png"), (label,)) for label in labels)
    return DataSet(Path("set"), "folder per label", tuple(sorted(labels)), examples)


@pytest.mark.parametrize(
    ("labels", "meant"),
    [
        (["good", "dent", "scratch"], ["good", "anomaly", "anomaly"]),
        (["good", "anomaly"], ["good", "anomaly"]),
        (["good"], ["good"]),
        (["ok", "dent"], ["ok", "dent"]),
        (["Good", "good", "dent"], ["Good", "good", "anomaly"]),
    ],
)
def test_what_is_not_good_is_an_anomaly_if_the_set_says_what_is_good(labels, meant):
    found = good_or_anomaly(labelled(*labels))
    assert [example.labels for example in found.examples] == [(label,) for label in meant]
    assert found.labels == tuple(sorted(set(meant)))

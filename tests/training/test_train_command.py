"""`edge train`: a folder of pictures becomes an export that is served, or a clear refusal."""

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from builders.float_tail import tail_ranges, tail_weights
from builders.shapes import put_multi_label, put_shapes, shape
from click.testing import CliRunner

from edge.cli import main
from edge.datasets import picture_pass
from edge.export.read import read_export
from edge.model.contract import Format
from edge.training import output_folder
from edge.training.requantize import requantize_tail

COUNTS = {"disc": 24, "square": 24, "None_of_the_above": 12, "stripes": 24}


def train(*arguments):
    return edge("train", "--no-saved-model", *arguments)


def edge(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)


def names_in(folder):
    return sorted(entry.name for entry in folder.iterdir())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    root = tmp_path_factory.mktemp("trained")
    photos = put_shapes(root / "photos", COUNTS)
    result = train(photos, "--out", root / "model")
    assert result.exit_code == 0, result.output
    return root / "model", result.output


@pytest.fixture(scope="module")
def trained_multi(tmp_path_factory):
    root = tmp_path_factory.mktemp("multi")
    result = train(put_multi_label(root / "photos", 20), "--out", root / "model")
    assert result.exit_code == 0, result.output
    return root / "model"


@pytest.fixture(scope="module")
def photos(embedded_models):
    return embedded_models / "photos"


def test_the_bound_of_decoding_holds_for_training_as_well(tmp_path, photos):
    few = tmp_path / "few"
    for label in ("a", "b"):
        (few / label).mkdir(parents=True)
        shutil.copy(photos / "coffee.jpg", few / label / f"{label}.jpg")
    result = train(few, "--out", tmp_path / "model", "--max-decoded-bytes", 1 << 17)
    assert result.exit_code == 2
    assert "No picture of" in result.stderr
    assert "memory" in result.stderr


def test_the_export_answers_pictures_that_it_has_not_seen(trained, tmp_path):
    model, _ = trained
    unseen = tmp_path / "unseen"
    for number in range(500, 504):
        for kind in ("disc", "square", "stripes"):
            (unseen / kind).mkdir(parents=True, exist_ok=True)
            (unseen / kind / f"{number}.png").write_bytes(shape(kind, number))
    result = edge("predict", "--model", model, "--json", *unseen.iterdir())
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(answers) == 12
    for answer in answers:
        assert answer["predictions"][0]["label"] == answer["file"].split("/")[-2]


def test_it_has_the_layout_of_an_automl_export(trained):
    model, _ = trained
    labels = ["disc", "square", "stripes", "None_of_the_above"]
    assert (model / "dict.txt").read_text("utf-8").split() == labels
    assert zipfile.ZipFile(model / "model.tflite").read("labels.txt").decode().split() == labels
    metadata = json.loads((model / "tflite_metadata.json").read_text("utf-8"))
    interpreter = Interpreter(str(model / "model.tflite"))
    interpreter.allocate_tensors()
    ((image,), (scores,)) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (image["name"], scores["name"]) == (metadata["inputTensor"], metadata["outputTensor"])
    assert image["dtype"] is scores["dtype"] is np.uint8
    assert scores["shape"].tolist() == [1, 4]
    assert scores["quantization"] == (1 / 256, 0)
    contract = read_export(model).contract
    assert contract.labels == tuple(labels)
    assert not contract.multi_label
    assert not contract.notes


def test_the_labels_inside_are_enough(trained, tmp_path):
    shutil.copy(trained[0] / "model.tflite", tmp_path / "alone.tflite")
    assert read_export(tmp_path / "alone.tflite").contract.labels[-1] == "None_of_the_above"


def test_the_golden_pictures_are_answered_as_they_say(trained):
    model, _ = trained
    golden = json.loads((model / "golden" / "answers.json").read_text("utf-8"))["pictures"]
    assert len(golden) == 8
    result = edge("predict", "--model", model, "--json", model / "golden")
    answers = {}
    for line in result.stdout.splitlines():
        answer = json.loads(line)
        answers[answer["file"].split("/")[-1]] = answer
    for picture in golden:
        answer = answers[picture["file"]]
        assert answer["predictions"] == picture["predictions"]
        assert answer["certain"] == picture["certain"]


def test_the_page_says_how_well_it_does(trained):
    model, output = trained
    page = (model / "report.html").read_text("utf-8").replace("\N{NO-BREAK SPACE}", " ")
    assert "<b>100.0 %</b><span>right on" in page
    assert re.search(
        r"100\.0 % right on \d+ test pictures; the true share is \d\d\.\d % to", output
    )
    assert "test pictures say little" in page
    assert "Test pictures taken for unlike all training" in page
    assert "Certain from a score of" in page
    assert "What to do next" in page
    assert "<script" not in page


def test_a_multi_label_set_gives_independent_scores(trained_multi, tmp_path):
    contract = read_export(trained_multi).contract
    assert contract.multi_label
    assert contract.labels == ("disc", "square", "stripes")
    assert set(contract.tuning.label_thresholds) == set(contract.labels)
    (tmp_path / "both.png").write_bytes(shape("disc+square", 900))
    result = edge("predict", "--model", trained_multi, "--json", tmp_path / "both.png")
    found = {item["label"] for item in json.loads(result.stdout)["predictions"]}
    assert found == {"disc", "square"}


def test_training_again_gives_the_same_file(trained, tmp_path):
    photos = put_shapes(tmp_path / "photos", COUNTS)
    assert train(photos, "--out", tmp_path / "model").exit_code == 0
    first, second = (folder / "model.tflite" for folder in (trained[0], tmp_path / "model"))
    assert first.read_bytes() == second.read_bytes()


def test_the_same_picture_under_two_labels_is_said_and_a_set_of_nothing_else_refused(tmp_path):
    photos = put_shapes(tmp_path / "photos", {"disc": 6, "square": 6})
    shutil.copy(photos / "disc" / "disc000.png", photos / "square" / "copy.png")
    result = train(photos, "--out", tmp_path / "model")
    assert result.exit_code == 0
    assert "note: 2 pictures contradict each other:" in result.stderr
    assert "square/copy.png" in result.stderr
    shutil.rmtree(photos / "square")
    shutil.copytree(photos / "disc", photos / "square")
    result = train(photos, "--out", tmp_path / "other")
    assert result.exit_code == 2
    assert "Every picture is there under several labels" in result.stderr
    assert not (tmp_path / "other").exists()


def test_a_place_that_cannot_be_written_is_refused_before_any_picture_is_read(
    tmp_path, monkeypatch
):
    photos = put_shapes(tmp_path / "photos", {"disc": 2, "square": 2})
    monkeypatch.setattr(output_folder.os, "access", lambda _, mode: not mode & os.W_OK)
    monkeypatch.setattr(picture_pass, "read_picture", None)  # whatever is read fails
    result = train(photos, "--out", tmp_path / "new" / "model")
    assert result.exit_code == 2
    assert f"{tmp_path} is not writable. Name another folder with --out." in result.stderr


def test_a_model_without_a_test_picture_is_said_to_be_unmeasured(tmp_path):
    photos = put_shapes(tmp_path / "photos", {"disc": 2, "square": 2})
    result = train(photos, "--out", tmp_path / "model")
    assert result.exit_code == 0
    assert "How good it is was not measured" in result.stdout
    assert "%" not in result.stdout


def test_broken_pictures_are_named_and_left_out(tmp_path):
    photos = put_shapes(tmp_path / "photos", {"disc": 12, "square": 12})
    (photos / "disc" / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut")
    (photos / "disc" / "empty.png").write_bytes(b"")
    result = train(photos, "--out", tmp_path / "model")
    assert result.exit_code == 0, result.output
    assert "broken.jpg" in result.stderr
    assert "empty.png" in result.stderr
    assert "2 pictures cannot be read and were left out" in result.stderr
    page = (tmp_path / "model" / "report.html").read_text("utf-8")
    assert "broken.jpg" in page


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ({"disc": 30}, "one label only, 'disc'"),
        ({"disc": 1, "square": 1}, "too few pictures to train on: 'disc' (1), 'square' (1)"),
        ({"disc": 20, "square": 1}, "'square' (1)"),
    ],
)
def test_a_set_that_teaches_nothing_is_refused_with_what_is_missing(counts, words, tmp_path):
    photos = put_shapes(tmp_path / "photos", counts)
    result = train(photos, "--out", tmp_path / "model")
    assert result.exit_code == 2
    assert words in result.stderr
    assert names_in(tmp_path) == ["photos"]


def test_a_set_of_broken_pictures_is_refused(tmp_path):
    for label in ("a", "b"):
        (tmp_path / "photos" / label).mkdir(parents=True)
        for number in range(3):
            (tmp_path / "photos" / label / f"{number}.jpg").write_bytes(b"nothing")
    result = train(tmp_path / "photos", "--out", tmp_path / "model")
    assert result.exit_code == 2
    assert "No picture of" in result.stderr
    assert names_in(tmp_path) == ["photos"]


def test_a_folder_with_other_files_is_left_as_it_is(tmp_path):
    photos = put_shapes(tmp_path / "photos", {"disc": 3, "square": 3})
    out = tmp_path / "model"
    out.mkdir()
    (out / "mine.txt").write_text("mine")
    result = train(photos, "--out", out)
    assert result.exit_code == 2
    assert "holds other files" in result.stderr
    assert names_in(out) == ["mine.txt"]
    assert names_in(tmp_path) == ["model", "photos"]


def test_an_older_result_is_replaced_whole(trained, tmp_path):
    out = tmp_path / "model"
    shutil.copytree(trained[0], out)
    (out / "left.txt").write_text("of the older one")
    photos = put_shapes(tmp_path / "photos", {"disc": 12, "square": 12})
    assert train(photos, "--out", out).exit_code == 0
    assert read_export(out).contract.labels == ("disc", "square")
    assert not (out / "left.txt").exists()
    assert names_in(tmp_path) == ["model", "photos"]


def test_ctrl_c_leaves_the_older_result_and_nothing_else(trained, tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    out = tmp_path / "model"
    shutil.copytree(trained[0], out)
    before = (out / "model.tflite").read_bytes()
    photos = put_shapes(tmp_path / "photos", {"disc": 12, "square": 12})
    monkeypatch.setattr("edge.training.write_export.write_golden", interrupted)
    result = train(photos, "--out", out)
    assert result.exit_code == 130
    assert (out / "model.tflite").read_bytes() == before
    assert names_in(tmp_path) == ["model", "photos"]


def test_a_label_that_a_label_file_cannot_hold_is_named(tmp_path):
    photos = put_shapes(tmp_path / "photos", {"disc": 3, "square": 3})
    lines = [f'photos/disc/disc00{number}.png,"# disc"' for number in range(3)]
    lines += [f"photos/square/square00{number}.png,square" for number in range(3)]
    (tmp_path / "set.csv").write_text("\n".join(lines), "utf-8")
    result = train(tmp_path / "set.csv", "--out", tmp_path / "model")
    assert result.exit_code == 2
    assert "# disc" in result.stderr
    assert photos.is_dir()


def test_a_stranger_is_unlike_training_and_not_certain(trained, photos):
    model, _ = trained
    for name in ("astronaut", "chelsea", "coffee"):
        result = edge("predict", "--model", model, "--json", photos / f"{name}.jpg")
        answer = json.loads(result.stdout)
        assert answer["unlike_training"] is True
        assert answer["certain"] is False


def test_a_known_picture_is_not_unlike_training(trained, tmp_path):
    model, _ = trained
    for number in range(700, 720):
        (tmp_path / f"{number}.png").write_bytes(shape("stripes", number))
    result = edge("predict", "--model", model, "--json", tmp_path)
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert sum(answer["unlike_training"] for answer in answers) <= 4  # one in twenty by design
    assert any(answer["certain"] for answer in answers)


def test_a_stranger_is_known_by_a_multi_label_model_too(trained_multi, photos):
    result = edge("predict", "--model", trained_multi, "--json", photos / "chelsea.jpg")
    assert json.loads(result.stdout)["unlike_training"] is True


def test_models_of_others_do_not_speak_of_training(photos):
    result = edge("predict", "--json", photos / "chelsea.jpg")
    assert "unlike_training" not in json.loads(result.stdout)


@pytest.mark.slow
def test_its_saved_model_answers_as_the_tflite_file(tmp_path):
    """In a process of its own: TensorFlow takes 6 s and 600 MB."""
    photos = put_shapes(tmp_path / "photos", COUNTS)
    out = tmp_path / "model"
    command = [sys.executable, "-m", "edge", "train", str(photos), "--out", str(out)]
    subprocess.run(command, check=True, capture_output=True)
    assert read_export(out).contract.format is Format.TFLITE
    scores = []
    for model in (out, out / "saved_model" / "0001"):
        command = [sys.executable, "-m", "edge", "predict", "--model", str(model), "--json"]
        done = subprocess.run(
            [*command, "--top-k", "9", "--threshold", "0", str(out / "golden")],
            check=True,
            capture_output=True,
            text=True,
        )
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        scores.append(
            [{item["label"]: item["score"] for item in one["predictions"]} for one in answers]
        )
    assert len(scores[0]) == 8
    for quantized, exact in zip(*scores, strict=True):
        assert quantized.keys() == exact.keys() == set(COUNTS)
        assert all(abs(quantized[label] - exact[label]) < 0.15 for label in exact)


def test_training_writes_the_saved_model_and_never_imports_tensorflow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", None)  # an import of it fails
    for module in ("edge.runtime.tensorflow", "edge.training.float_network"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    photos = put_shapes(tmp_path / "photos", {"disc": 12, "square": 12})
    result = edge("train", photos, "--out", tmp_path / "model")
    assert result.exit_code == 0, result.output
    assert "TensorFlow" not in result.stderr
    contract = read_export(tmp_path / "model" / "saved_model" / "0001").contract
    assert contract.format is Format.SAVED_MODEL


def test_the_saved_model_can_be_left_out(trained):
    model, _ = trained
    assert not (model / "saved_model").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_with_a_time_the_network_is_fine_tuned_and_the_file_has_the_same_form(tmp_path):
    """In a process of its own: TensorFlow takes 6 s and 600 MB."""
    photos = put_shapes(tmp_path / "photos", {"disc": 30, "square": 30, "stripes": 30})
    out = tmp_path / "model"
    command = [sys.executable, "-m", "edge", "train", str(photos), "--out", str(out)]
    done = subprocess.run([*command, "--minutes", "1"], check=True, capture_output=True, text=True)
    assert "ine-tun" in done.stderr  # it did better in validation, or it is said that it did not
    interpreter = Interpreter(str(out / "model.tflite"))
    interpreter.allocate_tensors()
    ((image,), (scores,)) = interpreter.get_input_details(), interpreter.get_output_details()
    kinds = {tensor["dtype"] for tensor in interpreter.get_tensor_details()}
    assert kinds <= {np.uint8, np.int8, np.int32}  # nothing was left in float
    assert "absl" not in done.stderr
    assert (image["name"], image["quantization"]) == ("image", (1 / 128, 127))
    assert (scores["name"], scores["quantization"]) == ("scores", (1 / 256, 0))
    assert read_export(out).contract.distribution is not None
    assert read_export(out / "saved_model" / "0001").contract.format is Format.SAVED_MODEL
    (tmp_path / "new.png").write_bytes(shape("stripes", 800))
    result = edge("predict", "--model", out, "--json", tmp_path / "new.png")
    assert json.loads(result.stdout)["predictions"][0]["label"] == "stripes"


class Tuned:
    """In place of `best.py`: what `fine_tuned` does, without TensorFlow."""

    def __init__(self, monkeypatch, answer):
        self.calls = []
        self._answer = answer
        monkeypatch.setitem(sys.modules, "edge.training.best", self)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: object())

    def fine_tuned(self, backbone, training_set, head, reader, scratch, seconds, advance):
        self.calls.append(seconds)
        (scratch / "half.tflite").write_bytes(b"half")
        return self._answer(backbone, scratch)


def spoiled(backbone, scratch):
    """A backbone whose features say little: its last convolutions are those of nothing."""
    data = backbone.model.read_bytes()
    rng = np.random.default_rng(0)
    weights = [
        (rng.normal(0, 1e-3, kernel.shape).astype(np.float32), bias * 0)
        for kernel, bias in tail_weights(data)
    ]
    file = scratch / "model.tflite"
    file.write_bytes(requantize_tail(data, weights, tail_ranges(data)))
    return replace(backbone, model=file)


def interrupted(*_):
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def sixty_each(tmp_path_factory):
    return put_shapes(tmp_path_factory.mktemp("sixty") / "photos", {"disc": 60, "square": 60})


def test_a_network_that_fine_tuning_made_worse_is_not_kept(sixty_each, tmp_path, monkeypatch):
    assert train(sixty_each, "--out", tmp_path / "quick").exit_code == 0
    tuned = Tuned(monkeypatch, spoiled)
    result = train(sixty_each, "--out", tmp_path / "best", "--minutes", "9")
    assert result.exit_code == 0, result.output
    assert "Fine-tuning did not do better in validation" in result.stderr
    assert len(tuned.calls) == 1
    first, second = (tmp_path / name / "model.tflite" for name in ("quick", "best"))
    assert first.read_bytes() == second.read_bytes()


def test_ctrl_c_while_fine_tuning_leaves_the_older_result_and_nothing_else(
    trained, sixty_each, tmp_path, monkeypatch
):
    out = tmp_path / "model"
    shutil.copytree(trained[0], out)
    before = (out / "model.tflite").read_bytes()
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    Tuned(monkeypatch, interrupted)
    result = train(sixty_each, "--out", out, "--minutes", "9")
    assert result.exit_code == 130
    assert (out / "model.tflite").read_bytes() == before
    assert names_in(tmp_path) == ["model", "scratch"]
    assert names_in(scratch) == []


def test_a_time_that_reading_alone_takes_gives_quick_training_and_says_so(
    sixty_each, tmp_path, monkeypatch
):
    tuned = Tuned(monkeypatch, interrupted)
    result = train(sixty_each, "--out", tmp_path / "model", "--minutes", "0.1")
    assert result.exit_code == 0, result.output
    assert "leaves too little for fine-tuning; the model is that of quick" in result.stderr
    assert "--minutes 1 would leave enough" in result.stderr
    assert tuned.calls == []
    assert read_export(tmp_path / "model").contract.labels == ("disc", "square")


def test_too_few_validation_pictures_to_judge_fine_tuning_by_are_named(tmp_path, monkeypatch):
    photos = put_shapes(tmp_path / "photos", {"disc": 12, "square": 12})
    tuned = Tuned(monkeypatch, interrupted)
    result = train(photos, "--out", tmp_path / "model", "--minutes", "9")
    assert result.exit_code == 0, result.output
    assert "Fine-tuning needs at least 10 validation pictures" in result.stderr
    assert tuned.calls == []


def test_a_time_without_tensorflow_is_refused_with_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    photos = put_shapes(tmp_path / "photos", {"disc": 4, "square": 4})
    result = edge("train", photos, "--out", tmp_path / "model", "--minutes", "1")
    assert result.exit_code == 2
    assert "--minutes needs TensorFlow" in result.stderr
    assert names_in(tmp_path) == ["photos"]

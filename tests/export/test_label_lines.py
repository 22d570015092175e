"""Numbers, quotes, comments and JSON in label files; files that fit one of several models."""

import zipfile

import pytest
from builders.answers import ask
from builders.sibling_tools import model
from builders.tflite import INT8, SOFTMAX, OperatorSpec, TensorSpec, classifier, detector, write

from edge.errors import ExportError
from edge.export.labels import match_classes, parse_labels
from edge.export.read import read_export

LABELS = tuple(f"label {i}" for i in range(12))
MODEL = classifier()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0 daisy\n1 rose\n2 tulip", ("daisy", "rose", "tulip")),
        ("1 daisy\r\n2 rose\r\n3 tulip\r\n\r\n", ("daisy", "rose", "tulip")),
        ("2 tulip\n0 daisy\n1 rose", ("daisy", "rose", "tulip")),
        ("0: daisy\n1: rose", ("daisy", "rose")),
        ("0,daisy\n1,rose", ("daisy", "rose")),
        ("0\tdaisy\n1\trose", ("daisy", "rose")),
        ("0 Mask", ("Mask",)),
        ("0 background\n1 cat", ("background", "cat")),
        ("0 a\n1 a\n2 b", ("a", "a", "b")),
        # numbers that are no index stay
        ("3210_Blitz\n70064512\n3", ("3210_Blitz", "70064512", "3")),
        ("0\n1\n2", ("0", "1", "2")),
        ("1 daisy\n3 rose", ("1 daisy", "3 rose")),
        ("0 daisy\nrose", ("0 daisy", "rose")),
        ("0 daisy\n0 rose", ("0 daisy", "0 rose")),
        ("2 cents\n3 cents", ("2 cents", "3 cents")),
        ("1 euro\n2 euro", ("1 euro", "2 euro")),
        ("5 daisy\n6 rose", ("5 daisy", "6 rose")),
        # quotes, JSON
        ('"daisy"\n"rose"', ("daisy", "rose")),
        ("'daisy',\n'rose',", ("daisy", "rose")),
        ('["daisy", "rose"]', ("daisy", "rose")),
        ('{"1": "rose", "0": "daisy"}', ("daisy", "rose")),
        ('{"rose": 2, "daisy": 1}', ("daisy", "rose")),
        ("#love\n#hate", ("#love", "#hate")),
        ("it's\nrock'n'roll", ("it's", "rock'n'roll")),
    ],
)
def test_lines_are_read_as_they_are_meant(text, expected):
    assert parse_labels(text, "labels.txt") == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("# my labels\ndaisy\nrose", "line 1 seems to be a comment"),
        ("daisy\n// old\nrose", "line 2 seems to be a comment"),
        ('"daisy"\nrose', "line 2 has no label in quotes"),
        ('{"a": {"b": 1}}', "no list of labels"),
        ('["a", 1]', "no list of labels"),
        ("['a', 'b']", "no list of labels"),
        ('{"0": "a", "2": "b"}', "no list of labels"),
        ("[" * 100_000 + "]", "no list of labels"),
    ],
)
def test_lines_that_could_be_read_wrong_are_refused(text, reason):
    with pytest.raises(ExportError, match=reason) as caught:
        parse_labels(text, "labels.txt")
    assert caught.value.remedy


def test_one_label_for_all_classes_is_refused():
    with pytest.raises(ExportError, match="all its 3 labels are 'cat'"):
        match_classes(("cat",) * 3, 3, "labels.txt")
    assert match_classes(("crane", "maillot", "crane"), 3, "f") == ("crane", "maillot", "crane")


@pytest.mark.parametrize("name", ["???", "unlabeled", "__background__", "N/A", "Background"])
def test_every_name_for_nothing_leads_a_detectors_labels(name, tmp_path):
    (tmp_path / "model.tflite").write_bytes(detector(classes=2))
    (tmp_path / "dict.txt").write_text(f"{name}\na\nb")
    assert read_export(tmp_path).contract.labels == ("a", "b")


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "utf-16"])
def test_labels_in_utf16_are_refused_with_or_without_a_mark(codec, tmp_path):
    (tmp_path / "model.tflite").write_bytes(MODEL)
    (tmp_path / "dict.txt").write_bytes("\n".join(LABELS).encode(codec))
    with pytest.raises(ExportError, match="not UTF-8 text") as caught:
        read_export(tmp_path)
    assert "UTF-8" in caught.value.remedy


def fill(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        text = "\n".join(content).encode() if isinstance(content, tuple) else content
        (folder / name.replace("__", ".")).write_bytes(text)
    return folder


def test_a_byte_order_mark_is_skipped_in_every_text_file(tmp_path):
    mark = b"\xef\xbb\xbf"
    fill(
        tmp_path,
        model__tflite=MODEL,
        dict__txt=tuple(label.upper() for label in LABELS),
        labels_v2__txt=mark + "\n".join(LABELS).encode(),
        manifest__json=mark + b'{"modelFile": "model.tflite", "labelsFile": "labels_v2.txt"}',
        model__toml=mark + b"top_k = 1\n",
    )
    contract = read_export(tmp_path).contract
    assert contract.labels == LABELS
    assert contract.tuning.top_k == 1


def test_a_manifest_that_cannot_be_read_is_an_error_not_absent(tmp_path):
    fill(tmp_path, model__tflite=MODEL, dict__txt=LABELS, manifest__json=b"{")
    with pytest.raises(ExportError, match="cannot be read as JSON") as caught:
        read_export(tmp_path)
    assert caught.value.file.endswith("manifest.json")


SMALL = classifier(side=1)
THREE = ("a", "b", "c")


def test_of_two_models_each_gets_the_labels_that_fit_it(tmp_path):
    fill(tmp_path, big__tflite=MODEL, small__tflite=SMALL, one__txt=THREE, two__txt=LABELS)
    assert read_export(tmp_path / "big.tflite").contract.labels == LABELS
    assert read_export(tmp_path / "small.tflite").contract.labels == THREE


def test_of_two_models_each_gets_the_labels_of_its_name(tmp_path):
    upper = tuple(label.upper() for label in LABELS)
    fill(tmp_path, cats__tflite=MODEL, dogs__tflite=MODEL, cats__txt=LABELS, labels_dogs__txt=upper)
    assert read_export(tmp_path / "cats.tflite").contract.labels == LABELS
    assert read_export(tmp_path / "dogs.tflite").contract.labels == upper


def test_a_label_file_of_another_models_name_is_not_taken_though_it_fits(tmp_path):
    fill(tmp_path, cats__tflite=MODEL, dogs__tflite=MODEL, dogs__txt=LABELS)
    with pytest.raises(ExportError, match="no labels for its 12 classes"):
        read_export(tmp_path / "cats.tflite")


def test_labels_that_fit_no_model_are_listed(tmp_path):
    fill(tmp_path, a__tflite=MODEL, b__tflite=SMALL, x_labels__txt=("q", "r"), dict__txt=("s",))
    with pytest.raises(ExportError, match=r"none of dict\.txt fits") as caught:
        read_export(tmp_path / "a.tflite")
    assert "a.txt" in caught.value.remedy


def test_two_models_in_a_folder_are_refused_with_how_to_name_one(tmp_path):
    fill(tmp_path, a__tflite=MODEL, b__tflite=MODEL, dict__txt=LABELS)
    with pytest.raises(ExportError, match=r"a\.tflite, b\.tflite") as caught:
        read_export(tmp_path)
    assert str(tmp_path / "a.tflite") in caught.value.remedy
    assert read_export(tmp_path / "a.tflite").contract.labels == LABELS


def test_a_folder_of_several_exports_is_refused_with_what_it_holds(tmp_path):
    fill(tmp_path / "flowers", model__tflite=MODEL, dict__txt=LABELS)
    fill(tmp_path / "deep", x=b"")
    fill(tmp_path / "deep" / "below", model__tflite=model(), dict__txt=LABELS)
    fill(tmp_path / "notes", readme__txt=b"x")
    (tmp_path / "cats.zip").write_bytes(b"")
    with pytest.raises(ExportError, match=r"cats\.zip, deep \(TFLite\), flowers \(AutoML TFLite\)"):
        read_export(tmp_path)


def node(name, operator):
    from builders.saved_model import message

    return message(1, message(1, name) + message(2, operator))


@pytest.mark.parametrize("name", ["model.pb", "frozen_inference_graph.pb", "saved_model.pb"])
def test_a_frozen_graph_is_named_as_one(name, tmp_path):
    (tmp_path / name).write_bytes(node("image", "Placeholder") + node("scores", "Softmax"))
    (tmp_path / "labels.txt").write_text("a\nb")
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(ExportError, match="frozen graph of TensorFlow 1") as caught:
            read_export(path)
        assert "Rename" not in caught.value.remedy


@pytest.mark.parametrize(
    ("files", "tool"),
    [
        ({"keras_model__h5": b"", "labels__txt": b"0 a\n1 b\n"}, "from Teachable Machine"),
        (
            {"model__json": b"{}", "metadata__json": b'{"packageName": "@teachablemachine/image"}'},
            "from Teachable Machine",
        ),
        ({"model__json": b"{}", "dict__txt": b"a\nb"}, "from Vertex AI"),
    ],
)
def test_a_remedy_names_the_tool_that_made_the_files(files, tool, tmp_path):
    with pytest.raises(ExportError) as caught:
        read_export(fill(tmp_path, **files))
    others = {"from Teachable Machine", "from Vertex AI", "from Lobe"} - {tool}
    assert tool in caught.value.remedy
    assert not any(other in caught.value.remedy for other in others)


def test_a_zip_of_windows_with_backslashes_is_read(tmp_path):
    archive = tmp_path / "e.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("flowers\\", b"")
        zipped.writestr("flowers\\model.tflite", MODEL)
        zipped.writestr("flowers\\dict.txt", "\n".join(LABELS))
    assert read_export(archive).contract.labels == LABELS


@pytest.mark.parametrize(
    ("shape", "words"),
    [([1, 8, 8, 1], "trained on grey images"), ([1, 3, 8, 8], r"channels come first \(NCHW\)")],
)
def test_grey_and_channels_first_are_named(shape, words, tmp_path):
    tensors = [TensorSpec("image", shape), TensorSpec("scores", [1, 12])]
    fill(tmp_path, m__tflite=write(tensors, [OperatorSpec(SOFTMAX, [0], [1])], [0], [1]))
    fill(tmp_path, dict__txt=LABELS)
    with pytest.raises(ExportError, match=words):
        read_export(tmp_path)


@pytest.mark.parametrize("quantization", [(1.0, -128), (1 / 255, -128), (2 / 255, 0)])
def test_a_signed_input_is_fed_if_its_quantisation_tells_the_range(quantization, tmp_path):
    fill(tmp_path, m__tflite=model(dtype=INT8, quantization=quantization, side=2))
    fill(tmp_path, dict__txt=LABELS)
    export = read_export(tmp_path)
    assert export.family == "TFLite"
    assert export.contract.input.normalization is None


def test_a_signed_input_of_an_unknown_range_is_refused_until_model_toml_states_it(tmp_path):
    content = model(dtype=INT8, quantization=(0.0187, -14), side=2)
    fill(tmp_path, m__tflite=content, dict__txt=LABELS)
    with pytest.raises(ExportError, match="nothing says which pixels its int8 input"):
        read_export(tmp_path)
    fill(tmp_path, model__toml=b"mean = [124, 116, 104]\nstd = [58, 57, 57]\n")
    import numpy as np
    from builders.sibling_tools import encoded, litert_scores
    from PIL import Image

    pixels = np.arange(90, 102, dtype=np.uint8).reshape(2, 2, 3)
    real = (pixels - np.array([124.0, 116.0, 104.0])) / np.array([58.0, 57.0, 57.0])
    stored = np.clip(np.rint(real / 0.0187) - 14, -128, 127)
    answer = ask(tmp_path, encoded(Image.fromarray(pixels)))
    expected = litert_scores(content, stored)
    np.testing.assert_allclose(answer.prediction.scores, expected, atol=1 / 128)


def test_mean_and_std_of_model_toml_make_any_float_model_served(tmp_path):
    fill(tmp_path, m__tflite=model(side=2), dict__txt=LABELS)
    (tmp_path / "model.toml").write_text('mean = 0\nstd = 255\nchannel_order = "bgr"\n')
    contract = read_export(tmp_path).contract
    assert (contract.input.normalization.std, contract.input.channel_order) == ((255.0,), "bgr")
    assert contract.origins["pixels"] == "model.toml"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("mean = 0", "std is missing"),
        ("std = 1", "mean is missing"),
        ("mean = [0, 1]\nstd = 1", "mean: "),
        ("mean = 0\nstd = 0", "std"),
        ("mean = 0\nstd = [1, 1, -1]", "std"),
        ("mean = nan\nstd = 1", "mean"),
        ("mean = true\nstd = 1", "mean"),
        ('mean = "0"\nstd = 1', "mean"),
        ('channel_order = "gbr"', "channel_order"),
    ],
)
def test_a_range_that_makes_no_sense_is_refused_by_its_key(text, reason, tmp_path):
    fill(tmp_path, m__tflite=model(side=2), dict__txt=LABELS)
    (tmp_path / "model.toml").write_text(text)
    with pytest.raises(ExportError, match=reason) as caught:
        read_export(tmp_path)
    assert caught.value.file.endswith("model.toml")

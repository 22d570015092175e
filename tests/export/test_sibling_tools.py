"""Teachable Machine, Lobe and Custom Vision against LiteRT and Pillow alone; what is refused."""

import json

import numpy as np
import pytest
from builders.answers import ask
from builders.sibling_tools import (
    LABELS,
    LOBE_SCALING,
    PROPERTIES,
    SIDE,
    custom_vision,
    encoded,
    fitted,
    litert_scores,
    lobe,
    model,
    photo,
    teachable_machine,
)
from builders.tflite import UINT8
from PIL import Image

from edge.errors import ExportError
from edge.export.describe import export_rows
from edge.export.read import read_export
from edge.model.contract import ChannelOrder, Normalization, Resize
from edge.vision.resize import Kernel

SIZE = (SIDE, SIDE)
PHOTO = photo()


def stretched(kernel=Image.Resampling.BILINEAR):
    return np.asarray(PHOTO.resize(SIZE, kernel)).astype(np.float32)


def scaled_to_fill():
    """As Lobe's own package does."""
    scale = max(SIDE / PHOTO.width, SIDE / PHOTO.height)
    size = round(scale * PHOTO.width), round(scale * PHOTO.height)
    filled = PHOTO.resize(size, Image.Resampling.BICUBIC)
    left, top = (filled.width - SIDE) // 2, (filled.height - SIDE) // 2
    return np.asarray(filled.crop((left, top, left + SIDE, top + SIDE))).astype(np.float32)


LANCZOS = fitted(PHOTO, Image.Resampling.LANCZOS)
BICUBIC = fitted(PHOTO, Image.Resampling.BICUBIC)
CENTRE = fitted(PHOTO, Image.Resampling.BILINEAR)
TM = model("sequential_1_input")
TM_QUANTISED = model("sequential_3_input", dtype=UINT8, quantization=(1 / 127.5, 127))
LOBE = model("Image", scaling=LOBE_SCALING, scores="dense/Softmax")
CV = model("Placeholder")
SIGNED = [("MUL", [2.0]), ("SUB", [1.0])]


def properties(**changes):
    short = {
        "range": "Image.NominalPixelRange",
        "order": "Image.BitmapPixelFormat",
        "mean": "CustomVision.Preprocess.NormalizeMean",
        "std": "CustomVision.Preprocess.NormalizeStd",
        "resize": "CustomVision.Preprocess.ResizeMethod",
        "crop": "CustomVision.Preprocess.CropMethod",
    }
    return PROPERTIES | {short.get(name, name): value for name, value in changes.items()}


CASES = {
    "Teachable Machine, float": (
        lambda folder: teachable_machine(folder, TM), TM, LANCZOS / 127.5 - 1,
    ),
    "Teachable Machine, quantised": (
        lambda folder: teachable_machine(folder, TM_QUANTISED, "model.tflite"),
        TM_QUANTISED, LANCZOS,
    ),
    "Lobe": (lambda folder: lobe(folder, LOBE), LOBE, BICUBIC / 255),
    "Custom Vision of 2019": (
        lambda folder: custom_vision(folder, CV, properties=None), CV,
        CENTRE[:, :, ::-1] - np.array([105, 117, 124]),
    ),
    "Custom Vision, 0..255": (lambda folder: custom_vision(folder, CV), CV, stretched()),
    "Custom Vision, BGR, mean and std": (
        lambda folder: custom_vision(folder, CV, properties=properties(
            order="Bgr8", mean="[100.0, 110.0, 120.0]", std="[2.0, 4.0, 8.0]")),
        CV, (stretched()[:, :, ::-1] - np.array([100, 110, 120])) / np.array([2, 4, 8]),
    ),
    "Custom Vision, 0..1, as its graph says too": (
        lambda folder: custom_vision(folder, model("x", scaling=SIGNED),
                                     properties=properties(range="Normalized_0_1")),
        model("x", scaling=SIGNED), stretched() / 255,
    ),
    "Custom Vision, centre cut": (
        lambda folder: custom_vision(folder, CV, properties=properties(
            resize="ByShorterSide", crop="OneCropCenter")),
        CV, CENTRE,
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_an_export_answers_as_litert_does_to_what_its_own_tool_feeds(case, tmp_path):
    write, content, tensor = CASES[case]
    expected = litert_scores(content, tensor)
    answer = ask(write(tmp_path), encoded(PHOTO))
    step = 1 / 256 if "quantised" in case else 1e-5
    np.testing.assert_allclose(answer.prediction.scores, expected, atol=step)
    assert answer.prediction.labels == LABELS


def test_the_photo_tells_one_way_of_feeding_from_another():
    """Else the comparison above would show little."""
    fed = [
        LANCZOS / 127.5 - 1, CENTRE / 127.5 - 1, stretched() / 127.5 - 1, LANCZOS / 255,
        LANCZOS[:, :, ::-1] / 127.5 - 1,
    ]  # fmt: skip
    scores = [litert_scores(TM, tensor) for tensor in fed]
    for index, one in enumerate(scores):
        for other in scores[index + 1 :]:
            assert np.abs(one - other).max() > 3e-5


def test_lobes_own_way_to_the_centre_shows_what_a_crop_shows():
    assert np.abs(scaled_to_fill() - BICUBIC).mean() < 3


WAYS = {
    "Teachable Machine": (
        teachable_machine, "Teachable Machine", "input tensor sequential_1_input",
        "RGB, (byte - 127.5) / 127.5: -1..1",
    ),
    "Lobe": (lobe, "Lobe", "signature.json", "RGB, (byte - 0) / 255: 0..1"),
    "Custom Vision": (
        lambda folder: custom_vision(folder, properties=None), "Azure Custom Vision",
        "cvexport.manifest", "BGR, (byte - [105, 117, 124]) / 1: -124..150",
    ),
}  # fmt: skip


@pytest.mark.parametrize("tool", WAYS)
def test_inspect_says_family_range_order_and_where_each_was_read(tool, tmp_path):
    write, family, recognised, pixels = WAYS[tool]
    export = read_export(write(tmp_path))
    rows = {name: (value, origin) for name, value, origin in export_rows(export)}
    assert rows["Family"] == (family, recognised)
    assert rows["Pixels"][0] == pixels
    assert rows["Pixels"][1]
    assert "centred square" in rows["Resize"][0]
    assert rows["Resize"][1] != "default"
    assert rows["Model"][0].endswith("TFLite")


def test_teachable_machine_is_known_by_its_labels_too(tmp_path):
    read = read_export(teachable_machine(tmp_path, model("input_1")))
    assert read.family == "Teachable Machine"
    assert (read.contract.tuning.resize, read.contract.tuning.kernel) == (
        Resize.CENTER_CROP,
        Kernel.LANCZOS,
    )


def test_numbered_labels_do_not_make_an_automl_export_teachable_machines(tmp_path):
    assert read_export(teachable_machine(tmp_path, model(dtype=UINT8))).family == "AutoML TFLite"


def test_a_model_that_scales_bytes_itself_is_not_fed_teachable_machines_range(tmp_path):
    """Keras' own tutorial makes such models, with the same input name."""
    divides = model("sequential_1_input", scaling=[("MUL", [1 / 255])])
    with pytest.raises(ExportError, match=r"begins with MUL .* expects 0\.\.255"):
        read_export(teachable_machine(tmp_path, divides))
    (tmp_path / "model.toml").write_text("mean = 0\nstd = 1\n")
    assert read_export(tmp_path).contract.input.normalization == Normalization((0.0,), (1.0,))


def test_both_of_teachable_machines_files_in_one_folder_are_served_by_name(tmp_path):
    teachable_machine(tmp_path, TM)
    teachable_machine(tmp_path, TM_QUANTISED, "model.tflite")
    with pytest.raises(ExportError, match=r"several models: model\.tflite, model_unquant"):
        read_export(tmp_path)
    for name in ("model.tflite", "model_unquant.tflite"):
        assert read_export(tmp_path / name).contract.labels == LABELS


def test_lobes_labels_are_those_of_its_signature(tmp_path):
    lobe(tmp_path)
    (tmp_path / "labels.txt").write_text("\n".join(reversed(LABELS)))
    contract = read_export(tmp_path).contract
    assert contract.labels == LABELS
    assert "labels.txt differs" in contract.notes[0]


def test_lobe_labels_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ExportError, match="2 labels, but the model has 48") as caught:
        read_export(lobe(tmp_path, classes={"Label": ["a", "b"]}))
    assert caught.value.file.endswith("signature.json")


@pytest.mark.parametrize("kind", ["onnx", "tf_js"])
def test_lobes_other_formats_are_refused_in_lobes_words(kind, tmp_path):
    with pytest.raises(ExportError, match="Lobe export in the format") as caught:
        read_export(lobe(tmp_path, format=kind))
    assert "from Lobe" in caught.value.remedy


def test_a_renamed_model_of_lobe_or_custom_vision_is_found(tmp_path):
    for write, name in ((lobe, "saved_model.tflite"), (custom_vision, "model.tflite")):
        folder = write(tmp_path / name)
        (folder / name).rename(folder / "renamed.tflite")
        assert read_export(folder).contract.labels == LABELS


REFUSED = {
    "Custom Vision: detection": (
        {"DomainType": "ObjectDetection"}, PROPERTIES, "raw YOLO", "TFLite_Detection_PostProcess",
    ),
    "Custom Vision: an unknown task": (
        {"DomainType": "Regression"}, PROPERTIES, "DomainType is 'Regression'", "Custom Vision",
    ),
    "Custom Vision: a frozen graph": (
        {"ModelFileName": "model.pb"}, PROPERTIES, "frozen graph", "from Azure Custom Vision",
    ),
    "Custom Vision: TensorFlow.js": (
        {"ModelFileName": "model.zip", "Flavor": "TensorFlowJs"}, PROPERTIES,
        "for TensorFlow, TensorFlowJs", "from Azure Custom Vision",
    ),
    "Custom Vision: an unknown property": (
        {}, properties(**{"CustomVision.Preprocess.Whiten": "1"}),
        "Preprocess.Whiten", "model.toml",
    ),
    "Custom Vision: no range": ({}, properties(range=None), "not state Image.Nominal", "mean"),
    "Custom Vision: no order": ({}, properties(order=None), "not state Image.Bitmap", "channel_o"),
    "Custom Vision: an unknown range": (
        {}, properties(range="NominalRange_16_235"), "16_235", "mean and std",
    ),
    "Custom Vision: an unknown order": ({}, properties(order="Gray8"), "Gray8", "channel_order"),
    "Custom Vision: an unknown resize": ({}, properties(resize="Fit"), "'Fit'", "resize"),
    "Custom Vision: an unknown crop": ({}, properties(crop="TenCrops"), "TenCrops", "resize"),
    "Custom Vision: a mean of two": ({}, properties(mean="[1.0, 2.0]"), "NormalizeMean", "mean"),
    "Custom Vision: a mean that is none": ({}, properties(mean="x"), "NormalizeMean", "mean"),
    "Custom Vision: a deviation of 0": ({}, properties(std="[0, 1, 1]"), "NormalizeStd", "std"),
    "Custom Vision: linear light": (
        {}, properties(**{"Image.ColorSpaceGamma": "Linear"}), "Linear", "mean and std",
    ),
    "Custom Vision: 0..1 that nothing confirms": (
        {}, properties(range="Normalized_0_1"), "0..1 .* Microsoft's sample code", "mean",
    ),
    "Custom Vision: RGB of General (compact)": (
        {}, properties(resize="ByShorterSideAlign32", crop="FullImageShorterSide"),
        "feeds blue first", 'channel_order = "bgr"',
    ),
    "Custom Vision: a detector's method": (
        {}, properties(**{"CustomVision.Postprocess.Method": "Yolo2"}), "Yolo2", "classification",
    ),
    "Custom Vision: properties that are not named": (
        {"MetadataPropsFileName": None}, PROPERTIES, "does not name it", "model.toml",
    ),
    "Custom Vision: neither properties nor of 2019": (
        {"ExportedDate": "2022-01-01"}, None, "nothing else says", "mean",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_custom_vision_leaves_open_is_refused_with_what_to_set(case, tmp_path):
    changes, stated, reason, remedy = REFUSED[case]
    custom_vision(tmp_path, properties=stated, **changes)
    if "frozen" in case or "js" in case:
        (tmp_path / "model.tflite").unlink()
    with pytest.raises(ExportError, match=reason) as caught:
        read_export(tmp_path)
    assert remedy in caught.value.remedy
    assert "Vertex" not in caught.value.message


CONTRADICTIONS = {
    "0..255, and the graph goes on from 0..1": (SIGNED, {}, r"0\.\.255 .* expects 0\.\.1"),
    "0..1, and the graph divides bytes": (
        [("MUL", [1 / 255])], {"range": "Normalized_0_1"}, r"0\.\.1 .* expects 0\.\.255",
    ),
    "0..1, and the graph subtracts a mean of bytes": (
        [("SUB", [123.7, 116.8, 103.9])], {"range": "Normalized_0_1"}, r"expects 0\.\.255",
    ),
    "0..1, and the graph standardises bytes": (
        [("SUB", [123.7, 116.8, 103.9]), ("DIV", [58.4, 57.1, 57.4])],
        {"range": "Normalized_0_1"}, r"expects 0\.\.255",
    ),
    "RGB, and the graph subtracts the means of BGR": (
        [("SUB", [103.9, 116.8, 123.7])], {}, "usual means in the order bgr",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_metadata_and_a_graph_that_disagree_are_refused_unless_model_toml_decides(case, tmp_path):
    scaling, stated, reason = CONTRADICTIONS[case]
    custom_vision(tmp_path, model("x", scaling=scaling), properties=properties(**stated))
    with pytest.raises(ExportError, match=reason) as caught:
        read_export(tmp_path)
    assert "model.toml" in caught.value.remedy
    (tmp_path / "model.toml").write_text('mean = [1, 2, 3]\nstd = 4\nchannel_order = "bgr"\n')
    pixels = read_export(tmp_path).contract.input
    assert pixels.normalization == Normalization((1.0, 2.0, 3.0), (4.0,))
    assert pixels.channel_order is ChannelOrder.BGR


@pytest.mark.parametrize(
    ("scale", "stated"), [(1.0, "NominalRange_0_255"), (1 / 255, "Normalized_0_1")]
)
def test_a_quantised_input_takes_bytes_if_it_stores_the_stated_range(scale, stated, tmp_path):
    content = model("x", dtype=UINT8, quantization=(scale, 0))
    custom_vision(tmp_path, content, properties=properties(range=stated))
    pixels = read_export(tmp_path).contract.input
    assert (pixels.normalization, pixels.quantization) == (None, None)
    other = "Normalized_0_1" if scale == 1 else "NominalRange_0_255"
    (tmp_path / "metadata_properties.json").write_text(json.dumps(properties(range=other)))
    with pytest.raises(ExportError, match="the quantisation of its input is for"):
        read_export(tmp_path)


def test_the_scaling_of_the_graph_of_2019_is_not_done_twice(tmp_path):
    content = model("Placeholder", scaling=[("SUB", [105.0, 117.0, 124.0])])
    with pytest.raises(ExportError, match=r"expects 0\.\.255"):
        read_export(custom_vision(tmp_path, content, properties=None))


def test_a_manifest_with_a_byte_order_mark_is_read_and_a_broken_one_is_refused(tmp_path):
    custom_vision(tmp_path)
    manifest = tmp_path / "cvexport.manifest"
    manifest.write_bytes(b"\xef\xbb\xbf" + manifest.read_bytes())
    assert read_export(tmp_path).family == "Azure Custom Vision"
    manifest.write_text("{")
    with pytest.raises(ExportError, match="cannot be read as JSON"):
        read_export(tmp_path)


def test_every_way_to_name_an_export_finds_its_family(tmp_path):
    for write, file, marker in (
        (lobe, "saved_model.tflite", "signature.json"),
        (custom_vision, "model.tflite", "cvexport.manifest"),
        (teachable_machine, "model_unquant.tflite", ""),
    ):
        folder = write(tmp_path / file)
        families = {read_export(path).family for path in (folder, folder / file, folder / marker)}
        assert len(families) == 1
        assert "AutoML" not in families.pop()


def test_a_file_that_was_replaced_is_recognised_again(tmp_path):
    """What was seen in it is remembered, so that a scan of many models opens each once."""
    file = tmp_path / "model.tflite"
    (tmp_path / "dict.txt").write_text("\n".join(LABELS))
    for content, family in ((model(dtype=UINT8), "AutoML TFLite"), (TM, "Teachable Machine")):
        (tmp_path / "new").write_bytes(content)
        (tmp_path / "new").replace(file)
        assert read_export(tmp_path).family == family

"""`model.toml`: every key; whatever would be ignored or misread is refused by name."""

import pytest
from builders.saved_model import IMAGE, SCORES, saved_model
from builders.tflite import classifier

from edge.errors import ExportError
from edge.export.model_toml import read_model_toml
from edge.export.read import read_export
from edge.model.contract import Resize, Tuning
from edge.vision.resize import Kernel


def toml(folder, text):
    (folder / "model.toml").write_text(text, "utf-8")
    return folder


def test_without_the_file_or_with_an_empty_one_the_defaults_hold(tmp_path):
    assert read_model_toml(tmp_path, Tuning()) == Tuning()
    assert read_model_toml(toml(tmp_path, ""), Tuning()) == Tuning()


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ('display_name = "Blumen 🌻"', "display_name", "Blumen 🌻"),
        ('resize = "stretch"', "resize", Resize.STRETCH),
        ('resize = "center_crop"', "resize", Resize.CENTER_CROP),
        ('resize = "center_crop"\ncrop_fraction = 0.875', "crop_fraction", 0.875),
        ('resize = "center_crop"\ncrop_fraction = 1', "crop_fraction", 1.0),
        *((f'kernel = "{kernel}"', "kernel", kernel) for kernel in Kernel),
        ("score_threshold = 0", "score_threshold", 0.0),
        ("score_threshold = 1.0", "score_threshold", 1.0),
        (
            "[label_thresholds]\nroses = 0.5\n'two words' = 0",
            "label_thresholds",
            {"roses": 0.5, "two words": 0.0},
        ),
        ("top_k = 1", "top_k", 1),
        (
            "[display_names.en]\nn01 = 'Cup, \u00e9 🌻'\n[display_names.fr]\nn01 = 'Tasse\u00a0!'",
            "display_names",
            {"en": {"n01": "Cup, \u00e9 🌻"}, "fr": {"n01": "Tasse\u00a0!"}},
        ),
        (f"[display_names.en]\nn01 = '{'a' * 100}'", "display_names", {"en": {"n01": "a" * 100}}),
    ],
)
def test_every_key_is_read(text, name, value, tmp_path):
    assert getattr(read_model_toml(toml(tmp_path, text), Tuning()), name) == value


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("treshold = 0.5", "treshold"),
        ("[resize]\nmode = 1", "resize"),
        ('resize = "letterbox"', "resize"),
        ('kernel = "nearest"', "kernel"),
        ('resize = "center_crop"\ncrop_fraction = 0', "crop_fraction"),
        ('resize = "center_crop"\ncrop_fraction = 1.01', "crop_fraction"),
        ('resize = "center_crop"\ncrop_fraction = nan', "crop_fraction"),
        ("crop_fraction = 0.9", "crop_fraction without a crop"),
        ('resize = "stretch"\ncrop_fraction = 0.9', "crop_fraction without a crop"),
        ("score_threshold = 1.1", "score_threshold"),
        ("score_threshold = -0.1", "score_threshold"),
        ("score_threshold = nan", "score_threshold"),
        ("score_threshold = inf", "score_threshold"),
        ("score_threshold = true", "score_threshold"),
        ('score_threshold = "0.5"', "score_threshold"),
        ("label_thresholds = 0.5", "label_thresholds"),
        ("[label_thresholds]\nroses = 2", r"label_thresholds\.roses"),
        ("top_k = 0", "top_k"),
        ("top_k = 1.5", "top_k"),
        ("top_k = true", "top_k"),
        ("display_name = 5", "display_name"),
        ("[display_names.de]\nn01 = 'Tasse'", r"display_names\.de"),
        ("[display_names]\nn01 = 'cup'", r"display_names\.n01"),
        ("[display_names.en]\nn01 = ''", "display_names.en.n01.*blank"),
        ("[display_names.en]\nn01 = ' '", "display_names.en.n01.*blank"),
        ("[display_names.en]\nn01 = 5", r"display_names\.en\.n01"),
        ('[display_names.en]\nn01 = "a\\u202eb"', "U[+]202E"),
        ('[display_names.en]\nn01 = "two\\nlines"', "U[+]000A"),
        (f"[display_names.en]\nn01 = '{'a' * 101}'", r"display_names\.en\.n01"),
        ("top_k 5", "not TOML"),
        ("top_k = 1\ntop_k = 2", "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_with_the_keys_name(text, words, tmp_path):
    with pytest.raises(ExportError, match=words) as caught:
        read_model_toml(toml(tmp_path, text), Tuning())
    assert caught.value.file == str(tmp_path / "model.toml")
    assert caught.value.remedy


def test_an_unknown_key_is_answered_with_those_there_are(tmp_path):
    with pytest.raises(ExportError) as caught:
        read_model_toml(toml(tmp_path, "treshold = 0.5"), Tuning())
    for key in (
        "display_name",
        "resize",
        "crop_fraction",
        "kernel",
        "score_threshold",
        "label_thresholds",
        "top_k",
    ):
        assert key in caught.value.remedy


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "model.toml").write_bytes('display_name = "Bär"'.encode("latin-1"))
    with pytest.raises(ExportError, match="not TOML"):
        read_model_toml(tmp_path, Tuning())


def test_a_threshold_for_a_label_that_the_model_has_not_is_refused_with_those_it_has(tmp_path):
    (tmp_path / "model.tflite").write_bytes(classifier())
    (tmp_path / "dict.txt").write_text("\n".join(f"label {i}" for i in range(12)))
    toml(tmp_path, "[label_thresholds]\n'label 3' = 0.5\nrose = 0.5")
    with pytest.raises(ExportError, match="names 'rose', which the model does not know") as caught:
        read_export(tmp_path)
    assert "label 0, label 1" in caught.value.remedy


def test_words_for_a_label_that_the_model_has_not_are_refused(tmp_path):
    (tmp_path / "model.tflite").write_bytes(classifier())
    (tmp_path / "dict.txt").write_text("\n".join(f"label {i}" for i in range(12)))
    toml(tmp_path, "[display_names.fr]\n'label 3' = 'trois'")
    read_export(tmp_path)
    toml(tmp_path, "[display_names.fr]\n'label 3' = 'trois'\nrose = 'Rose'")
    with pytest.raises(ExportError, match=r"display_names\.fr names .rose."):
        read_export(tmp_path)


def test_words_in_english_stand_on_drawn_pictures_or_else_the_label():
    tuning = Tuning(display_names={"en": {"a": "Apple"}, "fr": {"b": "Banane"}})
    assert [tuning.words_for(label) for label in "ab"] == ["Apple", "b"]


def test_resize_for_a_graph_that_resizes_by_itself_is_noted(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(saved_model({"serving_default": (IMAGE, SCORES)}))
    assert read_export(tmp_path).contract.notes == ()
    toml(tmp_path, 'resize = "center_crop"')
    assert "the graph resizes by itself" in read_export(tmp_path).contract.notes[0]

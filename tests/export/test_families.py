"""Export families: which one claims a model, and what adding one takes."""

import pkgutil
from types import SimpleNamespace

import pytest
from builders.saved_model import IMAGE, SCORES, saved_model
from builders.tflite import classifier

from edge.errors import ExportError
from edge.export import families
from edge.export.family import FAMILIES
from edge.export.locate import find_model, find_models
from edge.export.read import read_export

LABELS = "\n".join(f"label {i}" for i in range(12))


@pytest.fixture
def tflite(tmp_path):
    (tmp_path / "model.tflite").write_bytes(classifier())
    (tmp_path / "dict.txt").write_text(LABELS)
    return tmp_path


def write_saved_model(folder):
    folder.mkdir(exist_ok=True)
    (folder / "saved_model.pb").write_bytes(saved_model({"serving_default": (IMAGE, SCORES)}))
    return folder


def marked_family():
    """A family whose exports have a file `signature.json` that names the model."""

    def find(path):
        folder = path if path.is_dir() else path.parent
        marker = folder / "signature.json"
        if not marker.is_file():
            return []
        model = folder / marker.read_text()
        return [model] if path in {folder, model} else []

    def read(model):
        raise ExportError(model, "the marked family was asked", "None.")

    remedy = 'from Marked as "Marked"'
    return SimpleNamespace(NAME="marked", HOW_TO_EXPORT=remedy, find=find, read=read)


@pytest.fixture
def with_marked_family(monkeypatch):
    family = marked_family()
    monkeypatch.setattr("edge.export.locate.FAMILIES", (family, *FAMILIES))
    return family


def test_every_module_of_the_package_is_a_family_that_is_tried():
    found = pkgutil.iter_modules(families.__path__, f"{families.__name__}.")
    modules = {module.name for module in found}
    assert {family.__name__ for family in FAMILIES} == modules
    assert len({family.NAME for family in FAMILIES}) == len(FAMILIES)


def test_an_export_says_which_family_read_it(tflite, tmp_path):
    assert read_export(tflite).family == "AutoML TFLite"
    assert read_export(write_saved_model(tmp_path / "graph")).family == "AutoML container"


def test_the_first_family_that_claims_a_model_reads_it(tflite, with_marked_family):
    assert read_export(tflite).family == "AutoML TFLite"
    (tflite / "signature.json").write_text("model.tflite")
    for path in (tflite, tflite / "model.tflite"):
        assert find_model(path).family is with_marked_family
        with pytest.raises(ExportError, match="the marked family was asked"):
            read_export(path)


@pytest.mark.usefixtures("with_marked_family")
def test_models_of_two_families_in_one_folder_are_two_models(tflite):
    (tflite / "signature.json").write_text("marked.tflite")
    (tflite / "marked.tflite").write_bytes(classifier())
    with pytest.raises(ExportError, match=r"several models: marked\.tflite, model\.tflite"):
        read_export(tflite)


def test_a_tflite_file_goes_before_a_saved_model_in_the_same_folder(tflite):
    write_saved_model(tflite)
    assert [found.path.name for found in find_models(tflite)] == ["model.tflite"]
    assert find_model(tflite / "saved_model.pb").path == tflite


@pytest.mark.usefixtures("with_marked_family")
def test_a_folder_without_a_model_is_refused_with_what_every_family_takes(tmp_path):
    with pytest.raises(ExportError) as caught:
        read_export(tmp_path)
    assert all(words in caught.value.remedy for words in ("from Marked", '"TFLite"', '"Container"'))


@pytest.mark.parametrize("name", ["model", "model.bin", "model.txt"])
def test_a_file_that_is_named_is_known_by_its_first_bytes_whatever_it_is_called(name, tmp_path):
    (tmp_path / name).write_bytes(classifier())
    assert find_model(tmp_path / name).family.NAME == "AutoML TFLite"


def test_a_file_that_cannot_be_opened_is_not_said_to_be_damaged(tmp_path, monkeypatch):
    file = tmp_path / "model"
    file.write_bytes(classifier())

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("edge.export.families.automl_tflite.starts_as_tflite", refuse)
    monkeypatch.setattr("edge.export.families.automl_tflite.is_tflite", lambda _: False)
    with pytest.raises(ExportError, match=r"cannot be read \(Permission denied\)"):
        read_export(file)

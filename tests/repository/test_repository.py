"""Which model answers: the default, names and versions, and refused models."""

import pytest
from builders.answers import ask
from builders.images import encode, quadrants
from builders.tflite import OperatorSpec, TensorSpec, classifier, detector, write

from edge.errors import ExportError, ModelNotFound, ModelUnavailable
from edge.repository.repository import open_repository
from edge.repository.version import VersionState
from edge.runtime.pipeline import DecodeOptions

MODEL = classifier()
LABELS = "\n".join(f"label {i}" for i in range(12))
DECODING = DecodeOptions(1_000_000)


def plant(root, *names, files=None):
    for name in names:
        (root / name).mkdir(parents=True)
        (root / name / "model.tflite").write_bytes(MODEL)
        (root / name / "dict.txt").write_text(LABELS)
    for name, content in (files or {}).items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(content)
    return root


def loaded(repository):
    repository.load(1, DECODING)
    return repository


@pytest.mark.parametrize(
    ("names", "asked", "default"),
    [
        (["b", "a"], None, "a"),
        (["b", "a"], "b", "b"),
        (["z", "default", "a"], None, "default"),
        (["z", "default", "a"], "z", "z"),
    ],
)
def test_the_default_is_the_one_named_or_called_default_or_the_first(
    names, asked, default, tmp_path
):
    repository = loaded(open_repository(plant(tmp_path / "r", *names), asked))
    assert repository.default == default
    assert repository.get().name == default
    assert repository.get("default").name == ("default" if "default" in names else default)


def test_a_default_that_is_not_there_stops_the_start_with_those_that_are(tmp_path):
    with pytest.raises(ModelNotFound, match=r"no model 'c' to be the default\. Known models: a, b"):
        open_repository(plant(tmp_path / "r", "a", "b"), "c")


def test_a_model_is_found_by_name_and_version(tmp_path):
    root = plant(tmp_path / "r", "a", "b/2", "b/7")
    repository = loaded(open_repository(root))
    assert repository.get("b", 7).version == 7
    assert repository.get("b").version == 7
    assert repository.ready
    with pytest.raises(ModelNotFound, match="no version 2; version 7 serves"):
        repository.get("b", 2)
    with pytest.raises(ModelNotFound, match=r"no model 'x'\. Known models: a, b"):
        repository.get("x")


def test_a_refused_member_is_kept_with_its_reason_and_the_others_serve(tmp_path):
    root = plant(
        tmp_path / "r", "good", files={"bad/model.tflite": MODEL[:50], "js/model.json": b"{}"}
    )
    repository = loaded(open_repository(root))
    assert set(repository.refused) == {"bad", "js"}
    assert repository.get("good").state is VersionState.AVAILABLE
    assert repository.ready, "the default model serves"
    told = {status.name: status.fault for status in repository.statuses()}
    assert (told["good"], "truncated" in told["bad"], "TensorFlow.js" in told["js"]) == (
        None,
        True,
        True,
    )
    with pytest.raises(ModelUnavailable, match=r"bad is not served.*truncated"):
        repository.get("bad")


def test_a_refused_default_answers_why_it_does_not_serve(tmp_path):
    root = plant(tmp_path / "r", "good", files={"bad/model.tflite": MODEL[:50]})
    repository = loaded(open_repository(root, "bad"))
    assert not repository.ready
    with pytest.raises(ModelUnavailable, match="truncated"):
        repository.get()


def test_a_repository_whose_only_members_are_refused_says_why(tmp_path):
    root = plant(tmp_path / "r", files={"bad/model.tflite": MODEL[:50], "worse/model.tflite": b""})
    with pytest.raises(ModelUnavailable, match="truncated") as caught:
        open_repository(root).get()
    assert "holds no export" not in caught.value.message


def test_an_export_that_is_alone_and_refused_stops_the_start(tmp_path):
    with pytest.raises(ExportError):
        open_repository(plant(tmp_path, files={"model.tflite": MODEL[:50]}))


def test_a_service_that_a_machine_starts_stays_up_over_a_single_refused_export(tmp_path):
    repository = open_repository(
        plant(tmp_path, files={"model.tflite": MODEL[:50]}), keep_refused=True
    )
    assert not repository.ready
    (status,) = repository.statuses()
    assert (status.state, status.version) == (VersionState.END, None)
    with pytest.raises(ModelUnavailable, match="truncated"):
        repository.get()


def test_an_empty_repository_opens_and_says_that_it_holds_nothing(tmp_path):
    repository = open_repository(tmp_path)
    assert (repository.versions, repository.default, repository.ready) == ([], None, False)
    with pytest.raises(ModelUnavailable, match="holds no export"):
        repository.get()


def test_a_model_that_is_not_loaded_yet_is_unavailable_until_it_is(tmp_path):
    repository = open_repository(plant(tmp_path / "r", "a"))
    assert repository.find("a").state is VersionState.START
    with pytest.raises(ModelUnavailable, match="still loading"):
        repository.get("a")
    assert loaded(repository).get("a").state is VersionState.AVAILABLE


def test_a_model_whose_runtime_refuses_it_ends_and_the_others_go_on(tmp_path):
    root = plant(
        tmp_path / "r", "good", files={"odd/model.tflite": detector(operator="Mystery", classes=3)}
    )
    names = {"boxes": "boxes", "classes": "classes", "scores": "scores", "count": "num"}
    (root / "odd/model.tflite").write_bytes(detector(operator="Mystery", names=names))
    (root / "odd/dict.txt").write_text("a\nb")
    repository = loaded(open_repository(root))
    odd = repository.find("odd")
    assert odd.state is VersionState.END
    assert "the operator Mystery, which LiteRT does not have" in odd.fault.reason
    assert repository.get("good").state is VersionState.AVAILABLE
    with pytest.raises(ModelUnavailable, match="Mystery"):
        repository.get("odd")


def test_a_model_whose_first_frame_fails_is_not_served(tmp_path):
    """Its graph says 12 classes, and a run gives 48 numbers: SOFTMAX straight on the image."""
    tensors = [TensorSpec("image", [1, 4, 4, 3]), TensorSpec("scores", [1, 12])]
    plant(tmp_path, files={"model.tflite": write(tensors, [OperatorSpec(25, [0], [1])], [0], [1])})
    (tmp_path / "dict.txt").write_text(LABELS)
    (tmp_path / "model.toml").write_text("mean = 0\nstd = 255\n")
    repository = loaded(open_repository(tmp_path))
    (version,) = repository.versions
    assert version.state is VersionState.END
    assert version.fault is not None


def test_an_answer_names_the_model_its_version_and_digest(tmp_path):
    root = plant(tmp_path / "r", "a/3", "b")
    answer = ask(root, encode(quadrants(), "PNG"), model="a")
    assert (answer.model.name, answer.model.version, answer.source) == ("a", 3, "edge")
    assert len(answer.model.digest) == 64

"""Loading models: in which order, what a fault does, and what state is reported meanwhile."""

from pathlib import Path

import pytest
from builders.odd_models import LABELS, odd_repository
from builders.tflite import classifier

from edge.errors import ExportError, ModelNotFound, ModelUnavailable
from edge.repository.repository import ModelRepository, VersionStatus, open_repository
from edge.repository.version import ModelVersion, VersionState
from edge.runtime.pipeline import DecodeOptions

DECODING = DecodeOptions(1_000_000)


class Noted(ModelVersion):
    """Notes its state at each of its frames."""

    seen: list[tuple[str, VersionState, bool]]

    def predict(self, worker, encoded, options):
        self.seen.append((self.name, self.state, options.exact))
        return super().predict(worker, encoded, options)


class Strange(ModelVersion):
    """Fails at its first frame, as nobody foresaw."""

    def predict(self, worker, encoded, options):
        raise ArithmeticError("strange")


class OutOfMemory(ModelVersion):
    """Cannot be loaded, for a reason that no export is to blame for."""

    def _warm_up(self, options):
        raise MemoryError


@pytest.fixture
def export(tmp_path):
    return odd_repository(tmp_path).find("good").export


def repository(export, **kinds):
    return ModelRepository(
        Path("r"), [kind(name, 3, export) for name, kind in kinds.items()], {}, list(kinds)[-1]
    )


def test_the_default_is_loaded_first_and_every_model_is_warmed_up_before_it_serves(export):
    Noted.seen = []
    one = repository(export, a=Noted, b=Noted, c=Noted)
    one.load(2, DecodeOptions(10, exact=True))  # whatever limit is set for callers
    assert one.ready
    assert Noted.seen == [(name, VersionState.LOADING, True) for name in "cab"]


@pytest.mark.parametrize(
    ("kind", "words"), [(Strange, "its first frame failed: strange"), (OutOfMemory, "MemoryError")]
)
def test_a_model_that_cannot_be_loaded_ends_with_its_fault_and_the_others_serve(
    export, kind, words
):
    one = repository(export, bad=kind, good=ModelVersion)
    one.load(1, DECODING)
    bad = one.find("bad")
    assert bad.state is VersionState.END
    assert words in str(bad.fault)
    with pytest.raises(ModelUnavailable, match=words) as caught:
        one.get("bad")
    assert caught.value.retry_after_s is None  # waiting does not repair an export
    assert one.get("good").state is VersionState.AVAILABLE
    assert one.ready, "the default model serves and nothing is loading"


def test_a_repository_whose_default_model_cannot_be_loaded_is_not_ready(export):
    one = repository(export, good=ModelVersion, bad=Strange)
    one.load(1, DECODING)
    assert one.default == "bad"
    assert not one.ready


def test_a_repository_becomes_ready_with_its_last_model_and_a_refused_one_does_not_change_that(
    export,
):
    one = repository(export, a=ModelVersion, b=ModelVersion)
    assert not one.ready
    one.find("b").load(1, DECODING)
    assert not one.ready, "the default serves, but a has not been loaded yet"
    one.find("a").load(1, DECODING)
    assert one.ready
    one.refused["c"] = ExportError("c", "it is broken", "Export it again")
    assert one.ready, "a refused model that nobody needs is reported, not waited for"
    assert {status.name: status.state for status in one.statuses()} == {
        "a": VersionState.AVAILABLE,
        "b": VersionState.AVAILABLE,
        "c": VersionState.END,
    }


START, LOADING, AVAILABLE, END = VersionState


@pytest.mark.parametrize(
    ("default", "other", "ready"),
    [
        (START, START, False),
        (LOADING, START, False),
        (AVAILABLE, START, False),
        (AVAILABLE, LOADING, False),
        (AVAILABLE, AVAILABLE, True),
        (AVAILABLE, END, True),
        (END, START, False),
        (END, LOADING, False),
        (END, AVAILABLE, False),
        (END, END, False),
    ],
)
@pytest.mark.parametrize("refused", [False, True])
def test_ready_means_that_the_default_model_serves_and_nothing_is_loading(
    export, default, other, ready, refused
):
    one = repository(export, other=ModelVersion, default=ModelVersion)
    one.find("default").state = default
    one.find("other").state = other
    if refused:
        one.refused["third"] = ExportError("third", "it is broken", "Export it again")
    assert one.ready is ready


@pytest.mark.parametrize("state", VersionState)
def test_a_status_says_name_version_state_and_fault_of_a_model(export, state):
    one = repository(export, a=ModelVersion)
    version = one.find("a")
    version.state = state
    if state is END:
        version.fault = ExportError("a", "it is broken", "Export it again")
    fault = "a: it is broken. Export it again." if state is END else None
    assert one.statuses() == [VersionStatus("a", 3, state, fault)]


def test_a_refused_model_has_a_status_without_a_version_behind_those_that_were_read(export):
    one = repository(export, z=ModelVersion)
    one.refused["a"] = ExportError("a", "it is broken", "Export it again")
    assert [(status.name, status.version, status.state) for status in one.statuses()] == [
        ("z", 3, START),
        ("a", None, END),
    ]
    assert one.statuses()[1].fault == "a: it is broken. Export it again."


@pytest.mark.parametrize("version", [2, 4])
def test_a_version_that_is_older_or_newer_is_not_answered_by_another(export, version):
    with pytest.raises(ModelNotFound, match=f"no version {version}; version 3 serves"):
        repository(export, a=ModelVersion).find("a", version)


def test_a_model_that_is_loading_is_worth_a_later_try(export):
    one = repository(export, a=ModelVersion)
    with pytest.raises(ModelUnavailable, match="still loading") as caught:
        one.get()
    assert caught.value.retry_after_s == 1


def test_a_path_that_cannot_even_be_looked_at_is_an_error_of_the_export():
    with pytest.raises(ExportError, match="cannot be read here"):
        open_repository(Path("x" * 300))


def test_a_member_that_cannot_be_read_is_refused_with_the_reason(tmp_path):
    for name in ("good", "bad"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "dict.txt").write_text("\n".join(LABELS))
    (tmp_path / "good" / "model.tflite").write_bytes(classifier())
    (tmp_path / "bad" / "model.tflite").symlink_to(
        "/proc/self/mem"
    )  # fails to be read whoever reads it
    one = open_repository(tmp_path)
    assert [version.name for version in one.versions] == ["good"]
    assert "Input/output error" in str(one.refused["bad"])

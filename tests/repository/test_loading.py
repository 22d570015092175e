"""The life of models from disk to service: in which order they load, what a fault does, what is told meanwhile."""

from pathlib import Path

import pytest
from builders.odd_models import LABELS, odd_repository
from builders.tflite import classifier

from edge.errors import ExportError, ModelNotFound, ModelUnavailable
from edge.repository.manager import ModelRepository, open_repository
from edge.repository.servable import Decoding, Servable, State

DECODING = Decoding(1_000_000)


class Noted(Servable):
    """Notes its state at each of its frames."""

    seen: list[tuple[str, int, State, bool]]

    def predict(self, worker, encoded, decoding):
        self.seen.append((self.name, worker, self.state, decoding.exact))
        return super().predict(worker, encoded, decoding)


class Strange(Servable):
    """Fails at its first frame, as nobody foresaw."""

    def predict(self, worker, encoded, decoding):
        raise ArithmeticError("strange")


class OutOfMemory(Servable):
    """Cannot be loaded, for a reason that no export is to blame for."""

    def _warm_up(self, worker, decoding):
        raise MemoryError


@pytest.fixture
def export(tmp_path):
    return odd_repository(tmp_path).find("good").export


def repository(export, **kinds):
    return ModelRepository(Path("r"), [kind(name, 3, export) for name, kind in kinds.items()], {}, list(kinds)[-1])


def test_the_default_is_loaded_first_and_every_worker_is_warmed_up_before_a_model_serves(export):
    Noted.seen = []
    one = repository(export, a=Noted, b=Noted, c=Noted)
    one.load(2, Decoding(10, exact=True))  # whatever limit is set for callers
    assert one.ready
    assert Noted.seen == [(name, worker, State.LOADING, True) for name in "cab" for worker in (0, 1)]


@pytest.mark.parametrize(
    ("kind", "words"), [(Strange, "its first frame failed: strange"), (OutOfMemory, "MemoryError")]
)
def test_a_model_that_cannot_be_loaded_ends_with_its_fault_and_the_others_serve(export, kind, words):
    one = repository(export, bad=kind, good=Servable)
    one.load(1, DECODING)
    bad = one.find("bad")
    assert bad.state is State.END
    assert words in str(bad.fault)
    with pytest.raises(ModelUnavailable, match=words) as caught:
        one.get("bad")
    assert caught.value.retry_after_s is None  # waiting mends no export
    assert one.get("good").state is State.AVAILABLE
    assert not one.ready


def test_a_repository_is_ready_only_when_all_serve_and_none_was_refused(export):
    one = repository(export, a=Servable, b=Servable)
    assert not one.ready
    one.find("a").load(1, DECODING)
    assert not one.ready
    one.find("b").load(1, DECODING)
    assert one.ready
    one.refused["c"] = ExportError("c", "it is broken", "Mend it")
    assert not one.ready


@pytest.mark.parametrize("version", [2, 4])
def test_a_version_that_is_older_or_newer_is_not_answered_by_another(export, version):
    with pytest.raises(ModelNotFound, match=f"no version {version}; version 3 serves"):
        repository(export, a=Servable).find("a", version)


def test_a_model_that_is_loading_is_worth_a_later_try(export):
    one = repository(export, a=Servable)
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
    (tmp_path / "bad" / "model.tflite").symlink_to("/proc/self/mem")  # fails to be read whoever reads it
    one = open_repository(tmp_path)
    assert [servable.name for servable in one.servables] == ["good"]
    assert "Input/output error" in str(one.refused["bad"])

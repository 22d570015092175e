"""One odd entry of a models folder is refused by name, and the others are found."""

import errno
import os
import signal
import socket

import pytest
from builders.tflite import classifier

from edge.errors import ExportError
from edge.repository.repository import open_repository
from edge.repository.source import scan
from edge.runtime.pipeline import DecodeOptions

LABELS = "\n".join(f"label {i}" for i in range(12))


def good(folder):
    folder.mkdir(parents=True)
    (folder / "model.tflite").write_bytes(classifier())
    (folder / "dict.txt").write_text(LABELS)


@pytest.fixture
def models(tmp_path, monkeypatch):
    root = tmp_path / "models"
    good(root / "good")
    monkeypatch.chdir(root)

    def late(*_):
        raise AssertionError("the scan hangs")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(30)
    yield root
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def dangling(root):
    (root / "odd.tflite").symlink_to("nowhere")


def to_itself(root):
    (root / "odd").symlink_to("odd")


def fifo(root):
    os.mkfifo(root / "odd.tflite")


def a_socket(root):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind("odd.zip")


def device(root):
    (root / "odd").symlink_to("/dev/zero")


def deep_toml(root):
    good(root / "odd")
    (root / "odd" / "model.toml").write_text("top_k = " + "[" * 100_000)


def dotted_toml(root):
    good(root / "odd")
    (root / "odd" / "model.toml").write_text("a" + ".a" * 100_000 + "=1")


def labels_of_a_gigabyte(root):
    good(root / "odd")
    os.truncate(root / "odd" / "dict.txt", 1 << 30)


def fifo_inside(root):
    good(root / "odd")
    (root / "odd" / "dict.txt").unlink()
    os.mkfifo(root / "odd" / "dict.txt")


def crowd(root):
    (root / "odd").mkdir()
    for number in range(10_001):
        (root / "odd" / str(number)).touch()


def deep_folders(root):
    folder = root / "odd"
    for _ in range(100):
        folder /= "d"
    folder.mkdir(parents=True)


def manifest_without_labels(root):
    good(root / "odd")
    (root / "odd" / "manifest.json").write_text('{"labelsFile": "gone.txt"}')


def manifest_is_a_folder_of_a_link(root):
    good(root / "odd")
    (root / "odd" / "model.toml").symlink_to("model.toml")
    (root / "odd" / "dict.txt").unlink()
    (root / "odd" / "dict.txt").symlink_to("dict.txt")


ODD = {
    dangling: "not there",
    to_itself: "symbolic links",
    fifo: "a FIFO",
    a_socket: "a socket",
    device: "a device",
    deep_toml: "nested too deep",
    dotted_toml: "nested too deep",
    labels_of_a_gigabyte: "more than 4 MiB",
    fifo_inside: "no labels|FIFO",
    crowd: "10,000 entries",
    deep_folders: "folders deep",
    manifest_without_labels: "gone.txt",
    manifest_is_a_folder_of_a_link: "no labels|symbolic",
}


@pytest.mark.parametrize("make", ODD, ids=lambda make: make.__name__)
def test_an_odd_entry_is_refused_by_name_and_the_others_serve(make, models):
    make(models)
    repository = open_repository(models)
    repository.load(1, DecodeOptions(1_000_000))
    assert repository.ready
    assert repository.default == "good"
    assert list(repository.refused) == ["odd"]
    with pytest.raises(ExportError, match=ODD[make]):
        raise repository.refused["odd"]


@pytest.mark.parametrize(
    "name", [b"bad\xff", b"two\nlines", b"\x1b]52;c;eA==\x07", b"rtl\xe2\x80\xae"]
)
def test_a_name_that_cannot_be_shown_is_refused_under_one_that_can(name, models):
    good(models / os.fsdecode(name))
    found = scan(models)
    assert [source.name for source in found.sources] == ["good"]
    ((shown, fault),) = found.refused.items()
    assert shown.isprintable()
    assert fault.message.isprintable()
    fault.message.encode()
    assert "name" in fault.reason


def test_links_that_lead_back_are_searched_once(models):
    """Followed each time, these four would be searched 4 to the power of 16 times."""
    for name in "abcd":
        (models / "odd" / name).mkdir(parents=True)
        for link in range(4):
            (models / "odd" / name / f"up{link}").symlink_to("..", target_is_directory=True)
    found = scan(models)
    assert [source.name for source in found.sources] == ["good"]
    assert found.refused == {}, "it holds nothing, which is no fault"


def test_an_odd_entry_does_not_take_a_models_name(models):
    (models / "good.zip").symlink_to("nowhere")
    found = scan(models)
    assert [source.name for source in found.sources] == ["good"]
    assert list(found.refused) == ["good.zip"]


def test_a_link_to_an_export_elsewhere_is_found_under_its_own_name(models, tmp_path):
    good(tmp_path / "elsewhere")
    (models / "linked").symlink_to(tmp_path / "elsewhere")
    assert [source.name for source in scan(models).sources] == ["good", "linked"]


def test_a_folder_that_may_not_be_read_is_refused_and_the_others_serve(models, monkeypatch):
    (models / "odd").mkdir(mode=0)
    if os.geteuid() == 0:  # root may read everything: the system's answer to others in its place
        scandir = os.scandir

        def refuse(path):
            if os.fspath(path) == str(models / "odd"):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(path))
            return scandir(path)

        monkeypatch.setattr(os, "scandir", refuse)
    assert "permission" in scan(models).refused["odd"].reason.lower()
    (models / "odd").chmod(0o700)

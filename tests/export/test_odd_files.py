"""Files that are no files, or too large: refused by name, at once and in little memory."""

import io
import os
import signal
import socket
import stat
import tracemalloc
import zipfile
from contextlib import contextmanager, suppress

import pytest
from builders.saved_model import IMAGE, SCORES, saved_model
from builders.tflite import classifier, with_files

from edge.errors import ExportError
from edge.export import regular_file
from edge.export.archive import unpack
from edge.export.folder import MAX_ENTRIES
from edge.export.labels import MAX_LABELS, parse_labels
from edge.export.read import read_export
from edge.export.zip_directory import directory_bytes

LABELS = "\n".join(f"label {i}" for i in range(12))
MODEL = classifier()
SECONDS = 20  # generous: each of these takes milliseconds, and hung or took hours before


@contextmanager
def within(seconds=SECONDS):
    """Fail instead of hanging, even in a call that does not return."""

    def late(*_):
        raise AssertionError(f"it took more than {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def refused(path, reason):
    with within(), pytest.raises(ExportError, match=reason) as caught:
        read_export(path)
    assert caught.value.remedy
    return caught.value


def export(folder, **files):
    folder.mkdir(exist_ok=True)
    (folder / "model.tflite").write_bytes(MODEL)
    (folder / "dict.txt").write_text(LABELS)
    for name, content in files.items():
        (folder / name.replace("_", ".")).write_bytes(content)
    return folder


def make_fifo(path):
    os.mkfifo(path)


def make_socket(path):
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def make_device(path):
    path.symlink_to("/dev/zero")


KINDS = [(make_fifo, "a FIFO"), (make_socket, "a socket"), (make_device, "a device")]


@pytest.mark.parametrize(("make", "words"), KINDS)
@pytest.mark.parametrize("name", ["model.tflite", "export.zip", "saved_model.pb", "something"])
def test_what_is_no_file_is_refused_and_never_opened(make, words, name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path may have 107 letters
    make(tmp_path / name)
    refused(tmp_path / name, words)


@pytest.mark.parametrize(("make", "words"), KINDS)
@pytest.mark.parametrize("name", ["dict.txt", "manifest.json", "model.toml", "other.tflite", "x"])
def test_what_is_no_file_next_to_a_model_never_hangs_its_reader(
    make, words, name, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    folder = export(tmp_path / "e")
    (folder / name).unlink(missing_ok=True)
    os.chdir(folder)
    make(folder / name)
    with within(), suppress(ExportError):
        read_export(folder)


@pytest.mark.parametrize("name", ["dict.txt", "manifest.json", "model.toml"])
def test_a_text_file_of_a_gigabyte_is_refused_without_reading_it(name, tmp_path):
    folder = export(tmp_path / "e")
    with (folder / name).open("wb") as file:
        file.truncate(1 << 30)
    tracemalloc.start()
    fault = refused(folder, "has more than .* MiB")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert fault.file == str(folder / name)
    assert peak < 8 << 20


@pytest.mark.parametrize("name", ["model.tflite", "saved_model.pb"])
def test_a_model_beyond_any_size_is_refused_without_reading_it(name, tmp_path):
    with (tmp_path / name).open("wb") as file:
        file.write(b"\x1c\0\0\0TFL3")
        file.truncate(20 << 30)
    refused(tmp_path / name, "has more than 512 MiB")


def test_a_file_may_have_as_many_bytes_as_its_kind(tmp_path):
    (tmp_path / "f").write_bytes(b"12345")
    assert regular_file.read_bounded(tmp_path / "f", 5) == b"12345"
    with pytest.raises(ExportError, match="more than 4 bytes"):
        regular_file.read_bounded(tmp_path / "f", 4)


def test_a_file_that_states_no_size_is_bounded_too():
    """Files of /proc have a size of 0 and content."""
    from pathlib import Path

    with pytest.raises(ExportError, match="more than 10 bytes"):
        regular_file.read_bounded(Path("/proc/self/status"), 10)


DEEP = {
    "arrays": "top_k = " + "[" * 100_000,
    "tables": "top_k = " + "{a=" * 100_000,
    "dotted key": "a" + ".a" * 100_000 + " = 1",
    "dotted key with blanks": "a" + " . a" * 100_000 + " = 1",
    "quoted key": "a" + '."\\""' * 100_000 + " = 1",
    "dotted table": "[" + "a." * 100_000 + "a]",
    "a number of a million digits": "top_k = " + "9" * 1_000_000,
}


@pytest.mark.parametrize("kind", DEEP)
def test_a_toml_that_would_take_hours_or_the_stack_is_refused(kind, tmp_path):
    fault = refused(export(tmp_path / "e", model_toml=DEEP[kind].encode()), "nested|not TOML")
    assert fault.file.endswith("model.toml")
    assert len(fault.message) < 1000


def test_a_toml_with_a_hundred_thousand_unknown_keys_is_refused_in_a_few_words(tmp_path):
    keys = "\n".join(f"k{i} = 1" for i in range(50_000))
    fault = refused(export(tmp_path / "e", model_toml=keys.encode()), "k0")
    assert len(fault.message) < 2000


def test_a_manifest_nested_too_deep_is_refused(tmp_path):
    fault = refused(export(tmp_path / "e", manifest_json=b"[" * 200_000), "nested too deep")
    assert fault.file.endswith("manifest.json")


def test_labels_are_bounded_in_number():
    assert len(parse_labels("a\n" * MAX_LABELS, "f")) == MAX_LABELS
    with pytest.raises(ExportError, match="more than 100,000 labels"):
        parse_labels("a\n" * (MAX_LABELS + 1), "f")
    items = "".join(f'item {{ name: "a" id: {i} }}' for i in range(MAX_LABELS + 1))
    with pytest.raises(ExportError, match="more than 100,000 labels"):
        parse_labels(items, "f")


@pytest.mark.parametrize(
    "text",
    ["item {" * 600_000, 'item { "' * 400_000, "item { name: 'a' id: 0 } " + "item {" * 300_000],
    ids=["open", "quotes", "after one"],
)
def test_a_label_map_that_is_never_closed_takes_no_time(text):
    labels = (text.strip(),)
    with within(), suppress(ExportError):
        assert parse_labels(text, "f") == labels


def test_an_id_of_thousands_of_digits_is_refused():
    with pytest.raises(ExportError, match="out of range"):
        parse_labels(f'item {{ name: "a" id: {"1" * 5000} }}', "f")


def test_a_folder_of_too_many_entries_is_refused(tmp_path):
    for number in range(MAX_ENTRIES + 1):
        (tmp_path / f"{number}").touch()
    refused(tmp_path, "more than 10,000 entries")


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR, stat.S_IFBLK])
def test_a_zip_member_that_is_no_file_is_refused(kind, tmp_path):
    archive, folder = tmp_path / "e.zip", tmp_path / "out"
    folder.mkdir()
    with zipfile.ZipFile(archive, "w") as zipped:
        odd = zipfile.ZipInfo("odd")
        odd.external_attr = (kind | 0o644) << 16
        zipped.writestr(odd, "x")
    with pytest.raises(ExportError, match="'odd' is no file or folder"):
        unpack(archive, folder)
    assert not list(folder.iterdir())


def crowded(entries, data=b""):
    """A zip whose directory has one entry of 46 bytes many times, written by hand."""
    entry = b"PK\1\2" + bytes(42)
    directory = entry * entries
    count = min(entries, 0xFFFF)
    end = b"PK\5\6" + bytes(4) + count.to_bytes(2, "little") * 2
    end += len(directory).to_bytes(4, "little") + len(data).to_bytes(4, "little") + b"\0\0"
    return data + directory + end


@pytest.mark.parametrize("comment", [b"", b"a comment"])
def test_a_zip_of_a_million_entries_is_refused_before_they_are_listed(comment, tmp_path):
    archive = tmp_path / "e.zip"
    content = crowded(1_000_000)
    archive.write_bytes(content[:-2] + len(comment).to_bytes(2, "little") + comment)
    tracemalloc.start()
    refused(archive, "unpacks to more than")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 << 20  # 600 MiB before


def test_a_model_with_a_zip_of_a_million_entries_at_its_end_has_no_labels_inside(tmp_path):
    (tmp_path / "model.tflite").write_bytes(crowded(300_000, MODEL))
    refused(tmp_path / "model.tflite", "no labels")


def test_the_size_of_a_zips_directory_is_what_zipfile_finds():
    plain = with_files(b"x" * 100, {"a": "1", "b": "2"})
    directory = plain.index(b"PK\1\2"), plain.index(b"PK\5\6")
    assert directory_bytes(io.BytesIO(plain)) == directory[1] - directory[0]
    assert directory_bytes(io.BytesIO(b"")) == directory_bytes(io.BytesIO(b"x" * 100)) == 0


def test_a_zip64_record_that_is_elsewhere_is_not_believed_to_be_small():
    plain = with_files(b"", {"a": "1"})
    at = plain.index(b"PK\5\6")
    locator = b"PK\6\7" + bytes(16)
    assert directory_bytes(io.BytesIO(plain[:at] + locator + plain[at:])) > 1 << 40


def test_a_zip_that_the_disk_has_no_room_for_is_refused_before_it_is_unpacked(
    tmp_path, monkeypatch
):
    from types import SimpleNamespace

    archive, folder = tmp_path / "e.zip", tmp_path / "out"
    folder.mkdir()
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("a", bytes(3 << 20))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=1 << 20))
    with pytest.raises(ExportError, match=r"unpacks to 3 MiB, .* room for 1 MiB"):
        unpack(archive, folder)
    assert not list(folder.iterdir())


@pytest.mark.parametrize("name", ["saved_model.cpb", "saved_model.pbtxt"])
def test_a_saved_model_in_two_forms_is_refused(name, tmp_path):
    graph = saved_model({"serving_default": (IMAGE, SCORES)})
    (tmp_path / "saved_model.pb").write_bytes(graph)
    read_export(tmp_path)
    (tmp_path / name).write_bytes(b"")
    refused(tmp_path, "only one of them is read")

"""Unpacking stays inside the folder and the limits, and refuses every broken zip."""

import io
import stat
import struct
import zipfile
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import ExportError
from edge.export.archive import unpack

CONTENT = b"content " * 200


def write(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
    return path


def refuse(archive, folder, reason, **limit):
    with pytest.raises(ExportError, match=reason) as caught:
        unpack(archive, folder, **limit)
    assert caught.value.file == str(archive)
    assert caught.value.remedy
    return caught.value


@pytest.fixture
def archive(tmp_path):
    return tmp_path / "export.zip"


@pytest.fixture
def folder(tmp_path):
    inside = tmp_path / "deep" / "unpacked"
    inside.mkdir(parents=True)
    return inside


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_a_zip_comes_out_as_it_went_in(archive, folder, method):
    unpack(write(archive, {"a/b.txt": CONTENT, "c": b"", "d/": b""}, method), folder)
    assert (folder / "a/b.txt").read_bytes() == CONTENT
    assert (folder / "c").read_bytes() == b""


@pytest.mark.parametrize(
    "name",
    [
        "../out",
        "a/../../out",
        "/etc/out",
        "..",
        "C:/out",
        "c:out",
        "..\\out",
        "a\\..\\..\\out",
        "\\\\host\\share\\out",
    ],
)
def test_a_path_that_leaves_the_folder_is_refused_before_anything_is_written(archive, folder, name):
    write(archive, {"good": b"x", name: b"x"})
    # writestr mends some names itself: what was asked for goes in by force
    refuse(archive, folder, "would leave the folder")
    assert not list(folder.iterdir())
    assert not list(folder.parent.parent.glob("out*"))


def test_a_symbolic_link_is_refused(archive, folder):
    with zipfile.ZipFile(archive, "w") as zipped:
        link = zipfile.ZipInfo("link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        zipped.writestr(link, "/etc")
        zipped.writestr("link/passwd", "x")
    refuse(archive, folder, "'link' would leave the folder")


def test_more_bytes_than_the_limit_are_refused_from_the_directory(archive, folder):
    write(archive, {"a": bytes(600_000), "b": bytes(600_000)})
    refuse(archive, folder, "unpacks to more than 1 MiB", max_bytes=1 << 20)
    assert not list(folder.iterdir())


def test_as_many_bytes_as_the_limit_are_taken(archive, folder):
    unpack(write(archive, {"a": bytes(500), "b": bytes(500)}), folder, max_bytes=1000)
    assert (folder / "b").stat().st_size == 500


def test_a_directory_that_lies_about_the_size_is_refused_by_the_bytes_that_come_out(
    archive, folder
):
    write(archive, {"a": bytes(5_000_000)})
    data = archive.read_bytes().replace(struct.pack("<I", 5_000_000), struct.pack("<I", 1000))
    archive.write_bytes(data)
    with pytest.raises(ExportError):
        unpack(archive, folder, max_bytes=1 << 20)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 1 << 20


def test_too_many_files_are_refused(archive, folder, monkeypatch):
    monkeypatch.setattr("edge.export.archive.MAX_FILES", 3)
    refuse(write(archive, {str(i): b"" for i in range(4)}), folder, "or 3 files")


def test_an_encrypted_zip_is_refused(archive, folder):
    write(archive, {"a": CONTENT})
    data = bytearray(archive.read_bytes())
    for at, offset in ((data.index(b"PK\x03\x04"), 6), (data.index(b"PK\x01\x02"), 8)):
        data[at + offset] |= 1  # the flag for encryption
    archive.write_bytes(data)
    assert "encrypted" in refuse(archive, folder, "cannot be unpacked").reason


def test_an_unknown_compression_is_refused(archive, folder):
    write(archive, {"a": CONTENT})
    data = bytearray(archive.read_bytes())
    for at, offset in ((data.index(b"PK\x03\x04"), 8), (data.index(b"PK\x01\x02"), 10)):
        data[at + offset] = 98
    archive.write_bytes(data)
    refuse(archive, folder, "cannot be unpacked")


def test_a_file_where_a_folder_should_be_is_refused(archive, folder):
    refuse(write(archive, {"a": b"x", "a/b": b"x"}), folder, "cannot be unpacked")


def test_what_is_no_zip_is_refused(archive, folder):
    archive.write_bytes(b"PK\x03\x04 and nothing more")
    refuse(archive, folder, "cannot be unpacked")


def _packed(method):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as zipped:
        zipped.writestr("model.tflite", CONTENT)
        zipped.writestr("top/dict.txt", "a\nb")
    return stream.getvalue()


PACKED = [
    _packed(method)
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
]


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from(PACKED),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    st.just(1.0) | st.floats(0, 1),
)
def test_a_damaged_zip_is_unpacked_or_refused_and_nothing_else(tmp_path_factory, data, edits, keep):
    damaged = bytearray(data)
    for place, value in edits:
        damaged[int(place * len(damaged))] = value
    folder = tmp_path_factory.mktemp("unpacked")
    (archive := folder / "damaged.zip").write_bytes(damaged[: int(keep * len(damaged))])
    (inside := folder / "inside").mkdir()
    with suppress(ExportError):
        unpack(archive, inside, max_bytes=1 << 20)
    assert {entry.name for entry in folder.iterdir()} == {"damaged.zip", "inside"}

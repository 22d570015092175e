"""A file that is no export is called what it is, whatever its name says."""

import io
import tarfile
import zipfile

import pytest
from builders.images import encode, quadrants
from builders.tflite import classifier

from edge.errors import ExportError
from edge.export.read import read_export


def zipped():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("model.tflite", classifier())
        archive.writestr("dict.txt", "\n".join(f"label {i}" for i in range(12)))
    return file.getvalue()


def tarred(mode):
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        archive.addfile(tarfile.TarInfo("model.tflite"))
    return file.getvalue()


def picture(name):
    return encode(quadrants(), name)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("photo.jpg", picture("JPEG"), "a JPEG picture"),
        ("photo.tflite", picture("JPEG"), "a JPEG picture"),
        ("photo.zip", picture("JPEG"), "a JPEG picture"),
        ("photo.png", picture("PNG"), "a PNG picture"),
        ("photo.webp", picture("WEBP"), "a WebP picture"),
        ("photo.gif", picture("GIF"), "a GIF picture"),
        ("photo.bmp", picture("BMP"), "a BMP picture"),
        ("photo.tif", picture("TIFF"), "a TIFF picture"),
        ("photo.heic", b"\x00\x00\x00\x18ftypheic" + bytes(60), "an HEIC"),
        ("cut.zip", zipped()[:200], "a truncated zip"),
        ("cut", zipped()[:-30], "a truncated zip"),
        ("whole.tflite", zipped(), "a zip with another name"),
        ("empty.tflite", b"", "empty"),
        ("empty.zip", b"", "empty"),
        ("export.tar.gz", tarred("w:gz"), "a gzip archive"),
        ("export.tar", tarred("w"), "a tar archive"),
        ("page.zip", b"\n<!doctype html><title>Sign in</title>", "an HTML or XML page"),
        ("model.tflite", b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"),
    ],
)
def test_a_file_that_is_not_an_export_is_named_with_a_remedy(tmp_path, name, content, words):
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(ExportError) as caught:
        read_export(file)
    assert words in caught.value.reason
    assert caught.value.file == str(file)
    assert caught.value.remedy


def test_a_whole_zip_is_an_export(tmp_path):
    (tmp_path / "export.zip").write_bytes(zipped())
    assert read_export(tmp_path / "export.zip").contract.labels


def test_a_damaged_model_is_not_called_something_else(tmp_path):
    (tmp_path / "model.tflite").write_bytes(classifier()[:100])
    with pytest.raises(ExportError, match=r"truncated or not a TFLite file: (?!it is)"):
        read_export(tmp_path / "model.tflite")

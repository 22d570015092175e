"""Multipart bodies as a stranger may write them: within bounds, and off the loop if large."""

import asyncio
import threading
import time

import pytest

from edge.errors import BadRequest
from edge.web import form
from edge.web.form import find_images, multipart_images

TYPE = "multipart/form-data; boundary=x"
PART = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.jpg"\r\n'


@pytest.mark.parametrize(
    "body",
    [
        PART + b"A: b\r\n c\r\n" + b"\r\nx\r\n--x--\r\n",
        b"a" * (30 << 20) + PART,
        b"--x\r\n" + b"A: b\n" * 6_000_000,
        PART + b"A: b\r\n" * 100_000 + b"\r\nx\r\n--x--\r\n",
        PART + b"A: " + b"b" * (1 << 20) + b"\r\n\r\nx\r\n--x--\r\n",
        (PART + b"\r\nx\r\n") * 300_000,
        b"\r\n--x" * 6_000_000,
        b"--x\r\n" * 6_000_000,
    ],
    ids=["continued", "preamble", "no return", "many", "long", "parts", "ends", "starts"],
)
def test_what_is_out_of_bounds_is_refused_in_linear_time(body):
    began = time.monotonic()
    with pytest.raises(BadRequest, match="malformed"):
        multipart_images(TYPE, body)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("content_type", "words"),
    [
        ("multipart/form-data; boundary=" + "x" * 71, "71"),
        ("multipart/form-data" + "; a=b" * 1000, "Content-Type"),
        ("multipart/form-data; boundary=", "boundary"),
        ("multipart/form-data", "boundary"),
    ],
)
def test_the_content_type_is_bounded(content_type, words):
    with pytest.raises(BadRequest, match=words):
        multipart_images(content_type, PART)


def test_a_boundary_of_70_characters_is_taken():
    boundary = b"b" * 70
    body = PART.replace(b"--x", b"--" + boundary) + b"\r\nimage\r\n--" + boundary + b"--\r\n"
    content_type = f"multipart/form-data; boundary={boundary.decode()}"
    assert multipart_images(content_type, body) == [b"image"]


def form_of(*parts):
    """A body with these parts: the lines of each one's head, and its content."""
    return b"".join(b"--x\r\n%b\r\n\r\n%b\r\n" % part for part in parts) + b"--x--\r\n"


FIELD = b'Content-Disposition: form-data; name="field"'
FILE = FIELD + b'; filename="a.jpg"'
UNCHOSEN = FIELD + b'; filename=""\r\nContent-Type: application/octet-stream'


@pytest.mark.parametrize(
    ("head", "content", "is_image"),
    [
        (FIELD, b"0.4", False),
        (FIELD + b"\r\nContent-Type: text/plain", b"0.4", False),
        (FIELD + b"\r\nContent-Type: text/plain; charset=utf-8", b"0.4", False),
        (FIELD + b"\r\nContent-Type: TEXT/HTML", b"<p>", False),
        (FIELD + b"\r\nContent-Type: application/json", b"{}", False),
        (FIELD + b"\r\nContent-Type: application/xml", b"<a/>", False),
        (FIELD + b'; filename="blob"\r\nContent-Type: application/json', b"{}", False),
        (UNCHOSEN, b"", False),
        (UNCHOSEN, b"pixels", True),
        (FILE, b"pixels", True),
        (FILE + b"\r\nContent-Type: text/plain", b"pixels", True),
        (FILE + b"\r\nContent-Type: image/jpeg", b"", True),
        (FIELD + b"\r\nContent-Type: image/jpeg", b"pixels", True),
        (FIELD + b"\r\nContent-Type: Image/PNG", b"pixels", True),
        (FIELD + b"\r\nContent-Type: application/octet-stream", b"pixels", True),
        (FIELD + b"\r\nContent-Type: binary/octet-stream", b"pixels", True),
    ],
)
def test_a_form_part_is_an_image_by_its_file_name_or_type(head, content, is_image):
    images = multipart_images(TYPE, form_of((FILE, b"first"), (head, content)))
    assert images == [b"first", content][: 1 + is_image]


@pytest.mark.parametrize(
    "name",
    ["Tür.jpg".encode("latin-1"), "Tür.jpg".encode(), "Tür.jpg".encode("utf-16-le"), b"\x80\xff"],
)
def test_the_name_of_a_file_is_not_used_in_whatever_alphabet_it_is_written(name):
    head = FIELD + b'; filename="' + name.replace(b"\0", b"_") + b'"'
    assert multipart_images(TYPE, form_of((head, b"pixels"))) == [b"pixels"]


def test_a_field_without_a_file_is_named_in_its_own_alphabet():
    head = 'Content-Disposition: form-data; name="Größe"'.encode()
    with pytest.raises(BadRequest, match="fields Größe have no file"):
        multipart_images(TYPE, form_of((head, b"4")))


@pytest.mark.parametrize("head", [b"no colon", b"a\xff: b"])
def test_a_malformed_part_header_is_explained(head):
    with pytest.raises(BadRequest) as refused:
        multipart_images(TYPE, form_of((head, b"pixels")))
    assert "malformed" in refused.value.message
    assert "(" not in refused.value.message


@pytest.mark.parametrize(("size", "on_loop"), [(1000, True), (2 << 20, False)])
def test_a_large_form_is_taken_apart_on_a_thread(monkeypatch, size, on_loop):
    threads = []

    def note(content_type, body):
        threads.append(threading.current_thread() is threading.main_thread())
        return multipart_images(content_type, body)

    body = PART + b"\r\n" + bytes(size) + b"\r\n--x--\r\n"
    monkeypatch.setattr(form, "multipart_images", note)
    (part,) = asyncio.run(find_images(TYPE, body))
    assert part == bytes(size)
    assert threads == [on_loop]
    assert asyncio.run(find_images("image/jpeg", body)) is None

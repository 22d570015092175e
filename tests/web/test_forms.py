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
    (part,) = multipart_images(f"multipart/form-data; boundary={boundary.decode()}", body)
    assert (part.name, part.filename, part.content) == ("image", "a.jpg", b"image")


@pytest.mark.parametrize(("size", "on_loop"), [(1000, True), (2 << 20, False)])
def test_a_large_form_is_taken_apart_on_a_thread(monkeypatch, size, on_loop):
    threads = []

    def note(content_type, body):
        threads.append(threading.current_thread() is threading.main_thread())
        return multipart_images(content_type, body)

    body = PART + b"\r\n" + bytes(size) + b"\r\n--x--\r\n"
    monkeypatch.setattr(form, "multipart_images", note)
    (part,) = asyncio.run(find_images(TYPE, body))
    assert part.content == bytes(size)
    assert threads == [on_loop]
    assert asyncio.run(find_images("image/jpeg", body)) is None

"""Compressed bodies: read at every door, and bounded while they are unpacked."""

import base64
import gzip
import json
import threading
import time
import zlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from serving.direct import DirectClient
from serving.pictures import encoded, photo, picture
from serving.raw import RawConnection

from edge.errors import BadRequest, BodyTooLarge
from edge.settings import Settings
from edge.web import content_encoding
from edge.web.app import create_app
from edge.web.content_encoding import (
    FREE_BYTES,
    MAX_MEMBERS,
    MAX_RATIO,
    STEP_BYTES,
    UnsupportedEncoding,
    unpacker_for,
)


def deflated(content, window):
    packer = zlib.compressobj(wbits=window)
    return packer.compress(content) + packer.flush()


PACKED = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZip": gzip.compress,
    "identity, gzip": gzip.compress,
    "deflate": zlib.compress,
    "Deflate": lambda content: deflated(content, -15),  # without zlib's header
}


def unpacked(coding, chunks):
    unpacker = unpacker_for([coding])
    pieces = [piece for chunk in chunks for piece in unpacker.unpack(chunk)]
    assert all(len(piece) <= STEP_BYTES for piece in pieces)
    unpacker.finish()
    return b"".join(pieces)


# --- the unpacker alone


@pytest.mark.parametrize("coding", PACKED)
@given(content=st.binary(max_size=2000), size=st.integers(1, 64))
def test_what_was_packed_comes_out_in_whatever_pieces_it_arrives(coding, content, size):
    packed = PACKED[coding](content)
    chunks = [packed[at : at + size] for at in range(0, len(packed), size)]
    assert unpacked(coding, chunks) == content


def test_a_large_body_comes_in_steps():
    content = bytes(range(256)) * 16384  # 4 MiB, which unpack from 17 KB
    noise = b"".join(zlib.crc32(b"%d" % at).to_bytes(4, "big") for at in range(30_000))
    assert unpacked("gzip", [gzip.compress(noise + content)]) == noise + content


def test_a_file_of_several_members_is_the_members_together():
    members = [gzip.compress(b"%d" % number) for number in range(MAX_MEMBERS)]
    assert unpacked("gzip", [b"".join(members)]).startswith(b"0123")
    with pytest.raises(BadRequest, match="after its end"):
        unpacked("gzip", [b"".join(members) + gzip.compress(b"")])


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_no_bytes_are_an_empty_body(coding):
    assert unpacked(coding, []) == unpacked(coding, [b""]) == b""


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"\xff\xd8 a JPEG"),
        ("gzip", gzip.compress(b"x" * 100)[:-1]),
        ("gzip", gzip.compress(b"x" * 100)[:-8] + bytes(8)),
        ("gzip", gzip.compress(b"x") + b"more"),
        ("gzip", zlib.compress(b"x")),
        ("deflate", b"\x78"),
        ("deflate", zlib.compress(b"x")[:-1]),
        ("deflate", zlib.compress(b"x") + zlib.compress(b"y")),
        ("deflate", b"\xff\xd8 a JPEG"),
    ],
)
def test_what_is_not_packed_as_it_says_is_refused_in_words(coding, body):
    with pytest.raises(BadRequest, match="cannot be unpacked"):
        unpacked(coding, [body])


@pytest.mark.parametrize(
    "codings",
    [["br"], ["zstd"], ["compress"], ["gzip, gzip"], ["gzip", "gzip"], ["deflate,br"], ["x" * 500]],
)
def test_other_codings_and_several_are_refused(codings):
    with pytest.raises(UnsupportedEncoding) as refused:
        unpacker_for(codings)
    assert len(refused.value.message) < 250


@pytest.mark.parametrize("codings", [[], [""], ["identity"], [" Identity ", ""]])
def test_a_body_that_is_not_compressed_needs_no_unpacker(codings):
    assert unpacker_for(codings) is None


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_a_bomb_is_refused_before_it_is_unpacked(coding):
    bomb = PACKED[coding](bytes(64 << 20))
    for size in (len(bomb), 1000):  # it is measured by what has arrived, not by its length
        unpacker = unpacker_for([coding])
        chunks = (bomb[at : at + size] for at in range(0, len(bomb), size))
        pieces = (piece for chunk in chunks for piece in unpacker.unpack(chunk))
        made = []
        with pytest.raises(BodyTooLarge, match="100 times"):
            made.extend(map(len, pieces))
        assert sum(made) <= FREE_BYTES + MAX_RATIO * size


def test_what_unpacks_to_little_may_unpack_to_any_multiple():
    assert unpacked("gzip", [gzip.compress(bytes(FREE_BYTES))]) == bytes(FREE_BYTES)


# --- at the doors


def forms(image):
    rows = {"instances": [{"image_bytes": {"b64": base64.b64encode(image).decode()}}]}
    boundary = httpx.Request("POST", "http://x", files={"image": ("a.jpg", image)})
    boundary.read()
    return {
        "/predict": ("image/jpeg", image),
        "/predict/imagenet": (boundary.headers["content-type"], boundary.content),
        "/v1/models/imagenet:predict": ("application/json", json.dumps(rows).encode()),
        "/phone/picture": ("image/jpeg", image),
    }


def best(reply):
    assert reply.status_code == 200, reply.text
    content = reply.json()
    if "predictions" in content and "scores" in content["predictions"][0]:
        row = content["predictions"][0]
        return row["labels"][row["scores"].index(max(row["scores"]))]
    return content["predictions"][0]["label"]


@pytest.mark.parametrize("path", forms(b"x"))
def test_every_door_reads_compressed_bodies(client, path):
    kind, body = forms(photo("coffee"))[path]
    for coding, pack in PACKED.items():
        packed = pack(body)
        headers = {"Content-Type": kind, "Content-Encoding": coding}
        assert best(client.post(path, content=packed, headers=headers)) == "espresso", coding
        chunks = (packed[at : at + 10_000] for at in range(0, len(packed), 10_000))
        assert best(client.post(path, content=chunks, headers=headers)) == "espresso", coding


def test_several_images_in_a_compressed_form_are_answered_in_their_order(client):
    form = httpx.Request(
        "POST",
        "http://x",
        files=[(name, (f"{name}.jpg", photo(name))) for name in ("coffee", "chelsea")],
    )
    headers = {"Content-Type": form.headers["content-type"], "Content-Encoding": "gzip"}
    reply = client.post("/predict", content=gzip.compress(form.read()), headers=headers)
    labels = [answer["predictions"][0]["label"] for answer in reply.json()["answers"]]
    assert labels[0] == "espresso"
    assert len(labels) == 2


def test_a_large_body_is_unpacked_beside_the_loop(service, monkeypatch):
    threads = []
    unpack = content_encoding.Unpacker._step

    def note(self, chunk):
        threads.append(threading.current_thread() is threading.main_thread())
        return unpack(self, chunk)

    monkeypatch.setattr(content_encoding.Unpacker, "_step", note)
    service.load_models()
    client = DirectClient(create_app(service, Settings()))
    body = gzip.compress(encoded(picture("coffee", (1500, 1000)), "BMP"))  # 4.5 MB
    assert best(client.post("/predict", content=body, headers={"Content-Encoding": "gzip"}))
    assert threads.count(True) <= FREE_BYTES / STEP_BYTES + 1
    assert threads.count(False) > 10


@pytest.mark.parametrize("path", forms(b"x"))
def test_every_door_refuses_bombs_and_bodies_that_unpack_to_too_much(service, path):
    client = DirectClient(create_app(service, Settings(max_body_bytes=200_000)))
    noise = photo("coffee")[:60_000]
    headers = {"Content-Encoding": "gzip"}
    for body in (gzip.compress(bytes(100 << 20)), gzip.compress(noise + bytes(200_000))):
        assert len(body) < 200_000
        began = time.monotonic()
        reply = client.post(path, content=body, headers=headers)
        assert (reply.status_code, reply.headers["X-Edge-Error"]) == (413, "body_too_large")
        assert time.monotonic() - began < 2  # 100 MiB take more than that in a JSON parser
        assert service.admission.held_bytes == 0


@pytest.mark.parametrize("path", forms(b"x"))
def test_every_door_says_what_it_takes_instead_of_another_coding(service, path):
    client = DirectClient(create_app(service, Settings()))
    reply = client.post(path, content=b"x" * 100, headers={"Content-Encoding": "br"})
    assert (reply.status_code, reply.headers["X-Edge-Error"]) == (415, "unsupported_encoding")
    assert reply.headers["Accept-Encoding"] == "gzip, deflate"
    assert "'br'" in reply.text
    twice = [("Content-Encoding", "gzip"), ("Content-Encoding", "gzip")]
    assert client.post(path, content=b"x", headers=twice).status_code == 415
    broken = client.post(path, content=b"x" * 100, headers={"Content-Encoding": "gzip"})
    assert (broken.status_code, broken.headers["X-Edge-Error"]) == (400, "bad_request")
    assert service.admission.held_bytes == 0


def test_bytes_count_as_held_when_they_are_unpacked(service):
    client = DirectClient(create_app(service, Settings()))
    service.admission.max_held_bytes, before = 100_000, service.admission.max_held_bytes
    try:
        body = gzip.compress(bytes(range(256)) * 400)
        reply = client.post("/predict", content=body, headers={"Content-Encoding": "gzip"})
    finally:
        service.admission.max_held_bytes = before
    assert len(body) < 2000
    assert (reply.status_code, reply.headers["X-Edge-Error"]) == (503, "overloaded")


def test_a_bomb_over_a_socket_is_refused_while_it_arrives(server):
    bomb = gzip.compress(bytes(100 << 20))
    with RawConnection(server.address) as connection:
        head = b"POST /predict HTTP/1.1\r\nHost: localhost\r\nContent-Encoding: gzip\r\n"
        half = bomb[: len(bomb) // 2]
        connection.send(head + b"Content-Length: %d\r\n\r\n" % len(bomb) + half)
        assert connection.reply().code == "body_too_large"

"""The TensorFlow Serving door's JSON: what it becomes is bounded, and base64 is read exactly."""

import base64
import json
import time
from contextlib import suppress

import pytest
from hypothesis import given, settings, strategies

from edge.errors import BadRequest
from edge.web.dialects.tf_serving import request
from edge.web.dialects.tf_serving.bounded_json import MAX_SIGNS, parse_json
from edge.web.dialects.tf_serving.request import parse


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"[" * 60_000, "nested"),
        (b'{"a":1,"b":2,"a":3}', "'a' twice"),
        (b'[{"a":{"b":1,"\\u0062":1}}]', "'b' twice"),
        (b"[" + b"[]," * MAX_SIGNS, "65,536"),
        (b'"' + b"," * (MAX_SIGNS + 1) + b'"', "65,536"),
        ("[]".encode("utf-16"), "UTF-16"),
        ("[]".encode("utf-32-be"), "UTF-16"),
        (b'["\xff"]', "byte 2"),
        (b"", "JSON Parse error"),
        (b" " * 1_000_000, "JSON Parse error"),
        (b"[1,]", "JSON Parse error"),
        (b"nul", "JSON Parse error"),
    ],
)
def test_what_is_out_of_bounds_is_refused_in_words(body, words):
    with pytest.raises(BadRequest, match=words) as refusal:
        parse_json(body)
    assert len(refusal.value.message) < 200


def test_numbers_are_read_over_and_all_else_is_kept():
    body = (
        b'\xef\xbb\xbf{"a":[' + b"9" * 100_000 + b',-1.5e400,NaN,-Infinity],"b":["\\ud800",null]}'
    )
    assert parse_json(body) == {"a": [0, 0, 0, 0], "b": ["\ud800", None]}


def test_as_many_signs_as_allowed_are_parsed():
    assert len(parse_json(b"[" + b",".join([b"0"] * MAX_SIGNS) + b"]")) == MAX_SIGNS


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' + b"9" * (30 << 20) + b"}",
        b'{"a":0.' + b"9" * (30 << 20) + b"}",
        b'{"a":[' + b",".join([b"9" * 480] * 60_000) + b"]}",
        b"{" + b",".join(b'"%d":0' % number for number in range(32_000)) + b',"31999":0}',
        b'{"a":"' + b"\\n" * (15 << 20) + b'"}',
        b'{"instances":[{"b64":"' + b"AA " * (10 << 20) + b'"}]}',
        b'{"instances":[{"b64":"' + "😀".encode() * (7 << 20) + b'"}]}',
        b" " * (30 << 20),
    ],
    ids=["digits", "fraction", "numbers", "names", "escapes", "blanks", "wide", "space"],
)
def test_a_body_as_large_as_allowed_takes_linear_time(body):
    began = time.monotonic()
    with suppress(BadRequest):
        parse(body)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("images", [256, 257])
def test_at_most_256_images_are_taken(images):
    for content in (
        {"instances": [{"b64": ""}] * images},
        {"inputs": [{"b64": ""}] * images},
        {"inputs": {"image_bytes": [{"b64": ""}] * images, "key": ["1"] * images}},
    ):
        body = json.dumps(content).encode()
        if images <= 256:
            assert len(parse(body).instances) == images
        else:
            with pytest.raises(BadRequest, match="257 images; at most 256"):
                parse(body)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    image=strategies.binary(max_size=200),
    block=strategies.sampled_from([4, 8, 64]),
    url_safe=strategies.booleans(),
    width=strategies.integers(1, 90),
    padded=strategies.booleans(),
)
def test_base64_is_decoded_the_same_in_blocks(image, block, url_safe, width, padded):
    encode = base64.urlsafe_b64encode if url_safe else base64.b64encode
    text = encode(image).decode()
    if not padded:
        text = text.rstrip("=")
    wrapped = "\r\n".join(text[start : start + width] for start in range(0, len(text), width))
    body = json.dumps({"instances": [{"b64": wrapped}]}).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request, "_BASE64_BLOCK", block)
        assert parse(body).instances[0].image == image


@pytest.mark.parametrize(
    "text", ["AAA=" * 10, "A=" + "A" * 20, "A" * 21, "ä" * 8, "\ud800", "A?AA"]
)
def test_what_is_not_base64_is_refused_in_blocks_as_well(monkeypatch, text):
    body = json.dumps({"instances": [{"b64": text}]}).encode()
    for block in (1 << 20, 8):
        monkeypatch.setattr(request, "_BASE64_BLOCK", block)
        with pytest.raises(BadRequest, match=r"instances\[0\].b64 is not base64"):
            parse(body)


@settings(max_examples=400, deadline=None, derandomize=True)
@given(text=strategies.text("AQZaz09+/=", max_size=14))
def test_what_is_base64_is_decided_as_by_the_standard_library(text):
    body = json.dumps({"instances": [{"b64": text}]}).encode()
    padded = text + "=" * (-len(text) % 4)
    fault = None
    try:
        expected = base64.b64decode(padded, validate=True)
    except ValueError as error:
        fault = f"instances[0].b64 is not base64: {error}."
    if fault is None:
        assert parse(body).instances[0].image == expected
        return
    with pytest.raises(BadRequest) as refused:
        parse(body)
    assert refused.value.message == fault


@pytest.mark.parametrize("sign", list("[{,:"))
@pytest.mark.parametrize("where", ["start", "end"])
def test_the_signs_are_counted_wherever_they_are(sign, where):
    many, filler = sign * (MAX_SIGNS + 1), "a" * (2 << 20)
    text = many + filler if where == "start" else filler + many
    with pytest.raises(BadRequest, match="65,536"):
        parse_json(json.dumps({"a": text}).encode())


def test_a_key_has_at_most_1024_characters():
    def rows(key):
        return json.dumps({"instances": [{"image_bytes": {"b64": ""}, "key": key}]}).encode()

    assert parse(rows("k" * 1024)).instances[0].key == "k" * 1024
    with pytest.raises(BadRequest, match="1,025"):
        parse(rows("k" * 1025))
    with pytest.raises(BadRequest, match="1,026"):
        parse(rows({"b64": base64.b64encode(b"k" * 1026).decode()}))

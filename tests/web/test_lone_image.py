"""A body whose only image is taken out first means what the whole body means."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import BadRequest
from edge.web.dialects.tf_serving import request
from edge.web.dialects.tf_serving.lone_image import take_lone_image

IMAGE = b"\xff\xd8 any bytes \x00\xff"
TEXT = base64.b64encode(IMAGE).decode()
ROW = {"instances": [{"image_bytes": {"b64": TEXT}}]}


def outcome(parse, body):
    """What a body is parsed into, or the words of its refusal."""
    try:
        return parse(body)
    except BadRequest as error:
        return error.message


@pytest.mark.parametrize(
    "content",
    [
        ROW,
        {"instances": [{"b64": TEXT}]},
        {"inputs": {"b64": TEXT}},
        {"inputs": {"image_bytes": [{"b64": TEXT}], "key": ["a"]}, "signature_name": ""},
        {"instances": [{"encoded_image": {"b64": TEXT}, "key": "1"}], "other": [1, {"a": None}]},
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_the_usual_bodies_are_taken_the_short_way(content, indent):
    body = json.dumps(content, indent=indent).encode()
    taken = take_lone_image(body)
    assert taken is not None
    assert taken[1] == IMAGE
    assert len(taken[0]) == len(body) - len(TEXT)
    assert request.parse(body).instances[0].image == IMAGE


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'"b64": "',
        b'{"instances": [{"b64": "QUJD',
        b'{"instances": [{"b64": ""}]}',
        b'{"instances": [{"b64": "QUJD"}, {"b64": "QUJD"}]}',
        b'{"instances": [{"b64": "QUJD", "b64": "REVG"}]}',
        b'{"instances": [{"b64": "QU\\nJD"}]}',
        b'{"instances": [{"b64": "QUJ-"}]}',
        b'{"instances": [{"b64": "data:image/jpeg;base64,QUJD"}]}',
        b'{"\\"b64": "QUJD", "instances": [{"image_bytes": {"b\\u00364": ""}}]}',
        b'{"instances": [{"image_bytes": {"b64": "QUJD"}, "key": {"b64": "QUJD"}}]}',
        '{"instances": [{"b64": "QUJD"}]}'.encode("utf-16"),
    ],
)
def test_what_is_not_plain_is_left_to_the_parser(body):
    assert take_lone_image(body) is None
    assert outcome(request.parse, body) == outcome(request._parse, body)


@pytest.mark.parametrize(
    "body",
    [
        b'{"other": {"b64": "QUJD"}, "instances": [{"image_bytes": "QUJD"}]}',
        b'{"other": {"b64": "QUJD"}, "instances": []}',
        b'{"instances": [{"key": {"b64": "QUJD"}}]}',
        b'{"instances": [{"b64": "QUJD"}], "a": }',
        b'[{"b64": "QUJD"}]',
        b'{"instances": [{"b64": "QUJD"',
        b'{"instances": [{"unknown": {"b64": "QUJD"}}]}',
        b'{"instances": [{"image_bytes": {"b64": "QUJD"}}, {"key": "2"}]}',
    ],
)
def test_a_refusal_has_the_words_and_places_of_the_whole_body(body):
    assert take_lone_image(body) is not None
    words = outcome(request.parse, body)
    assert isinstance(words, str)
    assert words == outcome(request._parse, body)


names = st.sampled_from(["b64", '"b64', "image_bytes", "key", "instances", "inputs", "b\\64"])
texts = st.sampled_from(["", TEXT, "QUJD", "QU\nJD", '"b64": "', "\\", "é"])
values = st.recursive(
    texts | st.none(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(names, inner, max_size=2),
    max_leaves=6,
)
images = st.fixed_dictionaries({"b64": texts})
instances = st.dictionaries(names, values | images, max_size=2)
bodies = st.fixed_dictionaries(
    {"instances": st.lists(instances, max_size=2)}, optional={"other": values, '"b64': texts}
) | st.fixed_dictionaries({"inputs": instances | images}, optional={"other": values})


@given(bodies, st.booleans(), st.sampled_from([None, 1]))
def test_any_body_means_the_same_both_ways(content, is_ascii, indent):
    body = json.dumps(content, ensure_ascii=is_ascii, indent=indent).encode()
    assert outcome(request.parse, body) == outcome(request._parse, body)

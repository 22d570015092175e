"""What is written as protobuf is read again as it was."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.export import protobuf
from edge.export import protobuf_encoding as encode

NUMBERS = st.integers(1, (1 << 29) - 1)
SIGNED = st.integers(-(1 << 63), (1 << 63) - 1)
UNSIGNED = st.integers(0, (1 << 64) - 1)


@given(NUMBERS, SIGNED)
def test_an_integer(number, value):
    assert protobuf.integer(memoryview(encode.integer(number, value)), number) == value


@given(NUMBERS, st.lists(UNSIGNED))
def test_repeated_integers(number, values):
    assert protobuf.integers(memoryview(encode.integers(number, values)), number) == values


@given(NUMBERS, st.text())
def test_a_string(number, value):
    assert protobuf.text(memoryview(encode.text(number, value)), number) == value


@given(st.lists(st.tuples(NUMBERS, st.binary(max_size=300)), max_size=5))
def test_messages_in_a_message(parts):
    encoded = [encode.message(number, content) for number, content in parts]
    body = protobuf.message(memoryview(encode.message(1, *encoded)), 1)
    assert [(number, bytes(content)) for number, content in protobuf.fields(body)] == parts


@pytest.mark.parametrize(
    ("encoded", "expected"),
    [
        # The examples of protobuf's own description of its encoding.
        (encode.integer(1, 150), "08 96 01"),
        (encode.integer(1, -2), "08 fe ff ff ff ff ff ff ff ff 01"),
        (encode.text(2, "testing"), "12 07 74 65 73 74 69 6e 67"),
        (encode.message(3, encode.integer(1, 150)), "1a 03 08 96 01"),
        (encode.integers(6, [3, 270, 86942]), "32 06 03 8e 02 9e a7 05"),
    ],
)
def test_the_bytes_are_those_of_protobuf(encoded, expected):
    assert encoded.hex(" ") == expected


@pytest.mark.parametrize("value", [1 << 64, -(1 << 63) - 1])
def test_a_number_that_does_not_fit_is_refused(value):
    with pytest.raises(OverflowError):
        encode.integer(1, value)

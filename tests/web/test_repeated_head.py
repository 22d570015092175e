"""Two heads count as the same one only if they differ in nothing but their length's digits."""

from hypothesis import given
from hypothesis import strategies as st

from edge.web.transport.refusal_pace import MAX_HELD_BYTES, PACE_S, RefusalPace
from edge.web.transport.repeated_head import MAX_HEAD, split_request

NAMES = st.sampled_from([b"Host", b"X-Length", b"X-Content-Length", b"content-type", b"Cookie"])
VALUES = st.binary(max_size=20).map(lambda value: value.replace(b"\r", b"").replace(b"\n", b""))
LINES = st.lists(st.tuples(NAMES, VALUES).map(lambda line: b"%b: %b\r\n" % line), max_size=5)
LENGTHS = st.integers(0, 10**18 - 1)


def request(before, length, after, body=b""):
    return b"".join(
        [b"POST /predict HTTP/1.1\r\n", *before, b"Content-Length: %d\r\n" % length, *after]
    ) + (b"\r\n" + body)


@given(LINES, LENGTHS, LENGTHS, LINES, st.binary(max_size=50))
def test_only_the_digits_of_the_length_are_left_out(before, length, other, after, body):
    one = request(before, length, after, body)
    split = split_request(one)
    assert split.length == length
    assert one[split.body_at :] == body
    assert split.head == split_request(request(before, other, after)).head
    changed = request([*before, b"X: y\r\n"], length, after)
    assert split_request(changed).head != split.head


@given(LINES, LENGTHS, LENGTHS)
def test_a_second_length_stays_in_the_head(lines, first, second):
    after = [*lines, b"Content-Length: %d\r\n" % second]
    assert b"Content-Length: %d" % second in split_request(request([], first, after)).head


def test_what_is_no_short_and_complete_post_with_a_length_is_left_to_the_parser():
    good = request([], 3, [])
    assert split_request(good) is not None
    for bad in (
        good[:-1],
        b"\r\n" + good,
        good.replace(b"POST", b"GET"),
        good.replace(b"Content-Length: 3\r\n", b""),
        good.replace(b": 3", b": +3"),
        good.replace(b": 3", b": 3,3"),
        good.replace(b": 3", b": " + b"9" * 19),
        good.replace(b"\r\nContent", b"\nContent"),
        request([b"X: %b\r\n" % (b"x" * MAX_HEAD)], 3, []),
    ):
        assert split_request(bad) is None, bad


class Connection:
    def go_on(self):
        raise AssertionError("nothing waits in these tests")


def test_a_connection_may_ask_at_once_when_its_last_refusal_is_long_ago():
    assert not RefusalPace().delay(Connection(), 1, refused_at=10.0, now=10.0 + PACE_S)


def test_no_more_bytes_wait_than_the_bound():
    assert not RefusalPace().delay(Connection(), MAX_HELD_BYTES + 1, refused_at=10.0, now=10.0)

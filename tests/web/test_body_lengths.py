"""Bodies of every kind of length, with the next request right behind them."""

import pytest
from serving.pictures import encoded, picture
from serving.process import Server
from serving.raw import RawConnection

BOUNDARY = "x"
IMAGE = encoded(picture(size=(64, 48)), "PNG")


def form(length):
    """A form of this length: a picture, and a field that fills the rest."""
    image = b'--x\r\nContent-Disposition: form-data; name="a"; filename="a"\r\n\r\n' + IMAGE
    field = b'\r\n--x\r\nContent-Disposition: form-data; name="b"\r\n\r\n'
    end = b"\r\n--x--\r\n"
    return image + field + b"f" * (length - len(image) - len(field) - len(end)) + end


def posted(body):
    head = (
        "POST /predict HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@pytest.mark.parametrize("piece", [5000, 1 << 20])
@pytest.mark.parametrize("length", [8150, 8191, 8192, 8193, 16_500, 70_000, 600_000])
def test_a_body_of_any_length_arrives_whole_and_ends_where_it_should(
    server: Server, length: int, piece: int
) -> None:
    sent = posted(form(length)) + posted(form(20_000)) + posted(form(9000))
    with RawConnection(server.address) as connection:
        for start in range(0, len(sent), piece):
            connection.send(sent[start : start + piece])
        replies = [connection.reply() for _ in range(3)]
    assert [reply.status for reply in replies] == [200] * 3
    shown = [reply.json()["predictions"] for reply in replies]
    assert shown[0] == shown[1] == shown[2]
    assert shown[0]

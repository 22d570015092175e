"""Pictures that cost far more than their bytes or pixels: refused, or read for what they are.

Bounds: an answer within 5 s to each bomb, no frame of another camera later than 4 s, 96 MiB.
Without the checks the worst took 35 s of a worker, 4 s of the interpreter lock, or 1,000 MiB.
"""

import http.client
import time
from collections.abc import Callable
from threading import Thread

import pytest
from builders.bombs import READ, REFUSED, jpeg_of_scans, webp_of_one_colour
from builders.images import encode
from PIL import Image
from serving.process import Server

from attacks.victim import Attack, attack

pytestmark = pytest.mark.slow

_ANSWER_S = 5
_STALL_S = 4
_GROWN_MIB = 96
_CLIENT_FAULTS = {400, 413, 415}

_ROUNDS: dict[str, list[str]] = {
    kind: [name for name in REFUSED if name.startswith(kind)]
    for kind in ("jpeg", "png", "gif", "bmp", "webp", "tiff")
}


def send(server: Server, body: bytes) -> tuple[int, str, float]:
    """Post a picture; return the status, the error's code, and the seconds until the answer."""
    connection = http.client.HTTPConnection(*server.address, timeout=60)
    began = time.monotonic()
    connection.request("POST", "/predict", body, {"Content-Type": "application/octet-stream"})
    reply = connection.getresponse()
    reply.read()
    connection.close()
    return reply.status, reply.headers.get("X-Edge-Error", ""), time.monotonic() - began


def assert_unmoved(attacked: Attack) -> None:
    """The other camera got its answers, and no memory is missing."""
    assert attacked.camera.all_answered, attacked.camera.statuses
    assert attacked.camera.longest < _STALL_S
    assert attacked.grown_mib < _GROWN_MIB


@pytest.mark.parametrize("kind", _ROUNDS)
def test_bombs_of_a_format_are_refused_at_once(server: Server, kind: str) -> None:
    bombs = [REFUSED[name]() for name in _ROUNDS[kind]]
    with attack(server) as attacked:
        for bomb in bombs:
            status, code, seconds = send(server, bomb)
            assert status in _CLIENT_FAULTS
            assert code != "corrupt_image", "what is wrong with it is its cost"
            assert seconds < _ANSWER_S
    assert_unmoved(attacked)


def test_what_only_its_metadata_would_cost_is_answered(server: Server) -> None:
    bodies = [build() for build in READ.values()]
    with attack(server) as attacked:
        for body in bodies:
            status, _, seconds = send(server, body)
            assert status == 200
            assert seconds < _ANSWER_S
    assert_unmoved(attacked)


def test_four_clients_with_the_same_bomb_stop_nobody(server: Server) -> None:
    """The scans alone: two such files, of 1.7 MB, once stopped every camera for 45 s."""
    bomb = jpeg_of_scans(2000, 7069, 7069)
    with attack(server) as attacked:
        together(lambda: [send(server, bomb) for _ in range(20)], clients=4)
    assert_unmoved(attacked)


def test_large_pictures_together_take_no_more_than_the_budget_of_one(server: Server) -> None:
    """Four of 380 MiB: one is decoded after the other, as long as their deadlines last."""
    large = encode(Image.new("RGBA", (7900, 7900 * 4 // 5)), "PNG", compress_level=1)
    answers: list[int] = []
    with attack(server) as attacked:
        together(lambda: answers.append(send(server, large)[0]), clients=4)
    assert set(answers) <= {200, 503, 504}
    assert 200 in answers
    assert attacked.grown_mib < 512 + _GROWN_MIB
    assert 200 in attacked.camera.statuses


def test_34_bytes_cost_no_canvas(server: Server) -> None:
    bomb = webp_of_one_colour(7000, 7000)
    assert len(bomb) < 40
    with attack(server) as attacked:
        for _ in range(10):
            status, code, _ = send(server, bomb)
            assert (status, code) == (413, "image_too_large")
    assert_unmoved(attacked)


def together(work: Callable[[], object], *, clients: int) -> None:
    """Run the work in that many threads at once."""
    threads = [Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

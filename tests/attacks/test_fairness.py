"""Four times as many cameras as the server has slots for: each gets its turn.

Bounds: cameras that honour Retry-After, and cameras that open a connection for each frame, are all
answered, none of them silent all the ten seconds; measured without noise, with tight bounds, in
`tests/dataplane/test_turns.py`.
"""

from collections.abc import Iterator

import pytest
from serving.pictures import encoded, picture
from serving.process import Server

from attacks.crowd import press

pytestmark = pytest.mark.slow

FRAME = encoded(picture(size=(64, 48)), "PNG")
CAMERAS, QUEUE = 64, 14
SECONDS = 10
SILENCE_S = 9.9


@pytest.fixture(scope="module")
def slow_server() -> Iterator[Server]:
    program = ("tests/attacks/slow_server.py",)
    with Server(workers=2, queue_size=QUEUE, program=program) as running:
        yield running


def test_no_camera_that_waits_as_told_is_shut_out(slow_server: Server) -> None:
    crowd = press(slow_server.address, FRAME, cameras=CAMERAS, seconds=SECONDS, honour=True)
    assert crowd.frames[0] > 0, crowd
    assert crowd.longest_silence < SILENCE_S, crowd
    assert {status for one in crowd.members for status in one.statuses} == {200, 503}


def test_no_camera_that_opens_a_connection_for_each_frame_is_shut_out(slow_server: Server) -> None:
    crowd = press(slow_server.address, FRAME, cameras=CAMERAS, seconds=SECONDS, reconnect=4)
    assert crowd.frames[0] > 0, crowd
    assert crowd.longest_silence < SILENCE_S, crowd

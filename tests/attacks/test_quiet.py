"""The yardstick: what the camera sees while nothing attacks."""

import time

import pytest
from serving.process import Server

from attacks.victim import attack

pytestmark = pytest.mark.slow


def test_a_camera_is_answered_at_once_while_nothing_attacks(server: Server) -> None:
    with attack(server) as quiet:
        while len(quiet.camera.statuses) < 20:
            time.sleep(0.05)
    assert quiet.camera.all_answered
    assert quiet.grown_mib < 64

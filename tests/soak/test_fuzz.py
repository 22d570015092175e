"""The fuzz, shortened; and that each of its requests can be made again."""

from itertools import islice

import pytest

from soak import fuzz
from soak.entrances import KEYED, OPEN, PLAIN
from soak.targets import Target

SECONDS = 20
MAX_GROWTH_MIB = 192


def aimed(name, entrances):
    return Target(name, 1.0, None, ("127.0.0.1", 8501), entrances)


@pytest.mark.parametrize("entrances", [OPEN, KEYED, PLAIN], ids=["open", "keyed", "plain"])
def test_a_request_depends_on_its_number_and_the_seed_alone(entrances):
    target = aimed("some", entrances)
    many = list(fuzz.shots(target, seed=1, first=0, number=300))
    assert many[250:] == list(fuzz.shots(target, seed=1, first=250, number=50))
    assert many[0] != next(fuzz.shots(target, seed=2, first=0, number=1))
    assert {shot.entrance for shot in many} == set(entrances)


def test_what_is_called_a_whole_request_is_one():
    """Its head ends once, has one Host and no control character, and its length is right."""
    for shot in islice(fuzz.shots(aimed("some", OPEN), 3, 0, 2_000), 2_000):
        if not shot.is_whole:
            continue
        head, _, body = shot.data.partition(b"\r\n\r\n")
        first, *lines = head.split(b"\r\n")
        assert first.count(b" ") == 2, shot
        names = [line.partition(b":")[0].lower() for line in lines]
        assert names.count(b"host") == 1
        values = b"".join(line for line in lines)
        assert not any(byte < 0x20 or byte == 0x7F for byte in first + values), shot
        if b"content-length" in names:
            declared = lines[names.index(b"content-length")].partition(b":")[2]
            assert int(declared) == len(body)
        elif b"transfer-encoding" not in names:
            assert body == b""


@pytest.mark.slow
def test_no_mutated_request_breaks_the_service():
    phases = fuzz.run(12, 0, requests=10**9, seconds=SECONDS, max_growth_mib=MAX_GROWTH_MIB)
    words = "\n".join(map(fuzz.report, phases))
    assert not any(phase.tally.failures.counts for phase in phases), words
    assert all(phase.tally.shots > 0 for phase in phases), words

"""The soak, shortened: whether it finds a leak in seconds is not asked, but all else is."""

import pytest

from soak.drift import Bounds
from soak.run import report, soak

SECONDS = 30
BRIEF = Bounds(resident_mib=20_000, descriptors=5_000, threads=5_000)
"""Per hour: 80 MiB, and 20 descriptors and threads, in the half minute after the warm-up."""

MAX_GROWTH_MIB = 256
"""Of the memory at rest: the wall's pictures, a second model's tensors, and the cloud's client."""


@pytest.mark.slow
def test_mixed_load_leaves_nothing_behind():
    result = soak(SECONDS, seed=12, bounds=BRIEF, sample_s=0.5)
    assert not result.failed, report(result)
    answered = result.counts
    for what in ("raw frame", "multipart", "tf serving", "reading", "outbox entry"):
        assert answered.get((what, "200"), 0) > 0, report(result)
    assert answered[("stream frame", "answered")] > 0, report(result)
    before, after = result.resting
    assert after.resident_mib - before.resident_mib < MAX_GROWTH_MIB, report(result)

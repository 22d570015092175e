"""How the time of `--minutes` is divided, and what is said where it does not suffice."""

import pytest

from edge.training.fine_tuning_time import FineTuningTime, TimeIsUp


class Clock:
    """A clock that stands still until it is set."""

    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


def times(total_s, quick_s):
    return FineTuningTime(total_s, 100.0, quick_s, Clock(100.0 + quick_s))


@pytest.mark.parametrize(
    ("minutes", "quick_s", "suffices"),
    [
        (1, 2, True),  # 60 pictures
        (1, 12, True),  # 800
        (1, 16, True),
        (1, 25, False),  # 2,000 on a busy machine
        (1, 61, False),  # reading alone takes longer
        (2, 25, True),
        (10, 150, True),
        (0.1, 1, False),
    ],
)
def test_tensorflow_is_imported_only_if_time_for_fine_tuning_is_left(minutes, quick_s, suffices):
    assert times(60 * minutes, quick_s).suffices() is suffices


@pytest.mark.parametrize("quick_s", [2, 12, 40])
def test_what_is_left_after_fine_tuning_suffices_for_doing_quick_training_again(quick_s):
    tuning_s = times(600, quick_s).tuning_s()
    left = 600 - quick_s - tuning_s
    assert 1.3 * quick_s < left < 1.5 * quick_s + 10


@pytest.mark.parametrize("quick_s", [12, 61, 400])
def test_a_time_that_is_too_short_says_so_with_one_that_suffices(quick_s):
    words = times(10, quick_s).too_short()
    assert f"take {quick_s} of 10 s" in words
    minutes = times(10, quick_s).minutes_needed()
    assert f"--minutes {minutes} would" in words
    assert times(60 * minutes, quick_s).suffices()


class Shown:
    def __init__(self):
        self.steps = []

    def stage(self, words):
        self.steps.append(words)

    def advance(self, done, total):
        self.steps.append((done, total))


def test_reading_again_ends_where_the_time_for_tests_begins():
    shown, clock = Shown(), Clock(100.0)
    limited = FineTuningTime(60, 100.0, 10.0, clock).limit(shown)
    limited.stage("Reading pictures")
    clock.now = 150.0
    limited.advance(1, 2)
    clock.now = 155.0
    with pytest.raises(TimeIsUp):
        limited.advance(2, 2)
    assert shown.steps == ["Reading pictures", (1, 2)]

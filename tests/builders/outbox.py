"""Frames to be kept, clocks set by hand, and a cloud told what to say."""

from __future__ import annotations

import asyncio

from edge.clock import Reading
from edge.outbox.entry import NewEntry
from edge.outbox.forwarder import Forwarder

YEAR = 365 * 86_400.0
KEY, OTHER_KEY = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
RESULT = {"predictions": [{"label": "rose", "index": 1, "score": 0.9}], "model": "far"}


class Clocks:
    """The machine's clocks, set by hand."""

    def __init__(self):
        self.boot, self.since_boot, self.wall = "first", 1_000.0, 50 * YEAR

    def __call__(self):
        return Reading(self.boot, self.since_boot, self.wall)

    def pass_by(self, seconds):
        self.since_boot += seconds
        self.wall += seconds


def frame(name: str, certainty=0.5, label="daisy", model="m", size=100) -> NewEntry:
    image = name.encode().ljust(size, b".")
    items = [{"label": label, "index": 0, "score": certainty}]
    return NewEntry(
        image, "classification", model, 1, "d" * 64, "cam-1", "low_score", "link_down", items, certainty, label, False
    )


class Cloud:
    """Answers as it is told, by the first letter of the image."""

    def __init__(self, **answers):
        self.answers, self.asked, self.most = answers, [], 4
        self.under_way, self.most_under_way = 0, 0

    def places(self):
        return self.most

    async def ask(self, entry, image):
        letter = image[:1].decode()
        self.asked.append(letter)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(0.05)  # so that the round's others are asked meanwhile
        self.under_way -= 1
        answer = self.answers.get(letter, RESULT)
        if isinstance(answer, Exception):
            raise answer
        return answer


def keep(outbox, *names):
    return [outbox.put(frame(name)).result(10).key for name in names]


def forward(outbox, cloud, steps=1):
    async def run():
        forwarder = Forwarder(outbox, cloud)
        for _ in range(steps):
            await forwarder.step()

    asyncio.run(run())


def again_and_again(outbox, forwarder, steps, between=lambda _: None):
    """Step after step, with all waits over before each."""
    for number in range(steps):
        between(number)
        no_wait(outbox)
        asyncio.run(forwarder.step())


def entry(outbox, key):
    return outbox.call(lambda store: store.get(key)).result(10)


def no_wait(outbox):
    outbox.call(lambda store: store._db.execute("UPDATE entry SET not_before = 0")).result(10)

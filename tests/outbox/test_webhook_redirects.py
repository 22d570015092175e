"""A receiver that redirects the webhook: nothing is delivered to the other address."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest
from builders.receiver import running_receiver
from test_store import frame

from edge.outbox.outbox import Outbox
from edge.outbox.store import Store
from edge.outbox.webhook import Webhook


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed_and_not_taken_for_an_answer(tmp_path, status):
    outbox = Outbox(partial(Store, tmp_path, deliver=True), tmp_path)
    outbox.start()
    try:
        key = outbox.put(frame("a")).result(10).key
        outbox.change(lambda store: store.resolve(key, {"predictions": []})).result(10)
        with (
            running_receiver("/results") as there,
            running_receiver("/results", there.url) as here,
        ):
            here.statuses = [status]
            asyncio.run(Webhook(outbox, here.url, None).step())
            assert (here.asked, there.asked) == (["POST"], [])
            entry = outbox.call(lambda store: store.get(key)).result(10)
            assert (entry.webhook, entry.webhook_attempts) == ("pending", 1)
            outbox.call(
                lambda store: store._database.execute("UPDATE entry SET not_before = 0")
            ).result(10)
            asyncio.run(Webhook(outbox, there.url, None).step())
            assert there.asked == ["POST"]  # it would have taken it
    finally:
        outbox.stop()

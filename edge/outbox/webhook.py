"""Delivers each result to the owner's server: a signed POST, repeated until it is taken.

The body is the entry as `GET /outbox/{key}` shows it. ``Idempotency-Key`` is the entry's key.
``X-Edge-Signature`` is ``t=<seconds since 1970>,v1=<hex>``: HMAC-SHA256 with the owner's secret
over ``<t>.<body>``, so that a receiver can refuse forged and replayed requests.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import logging
import time
from functools import partial
from typing import TYPE_CHECKING

from edge.background import in_background
from edge.outbox.describe import entry_json
from edge.outbox.polling import poll_forever
from edge.outbox.retry import retry_delay_s
from edge.posting import Poster

if TYPE_CHECKING:
    from edge.outbox.entry import Entry
    from edge.outbox.outbox import Outbox

_log = logging.getLogger(__name__)

MAX_ATTEMPTS = 48
"""About a day with the backoff. After that a delivery is failed until `edge outbox retry`."""

_IDLE_S = 1.0
_TIMEOUT_S = 10.0
_PAGE = 8


def signature(secret: str, body: bytes, now: float) -> str:
    """The value of ``X-Edge-Signature``."""
    stamp = str(int(now))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


class Webhook:
    """Delivers the results of one outbox to one URL."""

    def __init__(
        self,
        outbox: Outbox,
        url: str,
        secret: str | None,
        *,
        idle_s: float = _IDLE_S,
        timeout_s: float = _TIMEOUT_S,
    ) -> None:
        """Nothing is sent before `run`.

        Args:
            outbox: whose results are delivered.
            url: that takes them; its name and password, if any, are sent as HTTP Basic.
            secret: signs the requests; ``None`` leaves them unsigned.
            idle_s: seconds between two looks at an outbox without results.
            timeout_s: seconds that a receiver has to answer.
        """
        self._outbox = outbox
        self._poster = Poster(url, timeout_s)
        self._secret = secret
        self._idle_s = idle_s

    async def run(self) -> None:
        """Deliver until cancelled."""
        await poll_forever(self.step, self._idle_s, "delivering results to the webhook failed")

    async def step(self) -> bool:
        """Deliver some results; returns whether there were any."""
        await self._outbox.ensure_writable()
        entries = await asyncio.wrap_future(
            self._outbox.call(lambda store: store.pending_deliveries(_PAGE))
        )
        for entry in entries:
            await self._deliver(entry)
        return bool(entries)

    async def _deliver(self, entry: Entry) -> None:
        key = entry.key
        try:
            fault = await in_background(partial(self._post, entry))
        except Exception as error:  # a bug with this entry: the others are delivered all the same
            _log.exception("delivering the result of %s to the webhook failed", key)
            fault = f"{type(error).__name__}: {error}"
        if fault is None:
            await asyncio.wrap_future(self._outbox.change(lambda store: store.mark_delivered(key)))
            return
        attempts = entry.webhook_attempts + 1
        give_up = attempts >= MAX_ATTEMPTS
        if give_up:
            _log.error("gave up delivering the result of %s to the webhook: %s", key, fault)
        else:
            _log.info("the webhook did not take the result of %s: %s", key, fault)
        seconds = retry_delay_s(attempts)
        postponed = self._outbox.change(
            lambda store: store.postpone_delivery(key, seconds, give_up=give_up)
        )
        await asyncio.wrap_future(postponed)

    def _post(self, entry: Entry) -> str | None:
        """Post the result; returns what went wrong, or ``None``."""
        body = json.dumps(entry_json(entry), ensure_ascii=False).encode()
        headers = {"Idempotency-Key": entry.key}
        if self._secret is not None:
            headers["X-Edge-Signature"] = signature(self._secret, body, time.time())
        fault = self._poster.post(body, headers)
        return None if fault is None else fault.words

"""Posts each alert to the owner's server, signed as Standard Webhooks 1.0 says, until it is taken.

The headers are ``webhook-id`` (of the alert, the same in each attempt), ``webhook-timestamp``
(seconds since 1970, of the attempt) and ``webhook-signature``: ``v1,`` and the base64 of
HMAC-SHA256 with the secret over ``<id>.<timestamp>.<body>``. Source: standardwebhooks.com, "Webhook
signatures". The body is ``type``, ``timestamp`` and ``data``, as it says of payloads.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import random
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from edge.background import in_background
from edge.backoff import Backoff
from edge.posting import Poster, PostFault
from edge.secret_text import webhook_key
from edge.sinks.alert_body import alert_body
from edge.sinks.health import SinkHealth
from edge.sinks.queue import AlertQueue
from edge.sinks.sink import FULL, STALE

if TYPE_CHECKING:
    from edge.alerts.alert import Alert, RuleState
    from edge.sinks.health import SinkStatus

_log = logging.getLogger(__name__)

MAX_REFUSALS = 5
"""Attempts at an alert that the receiver refuses (4xx): about half a minute, in which the owner may
mend a key. Then the alerts behind it have their turn."""

_BACKOFF = Backoff(first_s=1.0, max_s=60.0, jitter=0.5)
_STEP_S = 10.0
"""Seconds for each step of a connection: to connect, and to answer."""
_ATTEMPT_S = 30.0
"""Seconds after which an attempt counts as failed, whatever its steps take."""
_STOP_S = 2.0
"""Seconds in which waiting alerts are still delivered when the service stops."""
_TEMPORARY = frozenset({408, 425, 429})  # 4xx that ask to come again


def signature(secret: bytes, identity: str, stamp: int, body: bytes) -> str:
    """The value of ``webhook-signature``."""
    content = f"{identity}.{stamp}.".encode() + body
    digest = hmac.new(secret, content, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(digest).decode()}"


class WebhookSink:
    """Delivers alerts to one URL, one after the other, on the event loop.

    Args:
        url: that takes them; its name and password, if any, are sent as HTTP Basic.
        secret: in the form ``whsec_...``.
        backoff: between attempts that failed.

    Raises:
        ValueError: the URL or the secret cannot be used; the message quotes neither.
    """

    def __init__(self, url: str, secret: str, *, backoff: Backoff = _BACKOFF) -> None:
        self._poster = Poster(url, _STEP_S)
        self._secret = webhook_key(secret)
        self._backoff = backoff
        self._queue = AlertQueue()
        self._health = SinkHealth("webhook", "the webhook")
        self._news = asyncio.Event()
        self._empty = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._under_way: asyncio.Task[PostFault | None] | None = None

    def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Deliver what waits within two seconds, unless the receiver is away."""
        if self._task is None:
            return
        if len(self._queue) and self._health.status(0).fault is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), _STOP_S)
        for task in (self._task, self._under_way):
            if task is not None:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        if lost := len(self._queue):
            _log.warning("stopped with %d alerts that the webhook has not taken", lost)

    def deliver(self, alert: Alert) -> None:
        """Queue an alert."""
        self._empty.clear()
        dropped = self._queue.put(alert)
        if dropped is not None:
            self._health.dropped(dropped, FULL)
        self._news.set()

    def show(self, state: RuleState) -> None:
        """Nothing: a webhook hears of alerts, not of states."""

    def status(self) -> SinkStatus:
        """How it is doing."""
        return self._health.status(len(self._queue))

    async def _run(self) -> None:
        failures, refusals = 0, 0
        while True:
            alert = self._queue.first()
            if alert is None:
                self._empty.set()
                self._news.clear()
                await self._news.wait()
                continue
            if self._under_way is None and self._queue.take_stale():
                self._health.dropped(alert, STALE)
                continue
            fault = await self._attempt(alert)
            if fault is None:
                self._queue.remove_first()
                self._health.delivered()
                failures, refusals = 0, 0
                continue
            failures += 1
            refusals += _is_refusal(fault)
            self._health.failed(fault.words, len(self._queue))
            if refusals >= MAX_REFUSALS:
                self._queue.remove_first()
                self._health.dropped(alert, fault.words)
                refusals = 0
            await asyncio.sleep(self._backoff.seconds(failures, random.random()))  # noqa: S311 -- jitter

    async def _attempt(self, alert: Alert) -> PostFault | None:
        """Post the first alert, or go on waiting for the post of it that is still under way.

        So a receiver that sends a byte now and then holds one thread, however long it does.
        """
        if self._under_way is None:
            self._under_way = asyncio.create_task(in_background(partial(self._post, alert)))
        done, _ = await asyncio.wait({self._under_way}, timeout=_ATTEMPT_S)
        if not done:
            return PostFault(f"it did not answer within {_ATTEMPT_S:.0f} s")
        task, self._under_way = self._under_way, None
        try:
            return task.result()
        except Exception as error:  # a bug with this alert must not end the delivery of others
            _log.exception("delivering an alert to the webhook failed")
            return PostFault(type(error).__name__, status=400)

    def _post(self, alert: Alert) -> PostFault | None:
        body = alert_body(alert)
        stamp = int(time.time())
        headers = {
            "webhook-id": alert.identity,
            "webhook-timestamp": str(stamp),
            "webhook-signature": signature(self._secret, alert.identity, stamp, body),
        }
        return self._poster.post(body, headers)


def _is_refusal(fault: PostFault) -> bool:
    status = fault.status
    return status is not None and 400 <= status < 500 and status not in _TEMPORARY  # noqa: PLR2004 -- 4xx

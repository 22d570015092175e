"""Tells the owner's server of each result: a signed POST, repeated until it is taken.

The body is the entry as `GET /outbox/{key}` shows it. ``Idempotency-Key`` is the entry's key; ``X-Edge-Signature`` is
``t=<seconds since 1970>,v1=<hex>``, HMAC-SHA256 with the owner's secret over ``<t>.<body>``, so that a receiver can
refuse what is forged or replayed.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import http.client
import json
import logging
import time
import urllib.error
import urllib.request
from functools import partial
from typing import TYPE_CHECKING, Any

from edge.outbox.describe import entry_json
from edge.outbox.forwarder import wait_s
from edge.outbox.rounds import work_through
from edge.threads import in_background

if TYPE_CHECKING:
    from edge.outbox.entry import Entry
    from edge.outbox.outbox import Outbox

_log = logging.getLogger(__name__)

MOST_ATTEMPTS = 48
"""Then the result is no more offered until `edge outbox retry`: with the backoff, after about a day."""

_TIMEOUT_S = 10.0
_AT_ONCE = 8


def signature(secret: str, body: bytes, now: float) -> str:
    """The header's value."""
    stamp = str(int(now))
    digest = hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would turn the POST into a GET, and lose the result: it counts as not taken."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


class Webhook:
    """See the module."""

    def __init__(
        self, outbox: Outbox, url: str, secret: str | None, *, idle_s: float = 1.0, timeout_s: float = _TIMEOUT_S
    ) -> None:
        self._outbox = outbox
        self._url = url
        self._secret = secret
        self._idle_s = idle_s
        self._timeout_s = timeout_s
        self._opener = urllib.request.build_opener(_NoRedirect)

    async def run(self) -> None:
        """Tell until cancelled."""
        await work_through(self.step, self._idle_s, "the webhook could not be told")

    async def step(self) -> bool:
        """Tell of some results; whether there were any."""
        await self._outbox.well()
        entries = await asyncio.wrap_future(self._outbox.call(lambda store: store.untold(_AT_ONCE)))
        for entry in entries:
            await self._tell(entry)
        return bool(entries)

    async def _tell(self, entry: Entry) -> None:
        key = entry.key
        try:
            fault = await in_background(partial(self._post, entry))
        except Exception as error:  # a fault of ours with this one: the others are told all the same
            _log.exception("the webhook could not be told the result of %s", key)
            fault = f"{type(error).__name__}: {error}"
        if fault is None:
            await asyncio.wrap_future(self._outbox.change(lambda store: store.told(key)))
            return
        give_up = entry.telling_attempts + 1 >= MOST_ATTEMPTS
        log = _log.error if give_up else _log.info
        log("the webhook did not take the result of %s: %s", key, fault)
        seconds = wait_s(entry.telling_attempts + 1)
        await asyncio.wrap_future(
            self._outbox.change(lambda store: store.postpone_telling(key, seconds, give_up=give_up))
        )

    def _post(self, entry: Entry) -> str | None:
        """Post; what went wrong, if anything did."""
        body = json.dumps(entry_json(entry), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "Idempotency-Key": entry.key}
        if self._secret is not None:
            headers["X-Edge-Signature"] = signature(self._secret, body, time.time())
        try:
            request = urllib.request.Request(self._url, body, headers, method="POST")  # noqa: S310 -- the owner's URL
            self._opener.open(request, timeout=self._timeout_s).close()
        except urllib.error.HTTPError as error:
            error.close()
            return f"it answered {error.code}"
        except (OSError, http.client.HTTPException, ValueError) as error:  # the last of a URL that cannot be written
            return str(error)
        return None

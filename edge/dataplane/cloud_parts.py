"""What backs the edge: the link to the online model, the outbox, and the forwarder between them."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from edge.dataplane.cloud_values import cloud_request, result_json
from edge.fallback.policy import LinkState
from edge.fallback.repeats import Repeats
from edge.fallback.shadow import ShadowLog
from edge.fallback.shares import NO_CLIENT
from edge.model.rules import Mode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.fallback.link import Link
    from edge.fallback.link_status import LinkStatus
    from edge.fallback.shadow import ShadowStatus
    from edge.model.rules import Rules
    from edge.outbox.entry import Entry
    from edge.outbox.outbox import Outbox, OutboxStatus
    from edge.outbox.webhook import Webhook
    from edge.repository.repository import ModelRepository
    from edge.repository.version import ModelVersion

_log = logging.getLogger(__name__)

_FORWARD_S = 30.0
"""Seconds that the call for an outbox entry may take; no caller waits for it."""

_OVERFLOWING = frozenset({Mode.OVERLOAD, Mode.PREFER_CLOUD})
"""Modes in which the cloud takes frames that the edge has no slot for."""


@dataclass(frozen=True, slots=True)
class CloudStatus:
    """The state of all parts, for people and gauges.

    Attributes:
        modes: model name to the modes that hold for it.
        link: ``None`` without a configured endpoint.
        outbox: ``None`` if not configured.
    """

    modes: Mapping[str, list[Mode]]
    link: LinkStatus | None
    shadow: ShadowStatus
    outbox: OutboxStatus | None

    def as_json(self) -> dict[str, Any]:
        """As `GET /fallback` shows it."""
        return {
            "modes": dict(self.modes),
            "link": None if self.link is None else self.link.as_json(),
            "shadow": self.shadow.as_json(),
            "outbox": None if self.outbox is None else self.outbox.as_json(),
        }


@dataclass(frozen=True)
class CloudParts:
    """The parts, and when to use them.

    Attributes:
        repository: the edge's models.
        rules: when to ask the online model, unless a model's own file says otherwise.
        timeout_s: seconds of a frame's deadline that the online model may take.
        link: to the online model; ``None`` without a configured endpoint.
        outbox: where frames wait for the link; ``None`` if not configured.
        webhook: delivers results; ``None`` if not configured.
        ack_s: seconds that an answer may wait for the outbox's disk.
        overflow: frames admitted beyond the edge's own slots while the cloud or the outbox can take
            them.
        request_modes: sets of modes that a request may ask for.
        repeats: views that were asked about or kept just now.
        shadow: comparisons since the start.
    """

    repository: ModelRepository
    rules: Rules
    timeout_s: float
    link: Link | None = None
    outbox: Outbox | None = None
    webhook: Webhook | None = None
    ack_s: float = 0.0
    overflow: int = 0
    request_modes: frozenset[frozenset[Mode]] = frozenset()
    repeats: Repeats = field(default_factory=lambda: Repeats(0.0))
    shadow: ShadowLog = field(default_factory=ShadowLog)

    def start(self) -> None:
        """Connect and forward on one thread, open the outbox on another; returns at once."""
        if self.outbox is not None:
            self.outbox.start()
        if self.link is None:
            return
        _log.info("budget of the online model: %s", self.link.calls.budget_in_words())
        self.link.start()
        if self.outbox is None:
            return
        from edge.outbox.forwarder import Forwarder  # noqa: PLC0415 -- needs an outbox

        caller = ForwardingCaller(self.link, self.repository)
        self.link.run(Forwarder(self.outbox, caller).run())
        if self.webhook is not None:
            self.link.run(self.webhook.run())

    async def stop(self) -> None:
        """Cancel the calls under way, then write what the outbox has accepted."""
        for part in (self.link, self.outbox):
            if part is not None:
                await asyncio.to_thread(part.stop)

    def rules_of(self, version: ModelVersion) -> Rules:
        """The rules for a version: the service's, overridden by the version's own `model.toml`."""
        return self.rules.with_overrides(version.contract.tuning.fallback.rules)

    def extra_slots(self) -> int:
        """Number of frames to admit now beyond what the edge itself can take."""
        return self.overflow if self._overflows() and self._takes_overflow() else 0

    def status(self) -> CloudStatus:
        """The state of all parts."""
        modes = {
            version.name: sorted(self.rules_of(version).modes)
            for version in self.repository.versions
        }
        return CloudStatus(
            modes=modes,
            link=None if self.link is None else self.link.status(),
            shadow=self.shadow.status(),
            outbox=None if self.outbox is None else self.outbox.status(),
        )

    def _overflows(self) -> bool:
        """Whether any model's rules, or modes that a request may ask for, send overflow here."""
        for version in self.repository.versions:
            if self.rules_of(version).modes & _OVERFLOWING:
                return True
        return any(modes & _OVERFLOWING for modes in self.request_modes)

    def _takes_overflow(self) -> bool:
        link, outbox = self.link, self.outbox
        link_is_free = link is not None and link.state is LinkState.UP and link.blocked_by is None
        outbox_works = outbox is not None and outbox.fault is None
        return link_is_free or outbox_works


class ForwardingCaller:
    """Calls the online model for the forwarder; runs on the link's thread."""

    def __init__(self, link: Link, repository: ModelRepository) -> None:
        self._link = link
        self._repository = repository
        # The other half of the slots is for frames whose callers wait.
        self._max_calls = max(link.max_calls // 2, 1)

    def free_slots(self) -> int:
        """Number of entries that may be sent now."""
        if self._link.blocked_for(NO_CLIENT) is not None:
            return 0
        if self._link.state is LinkState.UP:
            return self._max_calls
        return 1 if self._link.state is LinkState.HALF_OPEN else 0

    async def call(self, entry: Entry, image: bytes) -> Mapping[str, Any]:
        """The online model's answer for an entry, as the outbox stores it.

        Raises:
            CloudError: it did not answer.
            ModelNotFound: the entry's model is no longer in the repository.
        """
        version = self._repository.find(entry.model)
        return result_json(await self._link.call(cloud_request(image, version), _FORWARD_S))

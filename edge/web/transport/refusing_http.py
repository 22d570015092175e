"""HTTP that refuses frames in an overload without the framework, and repeated ones unparsed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

from edge.web.transport.http_protocol import BoundedHttp
from edge.web.transport.repeated_head import split_request

if TYPE_CHECKING:
    from uvicorn import Config
    from uvicorn.server import ServerState

    from edge.web.early_refusal import EarlyRefusals
    from edge.web.transport.places import Places


class RefusingHttp(BoundedHttp):
    """One connection.

    Args:
        places: as of `BoundedHttp`.
        refusals: decides, and knows the heads that were refused lately.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        places: Places,
        refusals: EarlyRefusals,
    ) -> None:
        super().__init__(config, server_state, app_state, places)
        self._refusals = refusals
        self._takes_frames = True
        self._new_head: bytes | None = None
        """The bytes of the head that is being parsed, if they are worth remembering."""
        self._refused_at = -math.inf

    def answer_with(self, app: Any, opened_at: float) -> None:
        """Let another ASGI application, which takes no frames, answer this connection."""
        super().answer_with(app, opened_at)
        self._takes_frames = False

    @property
    def _may_refuse(self) -> bool:
        return self._takes_frames and self._refusals.may_refuse

    def _parse(self, data: bytes) -> None:
        if not self._refuse_repeated(data):
            super()._parse(data)

    def _refuse_repeated(self, data: bytes) -> bool:
        """Refuse a request whose head was refused before: its bytes need no parsing."""
        self._new_head = None
        if not self._may_refuse or not self._is_idle():
            return False
        request = split_request(data)
        if request is None:
            return False
        head = self._refusals.recall(request.head)
        if head is None:
            self._new_head = request.head
            return False
        now = self._places.clock()
        if self._places.refusal_pace.delay(self, len(data), self._refused_at, now):
            self._keep(memoryview(data))
            return True
        answer = self._refusals.refuse(head, self.client, self.server_state.default_headers)
        if answer is None:
            return False
        self._refused_at = now
        end = request.body_at + request.length
        self._answer_unparsed(answer, max(0, end - len(data)))
        if end < len(data):
            self._keep(memoryview(data)[end:])
            self.loop.call_soon(self.go_on)
        return True

    def _early_reply(self) -> bytes | None:
        new_head, self._new_head = self._new_head, None
        if (
            not self._may_refuse
            or self.parser.get_method() != b"POST"
            or self.parser.get_http_version() != "1.1"
            or not self.parser.should_keep_alive()
            or self.parser.should_upgrade()
            or not self._may_reply()
        ):
            return None
        head = self._refusals.read_head(cast("Any", self.scope), self.url)
        if head is None:
            return None
        answer = self._refusals.refuse(head, self.client, self.server_state.default_headers)
        if answer is not None:
            self._refused_at = self._places.clock()
            if new_head is not None:
                self._refusals.remember(new_head, head)
        return answer

"""Flow control of reading with two reasons to pause: the application's and the transport's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.flow_control import FlowControl

if TYPE_CHECKING:
    import asyncio


class TwoReasonFlow(FlowControl):
    """Reads only while neither the application nor `hold` wants a pause.

    Without it uvicorn would read on whenever a response is complete, although bytes that came
    before are not parsed yet, and these would pile up.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__(transport)
        self._is_held = False

    def resume_reading(self) -> None:
        """Forget the application's reason."""
        if self._is_held:
            self.read_paused = False
        else:
            super().resume_reading()

    def hold(self) -> None:
        """Pause until `release`, whatever the application says."""
        if not self._is_held:
            self._is_held = True
            self._transport.pause_reading()

    def release(self) -> None:
        """Forget the transport's reason."""
        if self._is_held:
            self._is_held = False
            if not self.read_paused:
                self._transport.resume_reading()

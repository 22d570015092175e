"""Runs Debian's Firefox for Playwright, which takes this for it and speaks WebDriver BiDi.

Playwright's own Firefox is not on Debian. Its BiDi channel works with the packaged one, but for one
command, which this release of Firefox does not know: to emulate media features. It is answered
here, and everything else passed on; the tests do without it.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from websockets.asyncio.client import connect
from websockets.asyncio.server import serve

if TYPE_CHECKING:
    from websockets.asyncio.connection import Connection
    from websockets.asyncio.server import ServerConnection

FIREFOX = "/usr/bin/firefox-esr"
_UNKNOWN = "emulation.setMediaFeaturesOverride"
_PLAIN = {"max_size": None, "ping_interval": None}  # Firefox answers no pings
_MAX_LINE = 64 << 20  # it quotes whole scripts, and a longer line would end this program
_LISTENING = re.compile(r"WebDriver BiDi listening on (ws://\S+)")


async def _there(near: Connection, far: Connection) -> None:
    async for message in near:
        command = json.loads(message)
        if command.get("method") == _UNKNOWN:
            answer = {"type": "success", "id": command["id"], "result": {}}
            await near.send(json.dumps(answer))
        else:
            await far.send(message)


async def _back(near: Connection, far: Connection) -> None:
    async for message in far:
        await near.send(message)


async def main() -> None:
    """Start Firefox with the arguments given; end with it."""
    firefox = await asyncio.create_subprocess_exec(
        FIREFOX, *sys.argv[1:], stderr=asyncio.subprocess.PIPE, limit=_MAX_LINE
    )
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, firefox.terminate)
    address = ""

    async def pass_on(near: ServerConnection) -> None:
        assert near.request is not None
        async with connect(address + near.request.path, **_PLAIN) as far:
            ways = [asyncio.create_task(way(near, far)) for way in (_there, _back)]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async with serve(pass_on, "127.0.0.1", 0, **_PLAIN) as ours:
        port = ours.sockets[0].getsockname()[1]
        assert firefox.stderr is not None
        async for line in firefox.stderr:
            text = line.decode(errors="replace")
            if found := _LISTENING.search(text):
                address = found[1]
                text = text.replace(address, f"ws://127.0.0.1:{port}")
            sys.stderr.write(text)
            sys.stderr.flush()
        await firefox.wait()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main())

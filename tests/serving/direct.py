"""A client of an application in this process, without a socket: for tests of single requests."""

import asyncio

import httpx
from starlette.types import ASGIApp


class DirectClient(httpx.Client):
    """As `httpx.Client`, but each request is one call of the application.

    Args:
        url: by which the application believes to have been reached.
    """

    def __init__(self, app: ASGIApp, url: str = "http://localhost:8501") -> None:
        super().__init__(transport=_Direct(app), base_url=url)


class _Direct(httpx.BaseTransport):
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            direct = httpx.ASGITransport(self._app, raise_app_exceptions=False)
            asked = httpx.Request(
                request.method, request.url, headers=request.headers, content=request.content
            )
            reply = await direct.handle_async_request(asked)
            content = b"".join([chunk async for chunk in reply.stream])
            return httpx.Response(reply.status_code, headers=reply.headers, content=content)

        request.read()
        return asyncio.run(ask())

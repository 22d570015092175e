"""Modes that a request asks for, over HTTP in this process: the allowed ones take effect."""

from __future__ import annotations

import asyncio
import math
import threading

import httpx
import pytest
from builders.escalation import (
    PHOTO,
    answering_cloud,
    build,
    running,
    until,
)

from edge.model.rules import parse_modes
from edge.settings import Settings
from edge.web.app import create_app


@pytest.fixture
def cloud():
    return answering_cloud()


def client_of(service):
    transport = httpx.ASGITransport(create_app(service, Settings()))
    return httpx.AsyncClient(transport=transport, base_url="http://localhost")


def allowing(*texts):
    return frozenset(map(parse_modes, texts))


@pytest.mark.parametrize(
    ("fallback", "status"),
    [
        ("on_error,low_confidence", 200),
        ("low_confidence,on_error", 200),
        ("on_error", 400),
        ("low_confidence,on_error,overload", 400),
        ("off", 400),
    ],
)
def test_allowed_modes_are_a_set_whose_order_does_not_matter(repository, cloud, fallback, status):
    """The owner's order was compared with the request's; now both are sets."""
    service = build(repository, cloud, "off", request_modes=allowing("low_confidence,on_error"))

    async def run():
        async with running(service), client_of(service) as client:
            return await client.post(f"/predict?fallback={fallback}", content=PHOTO)

    reply = asyncio.run(run())
    assert reply.status_code == status
    if status == 200:
        assert (reply.json()["source"], reply.json()["reason"]) == ("cloud", "low_score")
    else:
        assert "is not allowed here" in reply.json()["error"]["message"]


@pytest.mark.parametrize(
    ("allowed", "query", "status"),
    [("overload", "?fallback=overload", 200), ("overload", "", 503), ("shadow", "", 503)],
)
def test_a_single_image_with_fallback_overload_goes_to_the_cloud_while_the_edge_is_full(
    repository, cloud, allowed, query, status
):
    """The owner's own mode is `off`; only what requests may ask for opens the extra slots."""
    service = build(
        repository,
        cloud,
        "off",
        workers=1,
        queue_size=0,
        overflow=2,
        request_modes=allowing(allowed),
    )
    may_end = threading.Event()

    async def run():
        async with running(service), client_of(service) as client:
            with service.admit():  # the edge's only slot, and its only worker
                job = service.pool.run(lambda _: may_end.wait(30), math.inf)
                busy = asyncio.create_task(job)
                await until(lambda: service.pool.busy == 1)
                reply = await client.post(f"/predict{query}", content=PHOTO)
                may_end.set()
                await busy
            return reply

    reply = asyncio.run(run())
    assert reply.status_code == status
    if status == 200:
        assert (reply.json()["source"], reply.json()["reason"]) == ("cloud", "edge_overloaded")
    else:
        assert reply.json()["error"]["code"] == "overloaded"

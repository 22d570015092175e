"""Pictures from phones to the wall, authorised by the pass in the wall's QR code.

Phones have no API key. If keys are set, the QR code carries a pass that is valid for some hours and
for pictures only. It is signed with a secret of this process, so that it ends with a restart.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from edge.api_key import Scope
from edge.dataplane.answer import InferRequest, answer_json
from edge.errors import EdgeError
from edge.tls.addresses import is_loopback, public_host
from edge.web.access.client import client_of
from edge.web.access.keys import KeyForbidden, KeyMissing, check_key, read_key
from edge.web.body import receive
from edge.web.dialects.dialect import Dialect
from edge.web.error_mapping import json_response
from edge.web.pages.qr import qr_svg
from edge.web.pages.wall import PHONE
from edge.web.root_path import root_path
from edge.web.schema import AnswerSchema

if TYPE_CHECKING:
    from edge.dataplane.service import InferenceService
    from edge.settings import Settings

_PICTURE_BODY = {
    "requestBody": {
        "required": True,
        "content": {"image/*": {"schema": {"type": "string", "format": "binary"}}},
    }
}

PASS_S = 12 * 3600
"""Lifetime of a QR code in seconds."""


class NoPhone(EdgeError):
    """The service listens on an address that no phone can reach."""

    status = HTTPStatus.NOT_FOUND
    code = "no_phone"


class Passes:
    """Creates and verifies the passes of QR codes."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def new(self, now: float) -> str:
        """Create a pass that is valid for `PASS_S` from ``now`` (seconds since 1970)."""
        until = int(now) + PASS_S
        return f"{until}.{self._sign(until)}"

    def is_valid(self, pass_text: str, now: float) -> bool:
        """Whether this process created the pass and it has not expired."""
        until, _, signature = pass_text.partition(".")
        if not until.isdecimal() or not until.isascii() or len(until) > len(str(int(now))) + 1:
            return False
        is_ours = hmac.compare_digest(signature.encode(), self._sign(int(until)).encode())
        return is_ours and now < int(until)

    def _sign(self, until: int) -> str:
        return hmac.new(self._secret, str(until).encode(), hashlib.sha256).hexdigest()[:32]


def phone_dialect(service: InferenceService, settings: Settings, passes: Passes) -> Dialect:
    """`POST /phone/picture`; `GET /wall/phone` and `/wall/phone.svg` with the page's address."""
    router = APIRouter()

    @router.post(
        "/phone/picture",
        summary="A picture for the wall",
        responses={200: {"model": AnswerSchema}},
        openapi_extra=_PICTURE_BODY,
    )
    async def picture(request: Request) -> Response:
        arrived = time.monotonic()
        _check_pass(request, settings, passes)
        infer_request = InferRequest(
            deadline=arrived + settings.deadline_ms / 1000,
            model=request.query_params.get("model"),
            camera=PHONE,
            client=client_of(request),
        )
        async with receive(request, service, settings, infer_request.deadline) as image:
            return json_response(answer_json(await service.infer(image, infer_request)))

    @router.get("/wall/phone", summary="The address of the page that sends a picture from a phone")
    async def where(request: Request) -> Response:
        return json_response(
            {"url": _phone_url(request, settings, passes), "keeps": settings.wall_size}
        )

    @router.get(
        "/wall/phone.svg",
        summary="The same as a QR code",
        response_class=Response,
        responses={200: {"content": {"image/svg+xml": {"schema": {"type": "string"}}}}},
    )
    async def code(request: Request) -> Response:
        url = _phone_url(request, settings, passes)
        if url is None:
            raise NoPhone(
                "No phone can reach this service by this name. Open the wall by the machine's own "
                "name or address; if it listens on this machine only, start it with --host."
            )
        return qr_svg(url)

    scopes = {
        "/phone/picture": None,  # checks the pass of the QR code itself
        "/wall/phone": Scope.VIEW,
        "/wall/phone.svg": Scope.VIEW,
    }
    return Dialect("phone", scopes, router)


def _phone_url(request: Request, settings: Settings, passes: Passes) -> str | None:
    if is_loopback(settings.host) and (
        not settings.trusted_proxies or is_loopback(request.url.hostname or "localhost")
    ):
        return None  # no phone reaches it, unless through a proxy on this machine
    host = public_host(request.url.hostname, settings.tls_names)
    if host is None:
        return None
    port = f":{request.url.port}" if request.url.port else ""
    query = f"?{urlencode({'pass': passes.new(time.time())})}" if settings.api_keys else ""
    return f"{request.scope['scheme']}://{host}{port}{root_path(request.scope)}/phone{query}"


def _check_pass(request: Request, settings: Settings, passes: Passes) -> None:
    if not settings.api_keys or passes.is_valid(request.query_params.get("pass", ""), time.time()):
        return
    secret = read_key(request)
    if secret is None:
        raise KeyMissing("The QR code has expired. Scan the one on the wall again.")
    name, key = check_key(settings.api_keys, secret)
    if not key.opens(Scope.PREDICT):
        raise KeyForbidden(f"The key {name} lacks the scope {Scope.PREDICT}.")

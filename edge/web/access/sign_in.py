"""The sign-in of the pages: `/login`, `/logout` and `/session`.

A browser signs in once. Its cookie is the key itself, so that it survives a restart and expires
with the key; scripts cannot read it. A token derived from the stored hash of a key would let anyone
who can read the settings sign in.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse

from edge.api_key import Scope
from edge.dataplane.admission import Admission
from edge.errors import EdgeError
from edge.web.access.keys import COOKIE, check_key, login_redirect, read_key
from edge.web.body import read_body
from edge.web.dialects.dialect import Dialect
from edge.web.error_mapping import json_response
from edge.web.root_path import root_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.api_key import ApiKey

_FORMS_BYTES = 1 << 20
"""Bytes of forms in memory at once; their own, so that an operator can sign in during an overload.

The number of forms that arrive is bounded by that of connections: whoever holds one back keeps no
other out.
"""

_COOKIE_S = 400 * 24 * 3600  # the longest that browsers keep one
_FORM_BYTES = 4096
_FORM_S = 5.0


def sign_in_dialect(keys: Mapping[str, ApiKey]) -> Dialect:
    """`POST /login` and `/logout`, and `GET /session`, which tells a page what its key opens."""
    router = APIRouter(include_in_schema=False)
    admission = Admission(1, _FORMS_BYTES)  # a form is read at once: it needs no slot

    @router.post("/login")
    async def login(request: Request) -> Response:
        with admission.receive() as slot:
            body = await read_body(request, slot, max_bytes=_FORM_BYTES, seconds=_FORM_S)
        form = parse_qs(body.decode("utf-8", "replace"))
        root = root_path(request.scope)
        following = _local_path(form.get("next", ["/"])[0], root)
        secret = form.get("key", [""])[0].strip()
        try:
            _, key = check_key(keys, secret)
        except EdgeError as error:
            return login_redirect(request.scope, following, error.code)
        response = RedirectResponse(quote(following, safe="/?&=%+,:;@-._~"), HTTPStatus.SEE_OTHER)
        response.set_cookie(
            COOKIE,
            secret,
            max_age=_cookie_seconds(key),
            path=root or "/",
            httponly=True,
            samesite="strict",
            secure=request.scope["scheme"] == "https",
        )
        return response

    @router.post("/logout")
    async def logout(request: Request) -> Response:
        root = root_path(request.scope)
        response = RedirectResponse(f"{root}/login", HTTPStatus.SEE_OTHER)
        response.delete_cookie(COOKIE, path=root or "/", httponly=True, samesite="strict")
        return response

    @router.get("/session")
    async def session(request: Request) -> Response:
        if not keys:
            return json_response({"keys": False, "name": None, "scopes": list(Scope)})
        try:
            name, key = check_key(keys, read_key(request))
        except EdgeError:
            return json_response({"keys": True, "name": None, "scopes": []})
        scopes = [scope for scope in Scope if key.opens(scope)]
        return json_response({"keys": True, "name": name, "scopes": scopes})

    scopes = {"/login": None, "/logout": None, "/session": None}
    return Dialect("sign-in", scopes, router)


def _cookie_seconds(key: ApiKey) -> int:
    """Lifetime of the cookie: to the end of the key's last day, as far as browsers keep one."""
    if key.expires is None:
        return _COOKIE_S
    end = datetime.combine(key.expires, datetime.max.time(), UTC).timestamp()
    return min(_COOKIE_S, max(1, int(end - time.time())))


def _local_path(following: str, root: str) -> str:
    """The path to open after the sign-in; the root for anything that could lead elsewhere.

    Args:
        following: as the form has it.
        root: the prefix of the service's paths, perhaps empty.
    """
    is_path = following.startswith(f"{root}/") and not following.startswith("//")
    parts = following.partition("?")[0].lower().replace("%2e", ".").split("/")
    if is_path and "\\" not in following and ".." not in parts and following.isprintable():
        return following
    return f"{root}/"

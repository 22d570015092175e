"""`GET /page/info`: what every page has to know of the models besides their answers.

Their task, the words that people see instead of labels, and what becomes of pictures besides being
answered. It is open to whoever may see any page: with any key, or with the pass of the wall's QR
code.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from edge.model.rules import Mode
from edge.web.access.keys import check_key, read_key
from edge.web.dialects.dialect import Dialect
from edge.web.error_mapping import json_response

if TYPE_CHECKING:
    from edge.dataplane.service import InferenceService
    from edge.repository.version import ModelVersion
    from edge.settings import Settings
    from edge.web.pages.phone import Passes


def page_info_dialect(service: InferenceService, settings: Settings, passes: Passes) -> Dialect:
    """`GET /page/info`, which checks the key or the pass itself."""
    router = APIRouter(include_in_schema=False)
    repository = service.repository

    @router.get("/page/info")
    async def info(request: Request) -> Response:
        has_pass = passes.is_valid(request.query_params.get("pass", ""), time.time())
        if settings.api_keys and not has_pass:
            check_key(settings.api_keys, read_key(request))
        models = {
            version.name: {
                "task": version.contract.task.name,
                "display_names": version.contract.tuning.display_names,
                **_what_becomes_of_pictures(service, version, settings),
            }
            for version in repository.versions
        }
        return json_response({"default": repository.default, "models": models})

    return Dialect("page info", {"/page/info": None}, router)


def _what_becomes_of_pictures(
    service: InferenceService, version: ModelVersion, settings: Settings
) -> dict[str, Any]:
    """Whether the rules in force may send a picture to the online model, or keep it on disk."""
    cloud = service.cloud
    modes = frozenset[Mode]() if cloud is None else cloud.rules_of(version).modes
    may_send = cloud is not None and cloud.link is not None
    # A frame that is only compared (shadow) is never kept.
    may_keep = settings.outbox is not None and settings.outbox.images and modes != {Mode.SHADOW}
    return {"sends": bool(modes) and may_send, "keeps": bool(modes) and may_keep}

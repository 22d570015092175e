"""Wires what stands behind the edge: settings in, `CloudParts` out. Imports nothing of Google's yet."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from edge.dataplane.cloud_parts import CloudParts
from edge.errors import SettingsError
from edge.fallback.budget import Budget, Limits
from edge.fallback.budget_file import BudgetFile
from edge.fallback.calls import CloudCalls
from edge.fallback.cloud import VertexOptions
from edge.fallback.link import Link
from edge.model.rules import Rules, parse_modes
from edge.outbox.outbox import Outbox
from edge.outbox.seal import AesGcm, NoSeal
from edge.outbox.store import Quota, Store
from edge.outbox.webhook import Webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.fallback.cloud import CloudClient
    from edge.model.rules import Mode
    from edge.outbox.seal import Seal
    from edge.repository.repository import ModelRepository
    from edge.settings import Settings

BUDGET_FILE = "budget.json"
_DAY_S = 86_400.0


def build_cloud_parts(settings: Settings, repository: ModelRepository) -> CloudParts:
    """The link, the outbox and the rules that the settings name; nothing is opened or connected yet.

    Raises:
        SettingsError: an unknown mode, a budget without a file, or a malformed key.
    """
    outbox = _outbox(settings)
    modes = _modes("cloud_mode", settings.cloud_mode)
    request_modes = [_modes("cloud_request_modes", text) for text in settings.cloud_request_modes]
    return CloudParts(
        repository=repository,
        rules=Rules(modes, settings.cloud_threshold, settings.cloud_margin),
        timeout_s=settings.cloud_timeout_ms / 1000,
        link=_link(settings),
        outbox=outbox,
        webhook=_webhook(settings, outbox),
        ack_s=settings.outbox_ack_ms / 1000,
        overflow=settings.cloud_concurrency,
        request_modes=frozenset(request_modes),
    )


def open_store(settings: Settings, *, create: bool) -> Store:
    """The store that the settings name.

    Raises:
        SettingsError: they name none, or the key is none.
        OutboxError: it cannot be opened.
    """
    if settings.outbox_dir is None:
        raise SettingsError("There is no outbox: set outbox_dir (--outbox-dir or EDGE_OUTBOX_DIR).")
    return Store(settings.outbox_dir, _quota(settings), _seal(settings), create=create)


def _modes(name: str, text: str) -> frozenset[Mode]:
    try:
        return parse_modes(text)
    except ValueError as error:
        raise SettingsError(f"{name} = {text}: {error}.") from error


def _link(settings: Settings) -> Link | None:
    if settings.cloud_endpoint is None:
        return None
    limits = Limits(
        price=settings.cloud_price,
        calls_per_day=settings.cloud_calls_per_day,
        calls_per_month=settings.cloud_calls_per_month,
        cost_per_day=settings.cloud_cost_per_day,
        cost_per_month=settings.cloud_cost_per_month,
        per_second=settings.cloud_rate,
    )
    file = settings.cloud_budget_file or (settings.outbox_dir and settings.outbox_dir / BUDGET_FILE)
    if limits.capped and file is None:
        raise SettingsError(
            "A budget must be remembered over restarts: set cloud_budget_file or outbox_dir."
        )
    budget_file = BudgetFile(file if limits.capped else None)
    options = VertexOptions(
        endpoint=settings.cloud_endpoint,
        address=settings.cloud_address,
        rest=settings.cloud_transport == "rest",
        anonymous=settings.cloud_credentials == "anonymous",
        credentials=settings.cloud_credentials
        if isinstance(settings.cloud_credentials, Path)
        else None,
        max_pixels=settings.max_pixels,
        image_bytes=settings.cloud_request == "tf_serving",
    )
    connect = partial(_connect, options)
    budget = Budget(limits, budget_file.spent)
    calls = CloudCalls(budget, budget_file, max_calls=settings.cloud_concurrency)
    return Link(connect, calls)


def _connect(options: VertexOptions) -> CloudClient:
    """Called on the link's thread: Google's library is imported here, and nowhere before."""
    return _vertex_client()(options)


@cache
def _vertex_client() -> Callable[[VertexOptions], CloudClient]:
    with _beside_frames():
        from edge.fallback.vertex import VertexClient  # noqa: PLC0415 -- as said
    return VertexClient


@contextmanager
def _beside_frames() -> Iterator[None]:
    """Frames hardly feel what is imported within: threads take turns ten times as often, and nothing is collected.

    What the import leaves, 130,000 objects, stays for good: no later collection looks at it either, which would stop
    all threads for 30 ms. Without this a frame that came meanwhile took up to 110 ms longer, with it up to 15.
    """
    usual = sys.getswitchinterval()
    sys.setswitchinterval(usual / 10)
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        sys.setswitchinterval(usual)


def _outbox(settings: Settings) -> Outbox | None:
    if settings.outbox_dir is None:
        return None
    _seal(settings)  # a key that is none is told at start
    return Outbox(partial(open_store, settings, create=True), settings.outbox_dir)


def _quota(settings: Settings) -> Quota:
    return Quota(
        max_bytes=settings.outbox_max_bytes,
        max_entries=settings.outbox_max_entries,
        max_age_s=settings.outbox_max_age_days * _DAY_S,
        images=settings.outbox_images,
        tell=settings.outbox_webhook is not None,
    )


def _seal(settings: Settings) -> Seal:
    return (
        NoSeal() if settings.outbox_key is None else AesGcm(settings.outbox_key.get_secret_value())
    )


def _webhook(settings: Settings, outbox: Outbox | None) -> Webhook | None:
    if settings.outbox_webhook is None or outbox is None:
        return None
    secret = settings.outbox_webhook_secret
    return Webhook(
        outbox, settings.outbox_webhook, None if secret is None else secret.get_secret_value()
    )

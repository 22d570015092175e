"""Builds what backs the edge: settings in, `CloudParts` out. Does not import Google's library."""

from __future__ import annotations

import gc
import os
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
from edge.fallback.repeats import Repeats
from edge.model.rules import Rules, parse_modes
from edge.outbox.encryption import AesGcmEncryption, NoEncryption
from edge.outbox.outbox import Outbox
from edge.outbox.space import Quota
from edge.outbox.store import Store
from edge.outbox.webhook import Webhook

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from edge.fallback.cloud import CloudClient
    from edge.model.rules import Mode
    from edge.outbox.encryption import Encryption
    from edge.repository.repository import ModelRepository
    from edge.settings import CloudSettings, OutboxSettings, Settings

ANONYMOUS = Path("anonymous")
"""In place of a service account's file: send no credentials."""

BUDGET_FILE = "budget.json"
_DAY_S = 86_400.0

_MAX_QUEUED_BYTES = 64 << 20
"""Of images that wait for the disk; with less memory, a fourth of what bodies may take."""
_CAPS = {"calls_per_day", "calls_per_month", "cost_per_day", "cost_per_month"}
"""Settings of the budget that are counted over a day or a month."""


def build_cloud_parts(settings: Settings, repository: ModelRepository) -> CloudParts:
    """Build the link, the outbox and the rules that the settings name; opens and connects nothing.

    Raises:
        SettingsError: an unknown mode, a budget without a file, or a malformed key.
    """
    outbox = _outbox(settings)
    fallback = settings.fallback
    modes = _modes("cloud_mode", fallback.mode)
    request_modes = [_modes("cloud_request_modes", text) for text in fallback.request_modes]
    return CloudParts(
        repository=repository,
        rules=Rules(modes, fallback.threshold, fallback.margin),
        timeout_s=fallback.timeout_ms / 1000,
        link=_link(settings),
        outbox=outbox,
        webhook=_webhook(settings, outbox),
        ack_s=0.0 if settings.outbox is None else settings.outbox.ack_ms / 1000,
        overflow=fallback.concurrency,
        request_modes=frozenset(request_modes),
        repeats=Repeats(fallback.repeat_s),
    )


def open_store(settings: Settings, *, create: bool) -> Store:
    """Open the store that the settings name.

    Raises:
        SettingsError: no outbox is configured, or its key is malformed.
        OutboxError: it cannot be opened.
    """
    if settings.outbox is None:
        raise SettingsError(
            "No outbox is configured: set outbox_dir (--outbox-dir or EDGE_OUTBOX_DIR)."
        )
    return _open_store(settings.outbox, create=create)


def _open_store(outbox: OutboxSettings, *, create: bool) -> Store:
    return Store(
        outbox.dir,
        _quota(outbox),
        _encryption(outbox),
        keep_images=outbox.images,
        deliver=outbox.webhook is not None,
        create=create,
    )


def _modes(name: str, text: str) -> frozenset[Mode]:
    try:
        return parse_modes(text)
    except ValueError as error:
        raise SettingsError(f"{name} = {text}: {error}.") from error


def _link(settings: Settings) -> Link | None:
    cloud = settings.cloud
    if cloud is None:
        return None
    limits = Limits(
        price=cloud.price,
        calls_per_day=None if cloud.calls_per_day == "unlimited" else cloud.calls_per_day,
        calls_per_month=cloud.calls_per_month,
        cost_per_day=cloud.cost_per_day,
        cost_per_month=cloud.cost_per_month,
        per_second=cloud.rate,
    )
    budget_file = BudgetFile(_budget_path(cloud, settings.outbox) if limits.capped else None)
    credentials = None if cloud.credentials is None else cloud.credentials.get_secret_value()
    anonymous = credentials == ANONYMOUS
    options = VertexOptions(
        endpoint=cloud.endpoint,
        address=cloud.address,
        rest=cloud.transport == "rest",
        anonymous=anonymous,
        credentials=None if anonymous else credentials,
        max_pixels=settings.max_pixels,
        image_bytes=cloud.request == "tf_serving",
    )
    connect = partial(_connect, options)
    budget = Budget(limits, budget_file.spent)
    calls = CloudCalls(budget, budget_file, max_calls=settings.fallback.concurrency)
    return Link(connect, calls)


def _budget_path(cloud: CloudSettings, outbox: OutboxSettings | None) -> Path | None:
    """Where the budget is remembered; ``None`` if nothing but the default limits the calls.

    A limit that the owner has set must survive a restart. The default is a safeguard, and must not
    stop a service that has no place to write.
    """
    if cloud.budget_file is not None:
        return cloud.budget_file
    if outbox is not None:
        return outbox.dir / BUDGET_FILE
    if cloud.model_fields_set.isdisjoint(_CAPS):
        return None
    raise SettingsError(
        "A budget must be remembered over restarts: set cloud_budget_file or outbox_dir."
    )


def _connect(options: VertexOptions) -> CloudClient:
    """Connect on the link's thread; Google's library is imported here at the earliest."""
    return _vertex_client()(options)


@cache
def _vertex_client() -> Callable[[VertexOptions], CloudClient]:
    with _gentle_import():
        from edge.fallback.vertex import VertexClient  # noqa: PLC0415
    return VertexClient


@contextmanager
def _gentle_import() -> Iterator[None]:
    """Import something large without slowing down frames that are computed meanwhile.

    Threads switch ten times as often and the garbage collector is off. The import leaves 130,000
    objects for good; freezing them keeps later collections from scanning them, which would stop all
    threads for 30 ms. Without this, a frame took up to 110 ms longer during the import, with it up
    to 15 ms.
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
    if settings.outbox is None:
        return None
    _encryption(settings.outbox)  # a malformed key stops the start
    _check_owner(settings.outbox.dir)
    return Outbox(
        partial(_open_store, settings.outbox, create=True),
        settings.outbox.dir,
        max_queued_bytes=min(_MAX_QUEUED_BYTES, settings.max_held_bytes // 4),
    )


def _check_owner(folder: Path) -> None:
    """Refuse a folder of another user: a volume that a container of another ``--user`` has filled.

    Frames would be answered, and none of them kept.

    Raises:
        SettingsError: this user may not write the folder, or a file in it.
    """
    existing = next(one for one in (folder, *folder.absolute().parents) if one.exists())
    files = [existing, *existing.glob("*")] if existing == folder else [existing]
    user = os.getuid()
    for file in files:
        owner = file.stat().st_uid
        if owner != user and not os.access(file, os.W_OK):
            raise SettingsError(
                f"outbox_dir: user {user} may not write {file}, which belongs to user {owner}. "
                f"Run the service as that user (docker run --user {owner}), or give it the folder "
                f"(chown -R {user})."
            )


def _quota(outbox: OutboxSettings) -> Quota:
    return Quota(
        max_bytes=outbox.max_bytes,
        max_entries=outbox.max_entries,
        max_age_s=outbox.max_age_days * _DAY_S,
    )


def _encryption(outbox: OutboxSettings) -> Encryption:
    if outbox.key is None:
        return NoEncryption()
    return AesGcmEncryption(outbox.key.get_secret_value())


def _webhook(settings: Settings, outbox: Outbox | None) -> Webhook | None:
    if outbox is None or settings.outbox is None or settings.outbox.webhook is None:
        return None
    secret = settings.outbox.webhook_secret
    key = None if secret is None else secret.get_secret_value()
    return Webhook(outbox, settings.outbox.webhook.get_secret_value(), key)

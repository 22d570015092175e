"""Chooses the certificate to serve, the owner's or this machine's own, and renews it."""

from __future__ import annotations

import asyncio
import logging
import os.path
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from edge.errors import SettingsError
from edge.tls.certificate import AUTHORITY_FILE, CHAIN_FILE, Certificate
from edge.tls.seen_names import NameLearner

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable
    from pathlib import Path

    from edge.settings import Settings

_log = logging.getLogger(__name__)

RENEWAL_S = 12 * 3600.0
"""Interval between two looks at the certificate's expiry."""


def certificate(settings: Settings, now: datetime | None = None) -> Certificate:
    """The owner's certificate if one is set, else this machine's own, created or renewed if due.

    Raises:
        SettingsError: the owner's file does not exist, or the data folder cannot be written.
    """
    if settings.tls is not None and settings.tls.cert is not None:
        cert = settings.tls.cert.get_secret_value()
        key = cert if settings.tls.key is None else settings.tls.key.get_secret_value()
        for name, file in (("tls_cert", cert), ("tls_key", key)):
            # Named, not quoted: a secret may have been given in place of its file. Unlike
            # `Path.is_file`, this takes a path of any length.
            if not os.path.isfile(file):  # noqa: PTH113 -- see above
                raise SettingsError(f"The file that {name} names does not exist.")
        return Certificate(cert, key, None)
    from edge.tls.authority import make  # noqa: PLC0415 -- cryptography takes 10 MiB

    folder = _folder(settings)
    try:
        return make(folder, settings.tls_names, now or datetime.now(UTC))
    except OSError as error:
        raise SettingsError(
            f"The certificate cannot be stored in {folder}: {error.strerror or error}. "
            "Choose a folder with --data."
        ) from error


def uses_tls(settings: Settings) -> bool:
    """Whether the service speaks HTTPS."""
    return settings.tls is not None


def authority_file(settings: Settings) -> Path | None:
    """PEM file of the authority made here; ``None`` where none is used."""
    if settings.tls is None or settings.tls.cert is not None:
        return None
    return _folder(settings) / AUTHORITY_FILE


def certificate_file(settings: Settings) -> Path:
    """PEM file of the certificate that is served, the owner's or this machine's own."""
    owners = None if settings.tls is None else settings.tls.cert
    return _folder(settings) / CHAIN_FILE if owners is None else owners.get_secret_value()


def name_learner(context: ssl.SSLContext, settings: Settings) -> NameLearner | None:
    """What learns names from the pairing page; ``None`` where no authority is used."""
    if authority_file(settings) is None:
        return None
    return NameLearner(_folder(settings), lambda: certificate(settings).fill(context))


async def keep_renewed(
    context: ssl.SSLContext,
    settings: Settings,
    every_s: float = RENEWAL_S,
    clock: Callable[[], datetime] | None = None,
) -> None:
    """Renew this machine's certificate, or reload the owner's, every ``every_s`` seconds."""
    while True:
        await asyncio.sleep(every_s)
        try:
            (await asyncio.to_thread(certificate, settings, clock and clock())).fill(context)
        except SettingsError as error:  # the old certificate stays in use
            _log.warning("the certificate was not renewed: %s", error)
        except Exception:  # the next attempt may succeed, whatever failed
            _log.exception("the certificate was not renewed")


def _folder(settings: Settings) -> Path:
    return settings.data_folder / "tls"

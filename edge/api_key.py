"""API keys: how one is made, what is kept of it, and whether one that is shown is good. Pure; takes the clock.

A key is 256 random bits, so that what is kept of it needs no slow password hash: SHA-256 cannot be turned back by
guessing among 2**256 keys, and it costs a request one microsecond.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from datetime import UTC, date, datetime, time
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Mapping

_PREFIX = "edge_"
_BYTES = 32
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


class Scope(StrEnum):
    """What a key opens."""

    PREDICT = "predict"
    VIEW = "view"
    ADMIN = "admin"


def _known_hash(value: str) -> str:
    if not _HASH.fullmatch(value):
        raise ValueError(
            "must be sha256: and 64 hex digits (the hash of the key, never the key itself)"
        )
    return value


class ApiKey(BaseModel):
    """What is kept of a key.

    Attributes:
        hash: ``sha256:`` and 64 hex digits.
        scopes: what it opens; ``admin`` opens all.
        expires: the last day on which it is good, in UTC; ``None`` for ever.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hash: Annotated[str, AfterValidator(_known_hash)]
    scopes: frozenset[Scope] = Field(min_length=1)
    expires: date | None = None

    def opens(self, scope: Scope) -> bool:
        """Whether the key may do that."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def expired(self, now: datetime) -> bool:
        """Whether its last day has passed."""
        return self.expires is not None and now > datetime.combine(self.expires, time.max, UTC)


def parse_keys(value: Any) -> Any:
    """The setting's text as JSON; what is no text (a table of the TOML file) as it is."""
    if not isinstance(value, str):
        return value
    try:
        keys = json.loads(value)
    except ValueError as error:
        raise ValueError(f"is not JSON ({error})") from None
    if not isinstance(keys, dict):
        raise ValueError(
            'must be a JSON object such as {"line1": {"hash": "sha256:...", "scopes": ["predict"]}}'
        )  # noqa: TRY004 -- pydantic reads ValueError
    return keys


def new_key() -> str:
    """A key nobody can guess: 256 random bits, in letters that survive headers, URLs and shells."""
    return _PREFIX + secrets.token_urlsafe(_BYTES)


def hash_key(key: str) -> str:
    """What is kept of the key."""
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def find_key(keys: Mapping[str, ApiKey], shown: str) -> tuple[str, ApiKey] | None:
    """Name and key of the one that was shown; ``None`` for an unknown one. Takes as long whichever it is."""
    shown_hash = hash_key(shown)
    found = None
    for name, key in keys.items():
        if hmac.compare_digest(key.hash, shown_hash):
            found = name, key
    return found

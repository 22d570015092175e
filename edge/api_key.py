"""API keys: creates one, hashes it, and finds the entry of a presented one. Pure; takes the clock.

A key is 256 random bits, so its hash need not be slow: nobody can guess among 2**256 keys, and
SHA-256 costs a request one microsecond.
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
    from collections.abc import Iterable, Mapping

_PREFIX = "edge_"
_BYTES = 32
_SECRET = re.compile(r"edge_[A-Za-z0-9_-]{20,}|(sha256:)?[0-9a-f]{64}")
_MAX_SHOWN = 40  # a key has 48 characters, a hash 64
MAX_NAME = 64
"""Longest name of a new key, in characters, as that of a camera."""
_HASH = re.compile(r"sha256:[0-9a-f]{64}")


class Scope(StrEnum):
    """What a key allows."""

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
    """The stored part of a key.

    Attributes:
        hash: ``sha256:`` and 64 hex digits.
        scopes: what it allows; ``admin`` allows everything.
        expires: last day on which it is valid, in UTC; ``None`` if it never expires.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    hash: Annotated[str, AfterValidator(_known_hash)] = Field(repr=False)
    scopes: frozenset[Scope] = Field(min_length=1)
    expires: date | None = None

    def opens(self, scope: Scope) -> bool:
        """Whether the key allows this."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def expired(self, now: datetime) -> bool:
        """Whether its last day has passed."""
        return self.expires is not None and now > datetime.combine(self.expires, time.max, UTC)


def parse_keys(value: Any) -> Any:
    """Parse the setting's JSON text; a table of the TOML file is returned as it is.

    Raises:
        ValueError: it is no JSON object, or has a key where a name should be. Names are printed at
            the start and in refusals.
    """
    if isinstance(value, str):
        value = _parse_json(_without_quotes(value))
    if isinstance(value, dict):
        entries = [entry for entry in value.values() if isinstance(entry, dict)]
        names = [name for table in (value, *entries) for name in table]
        if any(_looks_secret(str(name)) for name in names):
            raise ValueError("a key is written in place of a name")
    return value


def _without_quotes(text: str) -> str:
    """The text without the quotes that a shell needs, and that Docker's --env-file passes on."""
    text = text.strip()
    is_quoted = text.startswith("'") and text.endswith("'") and len(text) > 1
    return text[1:-1] if is_quoted else text


def _parse_json(text: str) -> dict[str, Any]:
    try:
        keys = json.loads(text)
    except ValueError as error:
        raise ValueError(f"is not JSON ({error})") from None
    except RecursionError:
        raise ValueError("is not JSON (it is nested too deep)") from None
    if not isinstance(keys, dict):
        example = '{"line1": {"hash": "sha256:...", "scopes": ["predict"]}}'
        raise ValueError(f"must be a JSON object such as {example}")  # noqa: TRY004 -- for pydantic
    return keys


def shown_location(location: Iterable[int | str]) -> list[str]:
    """Where in the setting a fault is, without words that are as long as a key."""
    return [word if len(word) <= _MAX_SHOWN else "..." for word in map(str, location)]


def check_name(name: str) -> str:
    """Check the name of a new key: printable, at most `MAX_NAME` characters, not itself a key.

    Raises:
        ValueError: it breaks one of these rules; the message does not quote it.
    """
    if _looks_secret(name):
        raise ValueError("a key is written in place of a name")
    if not name.isprintable() or not 0 < len(name.strip()) <= len(name) <= MAX_NAME:
        raise ValueError(f"a name has 1 to {MAX_NAME} printable characters")
    return name


def key_toml(name: str, key: ApiKey) -> str:
    """An entry as the settings file and `keys.toml` hold it: a table, one line per field."""
    # A JSON text is a TOML one as well, as long as it escapes nothing outside of ASCII: JSON would
    # write two halves of a pair, which TOML does not take.
    lines = [f"[api_keys.{json.dumps(name, ensure_ascii=False)}]"]
    lines += [f"{field} = {json.dumps(value)}" for field, value in key_json(key).items()]
    return "\n".join(lines) + "\n"


def key_json(key: ApiKey) -> dict[str, Any]:
    """An entry as `EDGE_API_KEYS` holds it."""
    entry: dict[str, Any] = {
        "hash": key.hash,
        "scopes": [scope.value for scope in Scope if scope in key.scopes],
    }
    if key.expires is not None:
        entry["expires"] = key.expires.isoformat()
    return entry


def _looks_secret(word: str) -> bool:
    """Whether a word is a key or a hash rather than a name."""
    return _SECRET.fullmatch(word) is not None


def new_key() -> str:
    """Create a key of 256 random bits, in characters that are safe in headers, URLs and shells."""
    return _PREFIX + secrets.token_urlsafe(_BYTES)


def hash_key(key: str) -> str:
    """Return the hash to store."""
    return "sha256:" + hashlib.sha256(key.encode()).hexdigest()


def find_key(keys: Mapping[str, ApiKey], shown: str) -> tuple[str, ApiKey] | None:
    """Return name and entry of a presented key, in constant time; ``None`` if it is unknown."""
    shown_hash = hash_key(shown)
    found = None
    for name, key in keys.items():
        if hmac.compare_digest(key.hash, shown_hash):
            found = name, key
    return found

"""`edge key`: creates an API key and prints it once; saves, lists and revokes keys."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from edge.api_key import ApiKey, Scope, check_name, hash_key, key_json, key_toml, new_key
from edge.errors import SettingsError
from edge.printable import escape
from edge.wiring.saved_keys import (
    FILE,
    add_saved_keys,
    keys_folder,
    read_saved_keys,
    revoke_key,
    save_key,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from edge.settings import Settings


def run(name: str, scopes: Sequence[str], expires: date | None) -> None:
    """Print the key to standard output, all else to standard error: a script can pipe the key."""
    _check(name)
    secret = new_key()
    key = _stored(secret, scopes, expires)
    _print_secret(secret)
    click.echo("\nSetting that enables it (one setting can hold several names):", err=True)
    click.echo(f"EDGE_API_KEYS='{json.dumps({name: key_json(key)})}'", err=True)
    click.echo("\nOr in the settings file:", err=True)
    click.echo(key_toml(name, key), err=True, nl=False)


def save(settings: Settings, name: str, scopes: Sequence[str], expires: date | None) -> None:
    """Save the hash of a new key for `edge serve`; the key is printed once it is safe there."""
    _check(name)
    if name in settings.api_keys:
        raise SettingsError(f"The settings (api_keys) hold a key called {escape(name)} already.")
    secret = new_key()
    file = save_key(keys_folder(settings), name, _stored(secret, scopes, expires))
    _print_secret(secret)
    click.echo(f"\nSaved in {escape(str(file))}. `edge serve` reads it when it starts.", err=True)


def show_all(settings: Settings) -> None:
    """Print a line per key, saved or in the settings: name, scopes, expiry and place; no hash."""
    folder = keys_folder(settings)
    saved = read_saved_keys(folder)
    keys = add_saved_keys(settings, folder, saved)
    if not keys:
        click.echo("There is no key. `edge key NAME --save` makes one.", err=True)
        return
    now = datetime.now(UTC)
    rows = [
        (escape(name), _scopes(key), _expiry(key, now), FILE if name in saved else "settings")
        for name, key in sorted(keys.items())
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())


def revoke(settings: Settings, name: str) -> None:
    """Remove a saved key; a service that runs takes it until it is restarted."""
    _check(name)
    left = revoke_key(keys_folder(settings), name)
    click.echo(
        f"Revoked {escape(name)}. A service that runs takes it until it is restarted.", err=True
    )
    if not left and not settings.api_keys:
        click.echo(
            "No key is left: from then on, requests need none. Without keys the service listens "
            "on this machine only, unless allow_open is set.",
            err=True,
        )


def _check(name: str) -> None:
    try:
        check_name(name)
    except ValueError as error:
        raise SettingsError(f"This is not the name of a key: {error}.") from None


def _stored(secret: str, scopes: Sequence[str], expires: date | None) -> ApiKey:
    return ApiKey(hash=hash_key(secret), scopes=frozenset(map(Scope, scopes)), expires=expires)


def _print_secret(secret: str) -> None:
    click.echo("The key. It is not shown again; keep it secret:", err=True)
    click.echo(secret)


def _scopes(key: ApiKey) -> str:
    return ", ".join(scope.value for scope in Scope if scope in key.scopes)


def _expiry(key: ApiKey, now: datetime) -> str:
    if key.expires is None:
        return "does not expire"
    if key.expired(now):
        return f"EXPIRED after {key.expires}"
    return f"until {key.expires}"

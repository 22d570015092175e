"""`edge key`: creates an API key, prints it once, and prints the setting that enables it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from edge.api_key import hash_key, new_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date


def run(name: str, scopes: Sequence[str], expires: date | None) -> None:
    """Print the key to standard output, all else to standard error: a script can pipe the key."""
    key = new_key()
    entry = {"hash": hash_key(key), "scopes": list(dict.fromkeys(scopes))}
    if expires is not None:
        entry["expires"] = expires.isoformat()
    click.echo("The key. It is not shown again; keep it secret:", err=True)
    click.echo(key)
    click.echo("\nSetting that enables it (one setting can hold several names):", err=True)
    click.echo(f"EDGE_API_KEYS='{json.dumps({name: entry})}'", err=True)
    click.echo("\nOr in the settings file:", err=True)
    click.echo(f"[api_keys.{json.dumps(name)}]", err=True)
    for field, value in entry.items():
        click.echo(f"{field} = {json.dumps(value)}", err=True)

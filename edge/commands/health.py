"""`edge health`: whether the service on this machine is ready, as an exit code and a line; the image's HEALTHCHECK.

The image runs it as ``python -m edge.commands.health`` four times a minute, beside a service that may have 256 MB and
half a core to itself. So it is standard library alone, and starts in a tenth of the time that reading the settings
through `edge.settings` takes.
"""

from __future__ import annotations

import http.client
import json
import os
import sys
import tomllib

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8501  # as in `edge.settings`, which a test compares
TIMEOUT_S = 4.0
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 -- what was listened on, not by us
_READY = 200
_TRUE = {"true", "1", "yes", "on", "y", "t"}  # as pydantic reads one


def check(host: str, port: int, *, secure: bool = False, seconds: float = TIMEOUT_S) -> str | None:
    """Ask the service whether it is ready.

    Args:
        secure: over HTTPS; whoever answers on this machine is believed, as its certificate may be for another name.
        seconds: how long each of its words is waited for.

    Returns:
        ``None`` if so, else what is wrong.
    """
    connection = _connection(_EVERYWHERE.get(host, host), port, seconds, secure=secure)
    try:
        connection.request("GET", "/health/ready")
        reply = connection.getresponse()
        body = reply.read()
    except (OSError, http.client.HTTPException) as error:
        return f"{host}:{port} does not answer: {error or type(error).__name__}"
    finally:
        connection.close()
    return None if reply.status == _READY else _reason(body)


def _connection(host: str, port: int, seconds: float, *, secure: bool) -> http.client.HTTPConnection:
    if not secure:
        return http.client.HTTPConnection(host, port, timeout=seconds)
    import ssl  # noqa: PLC0415 -- a quarter of this command's start, and few serve HTTPS

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=seconds, context=context)


def _reason(body: bytes) -> str:
    try:
        said = json.loads(body)
        faults = [f"{name}: {state}" for name, state in said.get("models", {}).items()]
        return "not ready: " + "; ".join(filter(None, [said.get("reason"), *faults]))
    except (ValueError, AttributeError):
        return f"not ready: {body[:200]!r}"


def main() -> int:
    """Check the service of this container; the exit code is 0 where it is ready, else 1."""
    host, port, secure = _address()
    fault = check(host, port, secure=secure)
    print(fault or "ready")  # noqa: T201 -- Docker shows it with the container's health
    return 1 if fault else 0


def _address() -> tuple[str, int, bool]:
    """Where `edge serve` listens: the environment before the settings file before the defaults."""
    read = os.environ.get  # noqa: TID251 -- see the module's head: `edge.settings` costs too much here
    settings = {}
    if file := read("EDGE_CONFIG"):
        with open(file, "rb") as opened:  # noqa: PTH123 -- pathlib is a fifth of this command's start
            settings = tomllib.load(opened)
    host = read("EDGE_HOST") or settings.get("host", DEFAULT_HOST)
    tls = (read("EDGE_TLS") or str(settings.get("tls", False))).lower() in _TRUE
    secure = tls or bool(read("EDGE_TLS_CERT") or settings.get("tls_cert"))
    return str(host), int(read("EDGE_PORT") or settings.get("port", DEFAULT_PORT)), secure


if __name__ == "__main__":
    sys.exit(main())

"""`edge health`: checks that the service on this machine is ready; the image's HEALTHCHECK.

The image runs it as ``python -m edge.commands.health`` four times a minute, next to a service that
may have 256 MB and half a core. So it imports only the standard library and `edge.environment`,
which starts ten times as fast as reading the settings through `edge.settings`.
"""

from __future__ import annotations

import http.client
import json
import sys
import tomllib

from edge.commands import frozen
from edge.environment import CONFIG, read_variables

DEFAULT_HOST, DEFAULT_PORT = "127.0.0.1", 8501  # as in `edge.settings`, which a test compares
TIMEOUT_S = 4.0
_MAIN_S, _LIVE_S = 3.5, 0.5  # the image gives a check 5 s
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}  # noqa: S104 -- not ours
_READY, _REDIRECT = 200, 307
_READY_PATH, _LIVE = "/health/ready", "/health/live"
_TRUE = {"true", "1", "yes", "on", "y", "t"}  # as pydantic reads one


def check(
    host: str,
    port: int,
    *,
    secure: bool = False,
    seconds: float = TIMEOUT_S,
    path: str = _READY_PATH,
) -> str | None:
    """Ask the service whether it is ready.

    Args:
        secure: use HTTPS. The certificate is not verified: it may be for another name of this
            machine.
        seconds: maximum wait for each read.
        path: of the question; another one asks whether it lives.

    Returns:
        ``None`` if it is ready, else what is wrong.
    """
    connection = _connection(_EVERYWHERE.get(host, host), port, seconds, secure=secure)
    try:
        connection.request("GET", path)
        reply = connection.getresponse()
        body = reply.read()
    except (OSError, http.client.HTTPException) as error:
        return f"{host}:{port} does not answer: {error or type(error).__name__}"
    finally:
        connection.close()
    if reply.status == _REDIRECT:
        return f"{host}:{port} serves HTTPS. Set EDGE_TLS=true."
    return None if reply.status == _READY else _reason(body)


def _connection(
    host: str, port: int, seconds: float, *, secure: bool
) -> http.client.HTTPConnection:
    if not secure:
        return http.client.HTTPConnection(host, port, timeout=seconds)
    import ssl  # noqa: PLC0415 -- a quarter of the start, and few serve HTTPS

    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(host, port, timeout=seconds, context=context)


def _reason(body: bytes) -> str:
    try:
        reply = json.loads(body)
        faults = [f"{name}: {state}" for name, state in reply.get("models", {}).items()]
        reasons = "; ".join(filter(None, [reply.get("reason"), *faults]))
        # As `edge.printable.escape`: a fault may quote a file's name.
        return "not ready: " + (reasons if reasons.isprintable() else ascii(reasons)[1:-1])
    except (ValueError, AttributeError):
        return f"not ready: {body[:200]!r}"


def main() -> int:
    """Check the service of this container; returns the exit code, 0 if it is ready, else 1."""
    host, port, secure = _address()
    fault = check(host, port, secure=secure, seconds=_MAIN_S)
    print(fault or "ready")  # noqa: T201 -- Docker shows it with the container's health
    lives = fault is None or check(host, port, secure=secure, path=_LIVE, seconds=_LIVE_S) is None
    if frozen.note(lives=lives):
        frozen.end_service()
    return 1 if fault else 0


def _address() -> tuple[str, int, bool]:
    """Return where `edge serve` listens: environment before settings file before defaults."""
    read = read_variables().get
    settings = {}
    if file := read(CONFIG):
        with open(file, "rb") as opened:  # noqa: PTH123 -- pathlib takes a fifth of the start
            settings = tomllib.load(opened)
    host = read("EDGE_HOST") or settings.get("host", DEFAULT_HOST)
    in_file = settings.get("tls", False)
    table = in_file if isinstance(in_file, dict) else {}
    enabled = read("EDGE_TLS") or str(isinstance(in_file, dict) or in_file)
    cert = read("EDGE_TLS_CERT") or settings.get("tls_cert") or table.get("cert")
    secure = enabled.lower() in _TRUE or bool(cert)
    return str(host), int(read("EDGE_PORT") or settings.get("port", DEFAULT_PORT)), secure


if __name__ == "__main__":
    sys.exit(main())

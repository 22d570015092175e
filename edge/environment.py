"""The settings in the environment, as text: without quotes around them, and without service links.

Env files differ in who takes quotes off: a shell and Compose do, ``docker run --env-file`` and
``kubectl create --from-env-file`` pass them on. No setting has a value that begins and ends in
quotes.

For a Service named ``edge`` Kubernetes sets ``EDGE_PORT=tcp://10.96.12.7:8501``,
``EDGE_SERVICE_HOST`` and more in every pod of its namespace, for one named ``edge-cameras``
``EDGE_CAMERAS_PORT`` and so on. Docker's ``--link`` does likewise.

Imports the standard library alone, since `edge.commands.health` starts four times a minute.
"""

from __future__ import annotations

import os
import re

PREFIX = "EDGE_"
CONFIG = "EDGE_CONFIG"
"""The variable that names the TOML file, as the flag ``--config`` does."""

_ESCAPED = re.compile(r'\\(["\\$`])')
"""What a shell unescapes within double quotes (POSIX, Shell Command Language, 2.2.3)."""

_LINK_NAME = re.compile(
    r"EDGE(_[A-Z0-9_]+)?_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|"
    r"PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)"
)
"""Names that no setting has, only a service link (Kubernetes, "Accessing the Service")."""
_LINK_ADDRESS = re.compile(r"(tcp|udp|sctp)://\S+:[0-9]+")
"""Value of a link's ``EDGE_PORT``, which is the name of a setting as well."""


def read_variables() -> dict[str, str]:
    """Variable to text, of all that begin with `PREFIX`, except those of service links."""
    return {
        variable: without_quotes(text)
        for variable, text in os.environ.items()
        if variable.startswith(PREFIX) and not _is_service_link(variable, text)
    }


def service_links() -> list[str]:
    """The variables that `read_variables` leaves out."""
    return sorted(name for name, text in os.environ.items() if _is_service_link(name, text))


def without_quotes(text: str) -> str:
    """Take off the quotes around a whole value; within double ones a backslash escapes."""
    inner = text.strip()
    if len(inner) < len("''") or inner[0] != inner[-1] or inner[0] not in "'\"":
        return text
    value = inner[1:-1]
    return _ESCAPED.sub(r"\1", value) if inner[0] == '"' else value


def without_settings() -> dict[str, str]:
    """The environment for a child process that is to know no setting, and thus no secret."""
    return {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}


def logs_as_json() -> bool:
    """Whether the environment asks for JSON lines, also where the settings are refused."""
    return read_variables().get(f"{PREFIX}LOG_FORMAT") == "json"


def _is_service_link(variable: str, text: str) -> bool:
    if _LINK_NAME.fullmatch(variable) is not None:
        return True
    may_be_link = variable.startswith(PREFIX) and variable.endswith("_PORT")
    return may_be_link and _LINK_ADDRESS.fullmatch(text) is not None

"""An alert as receivers get it: the body of a webhook's post, and of a message of MQTT. Pure.

In the form that Standard Webhooks 1.0 advises for payloads: ``type``, ``timestamp`` and ``data``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from edge.alerts.alert import iso_time

if TYPE_CHECKING:
    from edge.alerts.alert import Alert

TYPE = "alert.raised"


def alert_body(alert: Alert) -> bytes:
    """The alert as JSON in UTF-8."""
    content = {"type": TYPE, "timestamp": iso_time(alert.at), "data": alert.as_json()}
    return json_body(content)


def json_body(content: dict[str, Any]) -> bytes:
    """Compact JSON in UTF-8."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()

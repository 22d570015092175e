"""The topics of MQTT, and what announces a rule to Home Assistant as a binary sensor. Pure.

Source of the discovery: home-assistant.io, "MQTT", "MQTT discovery", and "MQTT binary sensor".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from edge import __version__

if TYPE_CHECKING:
    from edge.alerts.rule import Rule


ONLINE = "online"
OFFLINE = "offline"


def status_topic(topic: str) -> str:
    """Where `ONLINE` is retained, and `OFFLINE` by the broker once the service is gone."""
    return f"{topic}/status"


def alert_topic(rule: Rule, topic: str) -> str:
    """Where a rule's alerts go."""
    return f"{topic}/alerts/{rule.slug}"


def state_topic(rule: Rule, topic: str) -> str:
    """Where a rule's state is retained."""
    return f"{topic}/alerts/{rule.slug}/state"


def discovery(rule: Rule, prefix: str, topic: str) -> tuple[str, dict[str, Any]]:
    """The topic and the content of the message that announces a rule's sensor.

    Args:
        prefix: where Home Assistant looks, by default ``homeassistant``.
        topic: what our own topics begin with; it tells devices apart.
    """
    node = re.sub(r"[^A-Za-z0-9_-]", "_", topic)
    content = {
        "name": rule.name,
        "unique_id": f"edge_{node}_{rule.slug}",
        "state_topic": state_topic(rule, topic),
        "value_template": "{{ value_json.state }}",
        "json_attributes_topic": state_topic(rule, topic),
        "availability_topic": status_topic(topic),
        "payload_available": ONLINE,
        "payload_not_available": OFFLINE,
        "payload_on": "ON",
        "payload_off": "OFF",
        "device": {
            "identifiers": [f"edge_{node}"],
            "name": topic,
            "manufacturer": "edge",
            "sw_version": __version__,
        },
        "origin": {"name": "edge", "sw_version": __version__},
    }
    return f"{prefix}/binary_sensor/{node}/{rule.slug}/config", content

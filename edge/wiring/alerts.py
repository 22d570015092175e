"""Builds what raises alerts: settings and the rules' file in, `Alerting` out.

Imported only if alerts are configured, and imports only the sinks that are.
"""

from __future__ import annotations

import logging
import ssl
from typing import TYPE_CHECKING

from edge.alerts.labels import ModelLabels, label_fault
from edge.alerts.rules_file import MAX_BYTES, RuleLines, parse_rules, place_in
from edge.dataplane.alerting import Alerting
from edge.errors import ExportError, SettingsError
from edge.export.regular_file import read_bounded
from edge.secret_text import split_mqtt_url

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from edge.alerts.rule import Rule
    from edge.repository.repository import ModelRepository
    from edge.settings import AlertSettings
    from edge.sinks.sink import Sink

_log = logging.getLogger(__name__)


def build_alerting(
    alerts: AlertSettings, repository: ModelRepository, *, has_cloud: bool
) -> Alerting:
    """Read the rules and build the sinks; sends and connects nothing.

    Args:
        has_cloud: whether an online model may answer, with labels of its own.

    Raises:
        SettingsError: no rules, a rule that is wrong or about a label that no model has, a webhook
            without a secret, or an authority that cannot be read.
    """
    if alerts.rules is None:
        given = ", ".join(f"alerts_{name}" for name in sorted(alerts.model_fields_set))
        raise SettingsError(
            f"{given} without alerts_rules: no alert would ever be raised. Set alerts_rules to the "
            "file of the rules, or unset the others."
        )
    text = _read_text(alerts.rules)
    rules = parse_rules(text, alerts.rules)
    models = _model_labels(repository)
    lines = RuleLines(text, len(rules))
    all_known = not (has_cloud or repository.refused)
    for number, rule in enumerate(rules, 1):
        fault = label_fault(rule, models)
        if fault is not None:
            place = place_in(alerts.rules, lines.of(number, "label"))
            words = f'alerts_rules: {place}: rule {number} ("{rule.name}"): {fault}'
            if all_known:
                raise SettingsError(words)
            _log.warning("%s The rule stays: a model that is not known here may have it.", words)
    rules_of = {
        model.name: tuple(rule for rule in rules if has_cloud or model.may_see(rule.label))
        for model in models
    }
    return Alerting(rules, rules_of, _sinks(alerts, rules))


def _read_text(file: Path) -> str:
    try:
        return read_bounded(file, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SettingsError(f"alerts_rules: {file}: it is not UTF-8. Save it as UTF-8.") from None
    except ExportError as error:
        raise SettingsError(f"alerts_rules: {file}: {error.reason}. Name a TOML file.") from None
    except OSError as error:
        raise SettingsError(
            f"alerts_rules: {file} cannot be read: {error.strerror or error}. Correct the path, or "
            "make the file readable for the service's user."
        ) from None


def _model_labels(repository: ModelRepository) -> list[ModelLabels]:
    """What each model can see, by name: the labels of its versions together."""
    by_name: dict[str, ModelLabels] = {}
    for version in repository.versions:
        labels = version.labels
        counts = version.contract.task.has_boxes
        before = by_name.get(version.name)
        if before is not None:
            if labels is not None:
                labels = None if before.labels is None else (*before.labels, *labels)
            counts = counts or before.counts_objects
        by_name[version.name] = ModelLabels(version.name, labels, counts)
    return list(by_name.values())


def _sinks(alerts: AlertSettings, rules: Sequence[Rule]) -> list[Sink]:
    sinks: list[Sink] = []
    if alerts.webhook is not None:
        if alerts.webhook_secret is None:
            raise SettingsError(
                "alerts_webhook without alerts_webhook_secret: the receiver could not tell our "
                "alerts from forged ones. Make a secret with: "
                'echo "whsec_$(openssl rand -base64 32)"'
            )
        from edge.sinks.webhook import WebhookSink  # noqa: PLC0415 -- only if configured

        url, secret = alerts.webhook, alerts.webhook_secret
        sinks.append(WebhookSink(url.get_secret_value(), secret.get_secret_value()))
    if alerts.mqtt is not None:
        sinks.append(_mqtt(alerts, alerts.mqtt.get_secret_value(), rules))
    return sinks


def _mqtt(alerts: AlertSettings, url: str, rules: Sequence[Rule]) -> Sink:
    from edge.sinks.mqtt import MqttOptions, MqttSink  # noqa: PLC0415 -- imports paho-mqtt
    from edge.sinks.mqtt_publisher import Topics  # noqa: PLC0415

    address = split_mqtt_url(url)
    tls = _tls_context(alerts) if address.is_tls else None
    topics = Topics(alerts.mqtt_topic, alerts.mqtt_discovery)
    return MqttSink(MqttOptions(address, tls, topics), rules)


def _tls_context(alerts: AlertSettings) -> ssl.SSLContext:
    authority = None if alerts.mqtt_ca is None else alerts.mqtt_ca.get_secret_value()
    try:
        return ssl.create_default_context(cafile=authority)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        reason = error.strerror if isinstance(error, OSError) else None
        raise SettingsError(
            f"The file that alerts_mqtt_ca names holds no certificate that can be read: "
            f"{reason or type(error).__name__}. Give the PEM file of the broker's authority."
        ) from None

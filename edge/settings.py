"""Every setting: by flag, by environment (``EDGE_...``), or in a TOML file, in this order.

A setting has one flat name (``cloud_endpoint``), which its flag, its variable and the TOML file
use; the file may also give it in a table (``[cloud]``). In the code the settings of an optional
part form a group, which is ``None`` where the part is not configured. ``Field(description=...)`` is
what ``docs/settings.md`` and ``--help`` print.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Secret,
    SecretStr,
    ValidationError,
    model_validator,
)

from edge.api_key import ApiKey, parse_keys, shown_location
from edge.environment import CONFIG, PREFIX, read_variables
from edge.errors import SettingsError
from edge.origins import parse_host, parse_origin
from edge.printable import escape, first_unprintable
from edge.secret_text import (
    check_address,
    check_mqtt_url,
    check_url,
    check_webhook_secret,
    refuse_content,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

_ROOT_PATH = re.compile(r"(?!\.)[A-Za-z0-9._~-]{1,64}(/(?!\.)[A-Za-z0-9._~-]{1,64}){0,7}")

_NOT_SET: Any = None
"""Default of the value that configures its group: without it the group is ``None``."""


def _split(value: Any) -> Any:
    """Split words at blanks; a settings file may give a list instead."""
    return tuple(value.split()) if isinstance(value, str) else value


def _split_list(value: Any) -> Any:
    """Split words at blanks and commas; a settings file may give a list instead."""
    return tuple(re.findall(r"[^\s,]+", value)) if isinstance(value, str) else value


def _without_brackets(host: str) -> str:
    """An address as sockets take it; URLs have IPv6 in brackets."""
    return host[1:-1] if host.startswith("[") and host.endswith("]") else host


def _check_root_path(value: str) -> str:
    """A prefix in the form ``/edge``; empty for none."""
    path = value.strip("/")
    if path and not _ROOT_PATH.fullmatch(path):
        raise ValueError("is not a path such as /edge, of letters, digits and . _ ~ -")
    return f"/{path}" if path else ""


def _check_host_names(names: tuple[str, ...]) -> tuple[str, ...]:
    for name in names:
        host = parse_host(name.encode("idna").decode()) if name != "*" else None
        if name != "*" and (host is None or host.port is not None):
            raise ValueError(f"{escape(name)} is not a host name without scheme and port, nor *")
    return names


def _check_title(title: str) -> str:
    found = first_unprintable(title)
    if found is not None:
        raise ValueError(f"character {found[0] + 1}, {found[1]}, does not print")
    return title.strip()


def _check_origins(origins: tuple[str, ...]) -> tuple[str, ...]:
    origins = tuple(origin.removesuffix("/") for origin in origins)
    for origin in origins:
        if parse_origin(origin) is None:
            raise ValueError(f"{escape(origin)} is not an origin such as https://shop.example.org")
    return origins


def _parse_networks(value: Any) -> Any:
    words = _split_list(value)
    if not isinstance(words, (tuple, list)):
        return words
    networks = []
    for word in words:
        try:
            networks.append(ipaddress.ip_network(word, strict=False))
        except ValueError:
            raise ValueError(
                f"{escape(str(word))} is neither an address nor a network such as 10.0.0.0/8"
            ) from None
    return tuple(networks)


Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Milliseconds = Annotated[int, Field(ge=1, le=600_000)]
Money = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]
Calls = Annotated[int, Field(ge=0, le=1_000_000_000)]
Port = Annotated[int, Field(ge=0, le=65535)]
ApiKeys = Annotated[dict[str, ApiKey], BeforeValidator(parse_keys)]
WordList = Annotated[tuple[str, ...], BeforeValidator(_split)]
HostNames = Annotated[
    tuple[str, ...], BeforeValidator(_split_list), AfterValidator(_check_host_names)
]
Origins = Annotated[tuple[str, ...], BeforeValidator(_split_list), AfterValidator(_check_origins)]
Networks = Annotated[tuple[Network, ...], BeforeValidator(_parse_networks)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Endpoint = Annotated[str, Field(pattern=r"^projects/[^/]+/locations/[^/]+/endpoints/[^/]+$")]
SecretFile = Annotated[Secret[Path], BeforeValidator(refuse_content)]
"""Path of a file with a secret: the secret itself, pasted in its place, is refused unquoted."""
MqttTopic = Annotated[str, Field(max_length=200, pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$")]


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class FallbackSettings(_Group):
    """When frames escalate, to the online model or to the outbox, which may be configured alone.

    The flat names begin with ``cloud_``.
    """

    mode: str = Field(
        "off",
        description="When to ask the online model: off, prefer_cloud, shadow, or several of "
        "on_error, low_confidence, overload, separated by commas.",
    )
    request_modes: WordList = Field(
        ("off",),
        description="Modes that a request may choose instead (?fallback=), separated by blanks.",
    )
    threshold: Share = Field(0.5, description="Scores below this are unsure, 0..1.")
    margin: Share = Field(
        0.1,
        description="The edge is unsure if its best two classes are closer than this, 0..1.",
    )
    timeout_ms: Milliseconds = Field(
        2_000,
        description="Maximum milliseconds of a frame's deadline that the online model may take; "
        "up to 600000.",
    )
    concurrency: Annotated[int, Field(ge=1, le=256)] = Field(
        8, description="Maximum number of calls under way at once, 1..256."
    )
    repeat_s: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = Field(
        5.0,
        description="Seconds in which a camera's or stream's frame is neither sent nor kept if the "
        "edge's answer is as before, up to 86400; 0 turns this off.",
    )


class CloudSettings(_Group):
    """The online model and its budget; configured by ``endpoint``."""

    endpoint: Endpoint = Field(
        _NOT_SET,
        description="Vertex AI endpoint of the online model: projects/P/locations/L/endpoints/E. "
        "If not set, no online model is used.",
    )
    address: Annotated[str, AfterValidator(check_address)] | None = Field(
        None,
        description="Host and port of the endpoint, if not the region's own; "
        "prefix http:// for one without TLS.",
    )
    transport: Literal["grpc", "rest"] = Field("grpc", description="Protocol of the endpoint.")
    request: Literal["automl", "tf_serving"] = Field(
        "automl",
        description="Image format of the endpoint: automl (content), or tf_serving "
        "(image_bytes.b64) for a container.",
    )
    credentials: SecretFile | None = Field(
        None,
        description="Path of a service account's file, or anonymous for a private endpoint. "
        "Google's application default credentials if not set.",
    )
    calls_per_day: Calls | Literal["unlimited"] = Field(
        1_000,
        description="Maximum calls per 24 hours, up to 1000000000, or unlimited. The last quarter "
        "of 100 or more is for clients that have made few.",
    )
    calls_per_month: Calls | None = Field(
        None, description="Maximum calls per 30 days, up to 1000000000; unlimited if not set."
    )
    price: Money = Field(0.0, description="Price of one call, in your currency, up to 1000000000.")
    cost_per_day: Money | None = Field(
        None, description="Maximum spend per 24 hours, up to 1000000000; unlimited if not set."
    )
    cost_per_month: Money | None = Field(
        None, description="Maximum spend per 30 days, up to 1000000000; unlimited if not set."
    )
    rate: Annotated[float, Field(gt=0, le=10_000, allow_inf_nan=False)] | None = Field(
        None, description="Maximum average calls per second, up to 10000; unlimited if not set."
    )
    budget_file: Path | None = Field(
        None,
        description="File that remembers the calls made. budget.json in outbox_dir if not set; "
        "without either, only the default of calls_per_day may limit, and counts from each start.",
    )


class OutboxSettings(_Group):
    """Store and forward; configured by ``dir``."""

    dir: Path = Field(
        _NOT_SET,
        description="Folder that keeps frames for the online model. If not set, no frame is kept.",
    )
    max_bytes: Annotated[int, Field(ge=1, le=1 << 44)] = Field(
        1 << 30,
        description="Maximum bytes in the outbox, up to 16 TiB; above it the surest entries are "
        "evicted.",
    )
    max_entries: Annotated[int, Field(ge=1, le=1_000_000)] = Field(
        10_000,
        description="Maximum entries in the outbox, up to 1000000; above it the surest entries are "
        "evicted.",
    )
    max_age_days: Annotated[float, Field(gt=0, le=36_500, allow_inf_nan=False)] = Field(
        30.0, description="Days of service after which an entry is deleted, up to 36500."
    )
    images: bool = Field(
        default=True,
        description="Keep the images. If false, only the edge's predictions are kept, and nothing "
        "is forwarded.",
    )
    key: SecretStr | None = Field(
        None,
        description="32 bytes in base64 that encrypt images on disk. Not encrypted if not set.",
    )
    ack_ms: Annotated[int, Field(ge=0, le=600_000)] = Field(
        0,
        description="Maximum milliseconds that an answer waits until its frame is safe on disk, "
        "up to 600000; with 0 it says pending.",
    )
    webhook: Annotated[SecretStr, AfterValidator(check_url)] | None = Field(
        None,
        description="URL that receives each result of the online model; may hold name:password@ "
        "for HTTP Basic. None if not set.",
    )
    webhook_secret: SecretStr | None = Field(
        None, description="Key of the webhook's signature, X-Edge-Signature. Unsigned if not set."
    )


class TlsSettings(_Group):
    """HTTPS; configured by ``enabled`` (whose flat name is ``tls``) or ``cert``."""

    enabled: bool = Field(
        default=False,
        description="Serve HTTPS, with a certificate made for this machine unless tls_cert is set.",
    )
    cert: SecretFile | None = Field(
        None, description="PEM file of your own certificate and its chain; turns tls on."
    )
    key: SecretFile | None = Field(
        None, description="PEM file of the certificate's key. The one in tls_cert if not set."
    )


class AlertSettings(_Group):
    """Alerts; configured by ``rules``."""

    rules: Path | None = Field(
        None,
        description="TOML file with the rules that raise alerts. If not set, none is raised.",
    )
    webhook: Annotated[SecretStr, AfterValidator(check_url)] | None = Field(
        None,
        description="URL that receives each alert; may hold name:password@ for HTTP Basic. None if "
        "not set.",
    )
    webhook_secret: Annotated[SecretStr, AfterValidator(check_webhook_secret)] | None = Field(
        None,
        description="Key of the webhook's signature, as Standard Webhooks has it: whsec_ and 24 to "
        "64 bytes in base64. Needed with alerts_webhook.",
    )
    mqtt: Annotated[SecretStr, AfterValidator(check_mqtt_url)] | None = Field(
        None,
        description="MQTT broker that receives each alert and the rules' states: "
        "mqtts://user:password@host:port, or mqtt:// without TLS. None if not set.",
    )
    mqtt_ca: SecretFile | None = Field(
        None,
        description="PEM file of the authority that signed the broker's certificate. The system's "
        "authorities if not set.",
    )
    mqtt_topic: MqttTopic = Field(
        "edge",
        description="What the topics begin with; give each device its own, such as edge/line-1.",
    )
    mqtt_discovery: MqttTopic | None = Field(
        None,
        description="Announce each rule to Home Assistant as a sensor, below this topic "
        "(homeassistant, unless it is set up otherwise). Not announced if not set.",
    )


def _alerts_if_configured(alerts: AlertSettings | None) -> AlertSettings | None:
    return alerts if alerts is not None and alerts.model_fields_set else None


def _cloud_if_configured(cloud: CloudSettings | None) -> CloudSettings | None:
    return cloud if cloud is not None and "endpoint" in cloud.model_fields_set else None


def _outbox_if_configured(outbox: OutboxSettings | None) -> OutboxSettings | None:
    return outbox if outbox is not None and "dir" in outbox.model_fields_set else None


def _tls_if_configured(tls: TlsSettings | None) -> TlsSettings | None:
    return tls if tls is not None and (tls.enabled or tls.cert is not None) else None


class Settings(BaseModel):
    """All settings of the service.

    Takes flat names (``cloud_endpoint=...``) as well as groups (``cloud=CloudSettings(...)``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    models: Path | None = Field(
        None,
        description="An export (folder, zip, file) or a folder of exports. The embedded models if "
        "not set.",
    )
    default_model: str | None = Field(
        None,
        description="Model that answers requests that name none. The first by name if not set.",
    )
    model_mounts: str | None = Field(
        None,
        description="Paths, separated by colons; if `models` is not set, the first that holds an "
        "export is served. The container image lists its mount points here.",
    )
    builtin: bool = Field(
        default=True,
        description="Serve the built-in demonstration models if no models are given and, in a "
        "container, nothing is mounted that could be meant as models.",
    )
    host: Annotated[str, AfterValidator(_without_brackets)] = Field(
        "127.0.0.1",
        description="Address to listen on. 0.0.0.0 opens the service to the network over IPv4, :: "
        "over IPv6 and IPv4.",
    )
    port: Port = Field(8501, description="Port to listen on; 0 picks a free one.")
    workers: Annotated[int, Field(ge=1, le=256)] | None = Field(
        None,
        description="Frames computed at the same time, 1..256. As many as the CPU quota and the "
        "memory allow if not set.",
    )
    latency: Literal["throughput", "low"] = Field(
        "throughput",
        description="throughput computes a frame on one thread, for most frames per second; low on "
        "two, if there are two CPUs, so that one camera alone gets its answer sooner, for more CPU "
        "time per frame. A detector with regular NMS stays on one: with two it loses detections.",
    )
    queue_size: Annotated[int, Field(ge=0, le=10_000)] = Field(
        64,
        description="Frames that may wait for a worker, up to 10000; above it a request is refused "
        "with 503. Fewer if memory is limited and this is not set.",
    )
    deadline_ms: Milliseconds = Field(
        10_000,
        description="Maximum milliseconds per frame, from the start of its body's arrival, up to "
        "600000; then 504. A request may ask for another deadline, but its body has no longer than "
        "this (408).",
    )
    max_body_bytes: Annotated[int, Field(ge=1, le=512 << 20)] = Field(
        32 << 20,
        description="Maximum size of a request body, in bytes, up to 512 MiB; above it 413. Less "
        "if memory is limited and this is not set.",
    )
    max_held_bytes: Annotated[int, Field(ge=1, le=1 << 40)] = Field(
        256 << 20,
        description="Maximum bytes of request bodies in memory at the same time, up to 1 TiB; "
        "above it 503. Less if memory is limited and this is not set.",
    )
    max_pixels: Annotated[int, Field(ge=1, le=1_000_000_000)] = Field(
        50_000_000,
        description="Maximum image size, width times height, up to 1000000000; above it 413. Each "
        "side is at most 16,384.",
    )
    max_decoded_bytes: Annotated[int, Field(ge=1, le=1 << 40)] = Field(
        512 << 20,
        description="Maximum memory of the images that are being decoded, in bytes, up to 1 TiB; "
        "413 for one that needs more, 503 for one that does not get it before its deadline. Less "
        "if memory is limited and this is not set.",
    )
    allow_unsafe_models: bool = Field(
        default=False,
        description="Serve SavedModels whose graph may reach files, processes, the network or "
        "Python of this machine. Such a model is a program: allow it only if you know its maker.",
    )
    exact_decode: bool = Field(
        default=False,
        description="Always decode JPEG at full scale; by default at 1.8 times the model's input, "
        "which is up to 3x faster.",
    )
    shutdown_grace_s: Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)] = Field(
        30.0,
        description="Seconds to finish accepted frames when the service is stopped, up to 86400.",
    )
    api_keys: ApiKeys = Field(
        {},
        description="API keys as a JSON object of names to a key's hash, scopes (predict, view, "
        "admin) and optional expiry; `edge key NAME` makes one. If not set, no key is required.",
    )
    allow_open: bool = Field(
        default=False,
        description="Allow listening on network addresses without any API key.",
    )
    allowed_hosts: HostNames = Field(
        (),
        description="Names by which clients may reach the service while no API key is set, besides "
        "its own, separated by blanks or commas; * allows every name.",
    )
    allowed_origins: Origins = Field(
        (),
        description="Origins of other sites whose pages may use the service, such as "
        "https://shop.example.org, separated by blanks or commas.",
    )
    trusted_proxies: Networks = Field(
        (),
        description="Addresses and networks of the reverse proxies whose X-Forwarded-For, "
        "X-Forwarded-Proto and X-Forwarded-Host are believed, separated by blanks or commas.",
    )
    root_path: Annotated[str, AfterValidator(_check_root_path)] = Field(
        "",
        description="Path under which a reverse proxy offers the service, such as /edge, whether "
        "the proxy takes it off or not. None if not set.",
    )
    data: Path | None = Field(
        None,
        description="Folder for what the service creates. ~/.local/share/edge if not set.",
    )
    tls_names: str | None = Field(
        None,
        description="More names and addresses of this machine, for its certificate and for links, "
        "separated by commas.",
    )
    pairing_port: Port = Field(
        8502,
        description="With tls: port of the plain HTTP page that offers the machine's own authority "
        "for download; 0 for none.",
    )
    max_streams: Annotated[int, Field(ge=1, le=10_000)] = Field(
        32, description="Maximum number of open streams, up to 10000; above it 429."
    )
    max_streams_per_client: Annotated[int, Field(ge=1, le=10_000)] = Field(
        8, description="Maximum number of open streams from one address, up to 10000."
    )
    stream_idle_s: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)] = Field(
        60.0, description="Seconds without a frame after which a stream is closed, up to 86400."
    )
    wall_size: Annotated[int, Field(ge=1, le=1_000)] = Field(
        32,
        description="Number of changed answers that the wall keeps per camera, with their pictures "
        "and in addition to the newest frame, up to 1000; in memory only.",
    )
    wall_bytes: Annotated[int, Field(ge=1, le=1 << 34)] = Field(
        64 << 20,
        description="Maximum bytes of pictures and answers that the wall keeps in total, up to "
        "16 GiB; each camera's newest frame is dropped last. Less if memory is limited and this "
        "is not set.",
    )
    kiosk_title: Annotated[str, Field(max_length=60), AfterValidator(_check_title)] = Field(
        "", description="Title of the kiosk page, up to 60 characters. Its own if not set."
    )
    kiosk_logo: Path | None = Field(
        None,
        description="JPEG, PNG or WebP file shown as the logo of the kiosk page, up to 1 MiB and "
        "4 million pixels. None if not set.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Minimum level to log."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="Format of log lines: console for people, json for programs."
    )
    log_requests: bool = Field(default=True, description="Write a log line for every request.")

    fallback: FallbackSettings = FallbackSettings()
    cloud: Annotated[CloudSettings | None, AfterValidator(_cloud_if_configured)] = None
    outbox: Annotated[OutboxSettings | None, AfterValidator(_outbox_if_configured)] = None
    tls: Annotated[TlsSettings | None, AfterValidator(_tls_if_configured)] = None
    alerts: Annotated[AlertSettings | None, AfterValidator(_alerts_if_configured)] = None

    @model_validator(mode="before")
    @classmethod
    def _sort_into_groups(cls, given: Any) -> Any:
        """Move values with a flat name of a group into that group."""
        if not isinstance(given, dict):
            return given
        sorted_values: dict[str, Any] = {}
        grouped: dict[str, dict[str, Any]] = {}
        for name, value in given.items():
            if name not in _GROUPED or isinstance(value, (dict, BaseModel)):
                sorted_values[name] = value
            elif value is not None:
                group, field = _GROUPED[name]
                grouped.setdefault(group, {})[field] = value
        return sorted_values | grouped

    @property
    def data_folder(self) -> Path:
        """``data``, or where a user's programs keep their data: the XDG base directory."""
        if self.data is not None:
            return self.data
        xdg = Path(os.environ.get("XDG_DATA_HOME", ""))
        base = xdg if xdg.is_absolute() else Path.home() / ".local" / "share"
        return base / "edge"


_GROUPS: dict[str, tuple[type[_Group], str]] = {
    "fallback": (FallbackSettings, "cloud_"),
    "cloud": (CloudSettings, "cloud_"),
    "outbox": (OutboxSettings, "outbox_"),
    "tls": (TlsSettings, "tls_"),
    "alerts": (AlertSettings, "alerts_"),
}
"""Group to its model, and what its flat names begin with."""

_TABLES = ("cloud", "outbox", "tls", "alerts")
"""Tables of the TOML file; a key of one is a flat name without its prefix."""


def _flat_name(group: str, field: str) -> str:
    if (group, field) == ("tls", "enabled"):
        return "tls"
    _, prefix = _GROUPS[group]
    return f"{prefix}{field}"


_GROUPED = {
    _flat_name(group, field): (group, field)
    for group, (model, _) in _GROUPS.items()
    for field in model.model_fields
}
"""Flat name to group and field, of the settings that have a group."""

TOPICS: dict[str, tuple[str, ...]] = {
    "Models": (
        "models",
        "default_model",
        "model_mounts",
        "builtin",
        "allow_unsafe_models",
        "exact_decode",
    ),
    "Listening": (
        "host",
        "port",
        "allow_open",
        "allowed_hosts",
        "allowed_origins",
        "trusted_proxies",
        "root_path",
        "data",
    ),
    "Limits": (
        "workers",
        "latency",
        "queue_size",
        "deadline_ms",
        "max_body_bytes",
        "max_held_bytes",
        "max_pixels",
        "max_decoded_bytes",
        "shutdown_grace_s",
    ),
    "Keys and TLS": ("api_keys", "tls", "tls_cert", "tls_key", "tls_names", "pairing_port"),
    "Streams and the wall": (
        "max_streams",
        "max_streams_per_client",
        "stream_idle_s",
        "wall_size",
        "wall_bytes",
    ),
    "Kiosk": ("kiosk_title", "kiosk_logo"),
    "Online model": tuple(name for name in _GROUPED if name.startswith("cloud_")),
    "Outbox": tuple(name for name in _GROUPED if name.startswith("outbox_")),
    "Alerts": tuple(name for name in _GROUPED if name.startswith("alerts_")),
    "Logs": ("log_level", "log_format", "log_requests"),
}
"""Topic to the flat names of its settings, as ``edge serve --help`` and the documentation print."""


def _field(name: str) -> FieldInfo:
    if name not in _GROUPED:
        return Settings.model_fields[name]
    group, field = _GROUPED[name]
    model, _ = _GROUPS[group]
    return model.model_fields[field]


FIELDS: dict[str, FieldInfo] = {name: _field(name) for names in TOPICS.values() for name in names}
"""Flat name to its field, of all settings."""


def default_text(field: FieldInfo) -> str:
    """Write a setting's default as the environment would give it; empty if it has none."""
    default = field.default
    if default is None:
        return ""
    if isinstance(default, bool):
        return str(default).lower()
    return " ".join(default) if isinstance(default, tuple) else str(default)


SECRETS = frozenset(
    {
        "alerts_mqtt",
        "alerts_mqtt_ca",
        "alerts_webhook",
        "alerts_webhook_secret",
        "api_keys",
        "cloud_address",
        "cloud_credentials",
        "outbox_key",
        "outbox_webhook",
        "outbox_webhook_secret",
        "tls_cert",
        "tls_key",
    }
)
"""Settings whose value no fault quotes: it is a secret, or somebody may give one in its place."""

_MAX_QUOTED = 100


def load_settings(flags: Mapping[str, Any] | None = None, config: Path | None = None) -> Settings:
    """Return the settings in force: flags before environment before file before defaults.

    Args:
        flags: those given on the command line, by flat name; ``None`` means not given.
        config: the TOML file; else the one that ``EDGE_CONFIG`` names, if any.

    Raises:
        SettingsError: names the setting, where it was given, and what is wrong with it.
    """
    variables = read_variables()
    path = variables.pop(CONFIG, "")
    if config is None and path:
        config = Path(path)
    from_file = _read_file(config) if config is not None else {}
    from_environment = _from_environment(variables)
    from_flags = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        return Settings(**{**from_file, **from_environment, **from_flags})
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        location = fault["loc"]
        name = str(location[0])
        if name in _GROUPS and len(location) > 1:
            name = _flat_name(name, str(location[1]))
        if name in from_flags:
            given = f"--{name.replace('_', '-')}"
        elif name in from_environment:
            given = f"{PREFIX}{name.upper()}"
        else:
            given = f"{name} in {config}"
        reason = fault["msg"].removeprefix("Value error, ")
        # Not `from error`: pydantic's holds every value that was given, secrets included.
        raise SettingsError(_fault(name, given, location, fault["input"], reason)) from None


def _fault(name: str, given: str, location: tuple[int | str, ...], value: Any, reason: str) -> str:
    """Say what is wrong with a setting, without the value of one that may be secret."""
    if name == "api_keys":
        where = ".".join(["api_keys", *shown_location(location[1:])])
        return f"{given}: {where}: {reason}. Make a valid one with `edge key NAME`."
    if name in SECRETS:
        return f"{given}: {reason}."
    if isinstance(value, (str, int, float)):
        return f"{given} = {escape(str(value)[:_MAX_QUOTED])}: {reason}.{_suggestion(name)}"
    return f"{given}: {reason}.{_suggestion(name)}"


def _read_file(file: Path) -> dict[str, Any]:
    """Read flat names and values from a TOML file; keys of a table get their prefix."""
    if not file.is_file():
        raise SettingsError(f"The settings file {file} does not exist.")
    try:
        values = tomllib.loads(file.read_text("utf-8"))
    # ValueError: not UTF-8, not TOML, or a number of thousands of digits.
    except (ValueError, RecursionError, OSError) as error:
        raise SettingsError(f"The settings file {file} cannot be read: {error}.") from error
    for table in _TABLES:
        if not isinstance(values.get(table), dict):
            continue
        for key, value in values.pop(table).items():
            name = f"{table}_{key}"
            if name in values:
                raise SettingsError(f"{file} gives {name} twice: by itself and in [{table}].")
            values[name] = value
        if table == "tls":
            values["tls"] = True
    for name in values:
        if name not in FIELDS:
            raise SettingsError(f"{name} in {file} is not a setting.{_suggestion(name)}")
    return values


def _from_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Flat names and texts of the variables; an empty one counts as not set."""
    values = {}
    for variable, text in variables.items():
        name = variable.removeprefix(PREFIX).lower()
        if name not in FIELDS:
            raise SettingsError(f"{variable} is not a setting.{_suggestion(name)}")
        if text:
            values[name] = text
    return values


def _suggestion(name: str) -> str:
    if name in FIELDS:
        return ""
    close = difflib.get_close_matches(name, FIELDS, n=1)
    return f" Did you mean {close[0]}?" if close else f" Settings: {', '.join(FIELDS)}."

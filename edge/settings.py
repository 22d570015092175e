"""Every setting, in one table: by flag, by environment (``EDGE_...``), or in a TOML file, in that order.

This module alone reads the environment. ``Field(description=...)`` is what README and ``--help`` say of a setting.
"""

from __future__ import annotations

import difflib
import os
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from edge.api_key import ApiKey, parse_keys
from edge.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "EDGE_"
CONFIG = "EDGE_CONFIG"
"""The variable that names the TOML file, as the flag ``--config`` does."""


def _split(value: Any) -> Any:
    """A text of words separated by blanks as a list, which a settings file may give as such."""
    return tuple(value.split()) if isinstance(value, str) else value


Positive = Annotated[int, Field(ge=1)]
ApiKeys = Annotated[dict[str, ApiKey], NoDecode, BeforeValidator(parse_keys)]
WordList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
Share = Annotated[float, Field(ge=0, le=1)]


class Settings(BaseSettings):
    """All settings of the service; each field is one."""

    model_config = SettingsConfigDict(
        extra="forbid", env_prefix=PREFIX, env_ignore_empty=True, frozen=True
    )

    models: Path | None = Field(
        None,
        description="An export (folder, zip, file) or a folder of exports. The embedded models if not set.",
    )
    default_model: str | None = Field(
        None,
        description="Name of the model that answers where none is named. The first by name if not set.",
    )
    host: str = Field(
        "127.0.0.1", description="Address to listen on. 0.0.0.0 opens the service to the network."
    )
    port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8501, description="Port to listen on; 0 takes a free one."
    )
    model_mounts: str | None = Field(
        None,
        description="Paths, with : between them, of which the first that is there holds the models where `models` is"
        " not set. The container image names its mount points here.",
    )
    workers: Positive | None = Field(
        None,
        description="Frames computed at the same time. As many as the CPU quota gives if not set.",
    )
    queue_size: Annotated[int, Field(ge=0)] = Field(
        64,
        description="Frames that may wait for a worker; beyond them a request is refused with 503.",
    )
    deadline_ms: Positive = Field(
        10_000,
        description="Milliseconds a frame may take in all, its body's arrival included; then 504.",
    )
    max_body_bytes: Positive = Field(
        32 << 20, description="Largest request body taken, in bytes; above it 413."
    )
    max_held_bytes: Positive = Field(
        256 << 20,
        description="Bytes of request bodies held in memory at the same time; beyond them 503.",
    )
    max_pixels: Positive = Field(
        50_000_000, description="Largest image decoded, width times height; above it 413."
    )
    exact_decode: bool = Field(
        default=False,
        description="Decode JPEG at full scale always; by default at twice the model's input, up to 3x faster.",
    )
    shutdown_grace_s: Annotated[float, Field(ge=0)] = Field(
        30.0,
        description="Seconds that accepted frames are given to be answered when the service is stopped.",
    )
    api_keys: ApiKeys = Field(
        {},
        description="Who may ask: JSON of names to a key's hash, scopes (predict, view, admin) and optional expiry. "
        "`edge key NAME` makes one. Everyone who reaches the service if not set.",
    )
    allow_open: bool = Field(
        default=False,
        description="Listen on other addresses than this machine's own loopback without any API key.",
    )
    data: Path | None = Field(
        None,
        description="Folder in which the service keeps what it makes. ~/.local/share/edge if not set.",
    )
    tls: bool = Field(
        default=False,
        description="Serve HTTPS, with a certificate made here for this machine if none is given by tls_cert.",
    )
    tls_cert: Path | None = Field(
        None, description="PEM file of your own certificate and its chain; turns tls on."
    )
    tls_key: Path | None = Field(
        None, description="PEM file of its key. The one in tls_cert if not set."
    )
    tls_names: str | None = Field(
        None,
        description="More names and addresses for the certificate made here, with commas between them.",
    )
    pairing_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        8502,
        description="With tls: port of the plain HTTP page that hands out the made authority; 0 for none.",
    )
    max_streams: Positive = Field(32, description="Streams open at the same time; beyond them 429.")
    max_streams_per_client: Positive = Field(
        8, description="Streams open at the same time from one address."
    )
    stream_idle_s: Annotated[float, Field(gt=0)] = Field(
        60.0, description="Seconds without a frame that end a stream."
    )
    wall_size: Positive = Field(
        32, description="Latest pictures of each camera that the wall keeps, in memory only."
    )
    wall_bytes: Positive = Field(
        64 << 20, description="Bytes of pictures that the wall keeps in all."
    )
    cloud_endpoint: (
        Annotated[str, Field(pattern=r"^projects/[^/]+/locations/[^/]+/endpoints/[^/]+$")] | None
    ) = Field(
        None,
        description="Vertex AI endpoint that may be asked: projects/P/locations/L/endpoints/E. None if not set.",
    )
    cloud_address: str | None = Field(
        None,
        description="Its host and port if not the region's own; http:// before it for one without TLS.",
    )
    cloud_transport: Literal["grpc", "rest"] = Field(
        "grpc", description="How the endpoint is called."
    )
    cloud_request: Literal["automl", "tf_serving"] = Field(
        "automl",
        description="How it wants an image: automl (content), or tf_serving (image_bytes.b64) in a container.",
    )
    cloud_credentials: Path | Literal["anonymous"] | None = Field(
        None,
        description="A service account's file, or anonymous for a private endpoint."
        " Google's application default credentials if not set.",
    )
    cloud_mode: str = Field(
        "off",
        description="When the online model is wanted: off, prefer_cloud, shadow, or several of on_error,"
        " low_confidence, overload, separated by commas.",
    )
    cloud_request_modes: WordList = Field(
        ("off",),
        description="Modes a request may ask for in its place (?fallback=), separated by blanks.",
    )
    cloud_threshold: Share = Field(0.5, description="A score under it is unsure, 0..1.")
    cloud_margin: Share = Field(
        0.1, description="The best two classes nearer than that are unsure, 0..1."
    )
    cloud_timeout_ms: Positive = Field(
        2_000,
        description="Milliseconds of a frame's deadline that the online model may take at most.",
    )
    cloud_calls_per_day: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Calls in 24 hours at most. No limit if not set."
    )
    cloud_calls_per_month: Annotated[int, Field(ge=0)] | None = Field(
        None, description="Calls in 30 days at most. No limit if not set."
    )
    cloud_price: Annotated[float, Field(ge=0)] = Field(
        0.0, description="What a call costs, in your currency."
    )
    cloud_cost_per_day: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Money in 24 hours at most. No limit if not set."
    )
    cloud_cost_per_month: Annotated[float, Field(ge=0)] | None = Field(
        None, description="Money in 30 days at most. No limit if not set."
    )
    cloud_rate: Annotated[float, Field(gt=0)] | None = Field(
        None, description="Calls a second at most, on average. No limit if not set."
    )
    cloud_concurrency: Positive = Field(8, description="Calls under way at once at most.")
    cloud_budget_file: Path | None = Field(
        None,
        description="Where the calls made are remembered. budget.json in outbox_dir if not set.",
    )
    outbox_dir: Path | None = Field(
        None,
        description="Folder in which frames are kept that the online model should see later. None if not set.",
    )
    outbox_max_bytes: Positive = Field(
        1 << 30, description="Bytes the outbox holds; beyond them the surest go."
    )
    outbox_max_entries: Positive = Field(
        10_000, description="Entries the outbox holds; beyond them the surest go."
    )
    outbox_max_age_days: Annotated[float, Field(gt=0)] = Field(
        30.0, description="Days of service after which an entry goes."
    )
    outbox_images: bool = Field(
        default=True,
        description="Keep the images; else only what the edge said of them, and nothing is forwarded.",
    )
    outbox_key: SecretStr | None = Field(
        None,
        description="32 bytes in base64, with which images are encrypted on disk. Not encrypted if not set.",
    )
    outbox_ack_ms: Annotated[int, Field(ge=0)] = Field(
        0,
        description="Milliseconds an answer may wait until its kept frame is safe on disk; with 0 it says pending.",
    )
    outbox_webhook: Annotated[str, Field(pattern="^https?://")] | None = Field(
        None, description="URL that is told each result of the online model. None if not set."
    )
    outbox_webhook_secret: SecretStr | None = Field(
        None, description="Key of the webhook's signature, X-Edge-Signature. Not signed if not set."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Least severe log lines that are written."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="How log lines are written: for people, or a JSON object a line."
    )
    log_requests: bool = Field(default=True, description="Write a log line for every request.")

    @property
    def data_folder(self) -> Path:
        """``data``, or where a user's programs keep their data: the XDG base directory."""
        if self.data is not None:
            return self.data
        named = os.environ.get("XDG_DATA_HOME", "")
        return (
            Path(named) if Path(named).is_absolute() else Path.home() / ".local" / "share"
        ) / "edge"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """`load_settings` alone decides what is read, so that an error can name where a value came from."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def load_settings(flags: Mapping[str, Any] | None = None, config: Path | None = None) -> Settings:
    """The settings in force: flags before the environment before the file before the defaults.

    Args:
        flags: those given on the command line, by setting; ``None`` means not given.
        config: the TOML file; else the one that ``EDGE_CONFIG`` names, if any.

    Raises:
        SettingsError: names the setting, where it was given, and what is wrong with it.
    """
    file = config or (Path(named) if (named := os.environ.get(CONFIG)) else None)
    from_file = _read_file(file) if file else {}
    from_environment = _read_environment()
    from_flags = {name: value for name, value in (flags or {}).items() if value is not None}
    try:
        return Settings(**{**from_file, **from_environment, **from_flags})
    except ValidationError as error:
        fault = error.errors()[0]
        name = str(fault["loc"][0])
        if name in from_flags:
            given = f"--{name.replace('_', '-')}"
        elif name in from_environment:
            given = f"{PREFIX}{name.upper()}"
        else:
            given = f"{name} in {file}"
        if name == "api_keys":  # a key written where its hash belongs must not end in a log
            where, words = (
                ".".join(map(str, fault["loc"])),
                fault["msg"].removeprefix("Value error, "),
            )
            raise SettingsError(
                f"{given}: {where}: {words}. `edge key NAME` makes a good one."
            ) from None
        raise SettingsError(
            f"{given} = {fault['input']}: {fault['msg']}.{_suggestion(name)}"
        ) from error


def _read_file(file: Path) -> dict[str, Any]:
    if not file.is_file():
        raise SettingsError(f"The settings file {file} is not there.")
    try:
        return TomlConfigSettingsSource(Settings, file)()
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise SettingsError(f"The settings file {file} cannot be read: {error}.") from error


def _read_environment() -> dict[str, Any]:
    for variable in os.environ:
        name = variable.removeprefix(PREFIX).lower()
        if variable.startswith(PREFIX) and variable != CONFIG and name not in Settings.model_fields:
            raise SettingsError(f"{variable} is no setting.{_suggestion(name)}")
    return EnvSettingsSource(Settings)()


def _suggestion(name: str) -> str:
    if name in Settings.model_fields:
        return ""
    close = difflib.get_close_matches(name, Settings.model_fields, n=1)
    return (
        f" Did you mean {close[0]}?" if close else f" Settings: {', '.join(Settings.model_fields)}."
    )

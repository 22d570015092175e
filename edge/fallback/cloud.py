"""The request to an online model and its response: the seam between this room and any cloud."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from edge.fallback.shares import NO_CLIENT
from edge.frame_key import digest_of, frame_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.model.tasks.task import Prediction, Task


@dataclass(frozen=True, slots=True)
class CloudRequest:
    """One frame for the online model.

    Attributes:
        image: the bytes as the caller sent them.
        task: what to predict.
        labels: of the edge's model, in its order; the response uses them.
        renamed: the online model's label to the edge's, if they differ.
        model: name of the edge's model.
        endpoint: for this model; ``None`` for the service's.
        client: whose share of the budget the call spends; empty for the outbox's.
    """

    image: bytes
    task: Task
    labels: tuple[str, ...]
    renamed: Mapping[str, str]
    model: str
    endpoint: str | None = None
    client: str = NO_CLIENT

    def key(self) -> str:
        """Identifies the frame, so that the far side can recognise a retry."""
        return frame_key(digest_of(self.image), self.model)


@dataclass(frozen=True, slots=True)
class CloudResponse:
    """What the online model answered.

    Attributes:
        prediction: in the edge's labels, followed by those that the edge's model does not have.
        unknown_labels: labels that the edge's model does not have.
        model: the online model, as it names itself.
        latency: milliseconds until the response, including retries and shrinking the image.
    """

    prediction: Prediction
    unknown_labels: tuple[str, ...]
    model: str
    latency: float


@dataclass(frozen=True, slots=True)
class VertexOptions:
    """Where the online model is and how to call it.

    Attributes:
        endpoint: ``projects/{project}/locations/{region}/endpoints/{number}``.
        address: host and port, with ``http://`` for no TLS; ``None`` for the region's own.
        rest: REST instead of gRPC.
        anonymous: send no credentials, as for a private endpoint.
        credentials: a service account's file; ``None`` for application default credentials.
        max_pixels: largest image decoded.
        image_bytes: send instances as ``{"image_bytes": {"b64": ...}}``, which TensorFlow Serving
            takes, instead of AutoML's ``{"content": ...}``.
    """

    endpoint: str
    address: str | None
    rest: bool
    anonymous: bool
    credentials: Path | None
    max_pixels: int
    image_bytes: bool

    @property
    def host(self) -> str:
        """Host and port."""
        if self.address is None:
            return f"{self.endpoint.split('/')[3]}-aiplatform.googleapis.com"
        return self.address.split("://")[-1].rstrip("/")

    @property
    def plaintext(self) -> bool:
        """Whether the connection has no TLS."""
        return self.address is not None and self.address.startswith("http://")


class CloudClient(Protocol):
    """A connection to an online model. Used from one event loop."""

    async def probe(self, seconds: float) -> None:
        """Find out cheaply whether the server can be reached; raises `CloudError`."""
        ...

    async def predict(
        self, request: CloudRequest, seconds: float, before_retry: BeforeRetry
    ) -> CloudResponse:
        """Return the response or raise `CloudError` within ``seconds``."""
        ...

    async def close(self) -> None:
        """Close the connection."""
        ...


class BeforeRetry(Protocol):
    """Called before each retry, which costs as much as the first attempt."""

    async def __call__(self) -> bool:
        """Count one more call and return true, or return false if it may not be made."""
        ...

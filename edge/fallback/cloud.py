"""What an online model is asked and what it answers: the seam between this room and any cloud."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

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
        task: what is asked of it.
        labels: of the edge's model, in its order; the answer is told in them.
        renamed: the online model's label to the edge's, where they differ.
        model: name of the edge's model.
        endpoint: of this model; ``None`` for the service's.
    """

    image: bytes
    task: Task
    labels: tuple[str, ...]
    renamed: Mapping[str, str]
    model: str
    endpoint: str | None = None

    def key(self) -> str:
        """Names the frame, the same however often it is sent, so that the far side can tell a repetition."""
        return frame_key(digest_of(self.image), self.model)


@dataclass(frozen=True, slots=True)
class CloudResponse:
    """What the online model answered.

    Attributes:
        prediction: in the edge's labels; those it does not know stand behind them.
        unknown_labels: labels that the edge's model does not have.
        model: of the cloud, as it names itself.
        latency: milliseconds from the sending to the answer, retries and the shrinking of the image included.
    """

    prediction: Prediction
    unknown_labels: tuple[str, ...]
    model: str
    latency: float


@dataclass(frozen=True, slots=True)
class VertexOptions:
    """Where the online model is and how it is spoken to.

    Attributes:
        endpoint: ``projects/{project}/locations/{region}/endpoints/{number}``.
        address: host and port, with ``http://`` for one without TLS; ``None`` for the region's own.
        rest: REST instead of gRPC.
        anonymous: no credentials: a private endpoint.
        credentials: a service account's file; ``None`` for application default credentials.
        max_pixels: largest image decoded.
        image_bytes: instances are ``{"image_bytes": {"b64": ...}}``, as TensorFlow Serving takes them, instead of
            AutoML's ``{"content": ...}``.
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
    def plain(self) -> bool:
        """Whether there is no TLS."""
        return self.address is not None and self.address.startswith("http://")


class CloudClient(Protocol):
    """A connection to an online model. Used from one event loop."""

    async def probe(self, seconds: float) -> None:
        """Find out cheaply whether somebody is there; raises `CloudError`."""
        ...

    async def predict(
        self, request: CloudRequest, seconds: float, before_retry: BeforeRetry
    ) -> CloudResponse:
        """Ask; returns or raises `CloudError` within that many seconds."""
        ...

    async def close(self) -> None:
        """Give the connection up."""
        ...


class BeforeRetry(Protocol):
    """Asked before each repetition of a call, which costs as the first did: whether it may be made."""

    async def __call__(self) -> bool:
        """Count one more call, if it may be made."""
        ...

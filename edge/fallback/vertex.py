"""The online model on Vertex AI, or on whatever speaks its `PredictionService` at a private address.

Imported in the background, and only where an endpoint is configured: the import takes seconds. Google's exceptions end
here, as `CloudError`.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import logging
import os
import time
import urllib.error
import urllib.request
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any

_PRODUCT = Path("/sys/class/dmi/id/product_name")


def _on_google() -> bool:
    """Whether this is a machine of Google's, as its firmware says (`google.auth` reads the same file)."""
    try:
        return _PRODUCT.read_text("utf-8").startswith("Google")
    except (OSError, UnicodeDecodeError):
        return False


if not _on_google():  # read when google.auth is imported; it would wait for seconds, for a server that is not there
    os.environ.setdefault("NO_GCE_CHECK", "true")

import google.auth
import grpc
import requests
from google.api_core import exceptions as google_errors
from google.auth.credentials import AnonymousCredentials
from google.auth.exceptions import GoogleAuthError, TransportError
from google.cloud.aiplatform_v1.services.prediction_service import (
    PredictionServiceAsyncClient,
    PredictionServiceClient,
)
from google.cloud.aiplatform_v1.services.prediction_service.transports.grpc_asyncio import (
    PredictionServiceGrpcAsyncIOTransport,
)
from google.cloud.aiplatform_v1.services.prediction_service.transports.rest import PredictionServiceRestTransport
from google.cloud.aiplatform_v1.types import PredictRequest, PredictResponse
from google.oauth2 import service_account
from google.protobuf import json_format
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from edge.errors import (
    CloudError,
    CloudMisconfigured,
    CloudNonsense,
    CloudNotAsked,
    CloudRefused,
    CloudUnreachable,
    RequestError,
)
from edge.fallback.cloud import CloudAnswer, VertexOptions
from edge.fallback.response import read_response
from edge.model.contract import Task
from edge.threads import in_background
from edge.vision.shrink import for_upload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from edge.fallback.cloud import BeforeRetry, Question

    Call = Callable[[PredictRequest, float, list[tuple[str, str]]], Awaitable[PredictResponse | None]]

_log = logging.getLogger(__name__)
logging.getLogger("grpc._common").setLevel(logging.CRITICAL)  # a trace for each answer that is no message

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
KEY_HEADER = "x-edge-idempotency-key"
"""Carries `Question.key`; Vertex hands it to nobody, a private endpoint may tell repetitions by it."""

MAX_REQUEST_BYTES = 1_500_000
"""Vertex AI's limit for a prediction request."""
_MAX_IMAGE_BYTES = (MAX_REQUEST_BYTES - 4_096) * 3 // 4  # base64, and room for the names around it
_USEFUL_SIDE = {Task.CLASSIFICATION: 640, Task.DETECTION: 1024}
"""Google's own advice for what a client sends to AutoML's models, in pixels."""

_NO_TLS = (
    "Somebody listens at {host}, but no secure connection comes about. Is the certificate of an authority known here? "
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH, and for REST also REQUESTS_CA_BUNDLE and SSL_CERT_FILE, may name a PEM file of "
    "authorities."
)
_LISTENS_S = 1.0

_MAX_PREDICTIONS = 100
_MOST_WORDS = 300
_AGAIN = (google_errors.TooManyRequests, google_errors.ServiceUnavailable, google_errors.GatewayTimeout)
_OURS = (
    google_errors.Unauthorized,
    google_errors.Forbidden,
    google_errors.NotFound,
    google_errors.FailedPrecondition,  # no model is deployed, say
    google_errors.MethodNotImplemented,
)
_OF_THE_FRAME = {HTTPStatus.BAD_REQUEST, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNPROCESSABLE_ENTITY}
"""All else, such as 407 and 511 of a proxy or a hotel's network, is no fault of the frame."""
_NOBODY = (
    *("failed to connect", "connection refused", "dns resolution", "socket closed"),  # of gRPC
    *("max retries exceeded", "read timed out"),  # of the fetching of a token
)
_FIRST_WAIT_S = 0.05
_MOST_WAIT_S = 2.0
_LEAST_TRY_S = 0.02
_CHANNEL_OPTIONS = [
    ("grpc.use_local_subchannel_pool", 1),  # else a probe finds the old connection, which may lead nowhere any more
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    ("grpc.client_idle_timeout_ms", 60_000),  # a router forgets an idle connection, and tells nobody
    ("grpc.enable_http_proxy", 1),
]


class VertexClient:
    """A `CloudClient` for `google.cloud.aiplatform.v1.PredictionService`."""

    def __init__(self, options: VertexOptions) -> None:
        """Raises ``CloudMisconfigured`` where the credentials cannot be read. Opens no connection yet."""
        self._options = options
        self._credentials = _credentials(options)
        self._channel: grpc.aio.Channel | None = None
        self._rest: PredictionServiceRestTransport | None = None
        self._call: Call | None = None

    def _open(self) -> Call:
        """Make the client, once, on the loop that uses it: gRPC's channel belongs to it. Connects nothing yet."""
        if self._call is None:
            host = self._options.host
            if self._options.rest:
                scheme = "http" if self._options.plain else "https"
                rest = PredictionServiceRestTransport(host=host, credentials=self._credentials, url_scheme=scheme)
                rest._session.max_redirects = 0  # noqa: SLF001 -- a hotel's network is sent no frame
                self._rest = rest
                self._call = _over_rest(PredictionServiceClient(transport=rest))
            else:
                self._channel = _channel(self._options, self._credentials)
                grpc_transport = PredictionServiceGrpcAsyncIOTransport(host=host, channel=self._channel)
                self._call = _over_grpc(PredictionServiceAsyncClient(transport=grpc_transport))
        return self._call

    async def probe(self, seconds: float) -> None:
        """A connection with all that belongs to it (name, proxy, TLS), but no call."""
        self._open()
        try:
            async with asyncio.timeout(seconds):
                if self._channel is not None:
                    await self._channel.channel_ready()
                else:
                    await in_background(partial(self._knock, seconds))
        except (TimeoutError, OSError, http.client.HTTPException, grpc.aio.UsageError) as error:
            if not self._options.plain and await self._somebody_listens():
                raise CloudUnreachable(_NO_TLS.format(host=self._options.host), costly=True) from error
            raise CloudUnreachable(f"Nobody answers at {self._options.host}.", costly=True) from error

    async def _somebody_listens(self) -> bool:
        """Whether it is not for want of a connection that none with TLS comes about."""
        host, _, port = self._options.host.partition(":")
        try:
            async with asyncio.timeout(_LISTENS_S):
                _, writer = await asyncio.open_connection(host, int(port or 443))
        except (TimeoutError, OSError, ValueError):
            return False
        writer.close()
        return True

    def _knock(self, seconds: float) -> None:
        """Any HTTP answer will do; the system's proxy is used, as the calls do."""
        scheme = "http" if self._options.plain else "https"
        try:
            urllib.request.urlopen(f"{scheme}://{self._options.host}/", timeout=seconds).close()  # noqa: S310 -- ours
        except urllib.error.HTTPError as answered:
            answered.close()

    async def predict(self, question: Question, seconds: float, before_retry: BeforeRetry) -> CloudAnswer:
        """Ask; see `CloudClient`. The image is shrunk on a thread; repeated only where that may help and time is left.

        Raises:
            CloudUnreachable: nobody, no time, or 429, 503, 504 to the end.
            CloudMisconfigured: wrong credentials or endpoint.
            CloudNotAsked: the frame cannot be sent.
            CloudRefused: the frame is refused.
            CloudNonsense: its answer makes no sense.
        """
        started = time.monotonic()
        deadline = started + seconds
        try:
            async with asyncio.timeout(seconds):
                request, key = await asyncio.to_thread(self._prepared, question)
                response = await self._ask(request, [(KEY_HEADER, key)], deadline, before_retry)
        except TimeoutError as error:
            raise CloudUnreachable(f"The online model did not answer within {seconds:.2f} s.", costly=True) from error
        prediction, unknown = read_response(_first(response), question.task, question.labels, question.renamed)
        assert response is not None
        model = response.model_display_name or response.model or response.deployed_model_id or self._options.endpoint
        return CloudAnswer(prediction, unknown, model, (time.monotonic() - started) * 1000)

    async def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            await self._channel.close()
        if self._rest is not None:
            self._rest.close()  # type: ignore[no-untyped-call]

    async def _ask(
        self, request: PredictRequest, metadata: list[tuple[str, str]], deadline: float, before_retry: BeforeRetry
    ) -> PredictResponse | None:
        call = self._open()

        async def spent(state: RetryCallState) -> bool:
            return time.monotonic() + state.upcoming_sleep + _LEAST_TRY_S >= deadline or not await before_retry()

        tries = AsyncRetrying(
            retry=retry_if_exception(_may_pass),
            wait=wait_random_exponential(_FIRST_WAIT_S, _MOST_WAIT_S),
            stop=spent,  # type: ignore[arg-type]  # it is awaited, which the types do not say
            reraise=True,
        )
        try:
            async for attempt in tries:
                with attempt:
                    return await call(request, max(deadline - time.monotonic(), _LEAST_TRY_S), metadata)
        except (google_errors.GoogleAPIError, GoogleAuthError, requests.exceptions.RequestException) as error:
            raise _translated(error) from error
        raise AssertionError  # tenacity either returns or raises

    def _prepared(self, question: Question) -> tuple[PredictRequest, str]:
        """The request, and the key that names its frame; raises ``CloudNotAsked``."""
        try:
            return self._request(question)
        except RequestError as error:
            raise CloudNotAsked(f"The image cannot be sent: {error.message}") from error
        except Exception as error:  # a fault of ours with one image must not be laid at the cloud's door
            _log.exception("an image could not be prepared for the online model")
            raise CloudNotAsked(f"The image cannot be sent ({type(error).__name__}).") from error

    def _request(self, question: Question) -> tuple[PredictRequest, str]:
        side = _USEFUL_SIDE[question.task]
        upload = for_upload(
            question.image, max_pixels=self._options.max_pixels, max_side=side, max_bytes=_MAX_IMAGE_BYTES
        )
        key, content = question.key(), base64.b64encode(upload.encoded).decode("ascii")
        instance: dict[str, Any]
        if self._options.image_bytes:
            instance, parameters = {"image_bytes": {"b64": content}, "key": key}, {}
        else:
            instance = {"content": content, "mimeType": upload.media_type}
            parameters = {"confidenceThreshold": 0.0, "maxPredictions": _MAX_PREDICTIONS}
        request = PredictRequest(endpoint=question.endpoint or self._options.endpoint)
        message = PredictRequest.pb(request)  # proto-plus does not take a list of values
        json_format.ParseDict(instance, message.instances.add())
        json_format.ParseDict(parameters, message.parameters)
        return request, key


def _channel(options: VertexOptions, credentials: Any) -> grpc.aio.Channel:
    target = options.host if ":" in options.host else f"{options.host}:443"
    if options.plain:
        return grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS)
    if options.anonymous:
        return grpc.aio.secure_channel(target, grpc.ssl_channel_credentials(), options=_CHANNEL_OPTIONS)
    return PredictionServiceGrpcAsyncIOTransport.create_channel(
        target, credentials=credentials, options=_CHANNEL_OPTIONS
    )


def _over_grpc(client: PredictionServiceAsyncClient) -> Call:
    async def call(request: PredictRequest, seconds: float, metadata: list[tuple[str, str]]) -> PredictResponse:
        return await client.predict(request, timeout=seconds, retry=None, metadata=metadata)

    return call


def _over_rest(client: PredictionServiceClient) -> Call:
    """Google's asynchronous REST transport knows no service accounts; the other runs on a thread, with a timeout.

    It reads whatever comes as Google's JSON, errors as well: a login page, or a proxy's, makes it fail in several ways.
    """

    async def call(request: PredictRequest, seconds: float, metadata: list[tuple[str, str]]) -> PredictResponse:
        ask = partial(client.predict, request, timeout=seconds, retry=None, metadata=metadata)
        try:
            return await in_background(ask)
        except (json_format.ParseError, ValueError, TypeError, AttributeError) as error:
            if isinstance(error, requests.RequestException | GoogleAuthError):  # of which some are ValueErrors, too
                raise
            raise CloudNonsense(f"What answered is no online model: {str(error)[:_MOST_WORDS]}") from error

    return call


def _credentials(options: VertexOptions) -> Any:
    """The credentials; application default ones look for a metadata server last, and only on Google's machines.

    A service account signs its tokens itself, as Google's own clients let it (AIP-4111): nothing is fetched for them,
    so that no second server has to be within reach.
    """
    if options.anonymous:
        return AnonymousCredentials()  # type: ignore[no-untyped-call]
    try:
        if options.credentials is not None:
            found = service_account.Credentials.from_service_account_file(str(options.credentials), scopes=SCOPES)  # type: ignore[no-untyped-call]
        else:
            # else Google's library asks gcloud, or the network, for a project that nobody needs
            os.environ.setdefault("GOOGLE_CLOUD_PROJECT", options.endpoint.split("/")[1])
            found = google.auth.default(scopes=SCOPES)[0]
    except (GoogleAuthError, OSError, ValueError) as error:
        raise CloudMisconfigured(f"There are no credentials for the online model: {error}") from error
    return found.with_always_use_jwt_access(True) if isinstance(found, service_account.Credentials) else found  # type: ignore[no-untyped-call]


def _first(response: PredictResponse | None) -> Any:
    if response is None:  # so gRPC says that the bytes were no message
        raise CloudNonsense("The online model's answer is no message of its protocol.")
    predictions = PredictResponse.pb(response).predictions
    if not predictions:
        raise CloudNonsense("The online model's answer holds no prediction.")
    try:
        return json_format.MessageToDict(predictions[0])
    except (json_format.SerializeToJsonError, ValueError) as error:  # NaN and Infinity are no JSON
        raise CloudNonsense(f"The online model's answer is no JSON: {error}") from error


def _may_pass(error: BaseException) -> bool:
    """Whether the same call may succeed a little later."""
    return isinstance(error, _AGAIN) and not _nobody(error) and not _no_token(error)


def _nobody(error: BaseException) -> bool:
    """Whether a 503 comes from this side of the network: gRPC says UNAVAILABLE also where nobody is there."""
    words = str(error).lower()
    return isinstance(error, google_errors.ServiceUnavailable) and any(sign in words for sign in _NOBODY)


def _no_token(error: BaseException) -> bool:
    """Whether a 503 comes from Google's own library: it could not get a token, and nothing was sent."""
    return isinstance(error, google_errors.ServiceUnavailable) and "getting metadata from plugin" in str(error).lower()


def _status_of(error: Exception) -> str:
    """Google's own word for an error that came over REST, where HTTP's status alone is too coarse; else empty."""
    response = getattr(error, "response", None)
    if not isinstance(response, requests.Response):
        return ""
    try:
        return str(response.json()["error"]["status"])
    except (ValueError, TypeError, KeyError):
        return ""


def _translated(error: Exception) -> CloudError:
    words = str(getattr(error, "message", None) or error)[:_MOST_WORDS]
    if isinstance(error, google_errors.GatewayTimeout | requests.exceptions.Timeout):
        return CloudUnreachable(f"The online model did not answer in time: {words}", costly=True)
    if isinstance(error, requests.exceptions.ConnectionError | TransportError) or _nobody(error):
        return CloudUnreachable(f"Nobody answers at the online model's or its tokens' address: {words}", costly=True)
    if isinstance(error, (*_OURS, GoogleAuthError)) or _no_token(error) or _status_of(error) == "FAILED_PRECONDITION":
        return CloudMisconfigured(f"The online model's endpoint or credentials are wrong: {words}")
    if getattr(error, "code", None) in _OF_THE_FRAME:
        return CloudRefused(f"The online model refuses this frame: {words}")
    return CloudUnreachable(f"The online model cannot answer now: {words}")

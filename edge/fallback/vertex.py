"""The online model on Vertex AI, or on a private server that speaks its `PredictionService`.

Imported in the background and only if an endpoint is configured: the import takes seconds. Google's
exceptions are translated to `CloudError` here.
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

_PRODUCT_NAME_FILE = Path("/sys/class/dmi/id/product_name")


def _runs_on_google() -> bool:
    """Whether this machine is Google's, by its firmware; `google.auth` reads the same file."""
    try:
        return _PRODUCT_NAME_FILE.read_text("utf-8").startswith("Google")
    except (OSError, UnicodeDecodeError):
        return False


if not _runs_on_google():
    # google.auth reads this when imported; without it, it waits seconds for a metadata server.
    os.environ.setdefault("NO_GCE_CHECK", "true")

import google.auth
import grpc
import requests
from google.api_core import exceptions as google_errors
from google.auth.credentials import AnonymousCredentials
from google.auth.environment_vars import CREDENTIALS
from google.auth.exceptions import GoogleAuthError, TransportError
from google.auth.transport.grpc import AuthMetadataPlugin
from google.auth.transport.requests import Request
from google.cloud.aiplatform_v1.services.prediction_service import (
    PredictionServiceAsyncClient,
    PredictionServiceClient,
)
from google.cloud.aiplatform_v1.services.prediction_service.transports.grpc_asyncio import (
    PredictionServiceGrpcAsyncIOTransport,
)
from google.cloud.aiplatform_v1.services.prediction_service.transports.rest import (
    PredictionServiceRestTransport,
)
from google.cloud.aiplatform_v1.types import PredictRequest, PredictResponse
from google.oauth2 import service_account
from google.protobuf import json_format
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from edge.background import in_background
from edge.errors import (
    CloudError,
    CloudMisconfigured,
    CloudNonsense,
    CloudNotAsked,
    CloudRefused,
    CloudUnreachable,
    RequestError,
)
from edge.fallback.bounded_http import MAX_REPLY_BYTES, bound
from edge.fallback.cloud import CloudResponse, VertexOptions
from edge.fallback.response import read_response
from edge.vision.shrink import for_upload

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from edge.fallback.cloud import BeforeRetry, CloudRequest

    Call = Callable[
        [PredictRequest, float, list[tuple[str, str]]], Awaitable[PredictResponse | None]
    ]

_log = logging.getLogger(__name__)
# Otherwise gRPC logs a traceback for each answer that is not a message of the protocol.
logging.getLogger("grpc._common").setLevel(logging.CRITICAL)

SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
KEY_HEADER = "x-edge-idempotency-key"
"""Carries `CloudRequest.key`. Vertex ignores it; a private server may recognise retries by it."""

MAX_REQUEST_BYTES = 1_500_000
"""Vertex AI's limit for a prediction request."""
_MAX_IMAGE_BYTES = (MAX_REQUEST_BYTES - 4_096) * 3 // 4  # base64, and room for the names around it

_NO_TLS = (
    "The port at {host} is open, but a TLS connection fails. Is its certificate from an authority "
    "that this machine trusts? GRPC_DEFAULT_SSL_ROOTS_FILE_PATH, and for REST also "
    "REQUESTS_CA_BUNDLE and SSL_CERT_FILE, may name a PEM file of authorities."
)
_PORT_CHECK_S = 1.0

_MAX_PREDICTIONS = 100
_MAX_MESSAGE_CHARS = 300
_RETRYABLE = (
    google_errors.TooManyRequests,
    google_errors.ServiceUnavailable,
    google_errors.GatewayTimeout,
)
_CONFIG_ERRORS = (
    google_errors.Unauthorized,
    google_errors.Forbidden,
    google_errors.NotFound,
    google_errors.FailedPrecondition,  # no model is deployed, say
    google_errors.MethodNotImplemented,
)
_FRAME_STATUSES = {
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}
"""Other statuses, such as 407 and 511 of a proxy or a hotel's network, do not blame the frame."""
_UNREACHABLE_SIGNS = (
    *("failed to connect", "connection refused", "dns resolution", "socket closed"),  # gRPC
    *("max retries exceeded", "read timed out"),  # fetching a token
)
_FIRST_WAIT_S = 0.05
_MAX_WAIT_S = 2.0
_MIN_ATTEMPT_S = 0.02
_CHANNEL_OPTIONS = [
    # Otherwise a probe reuses the old connection, whose network may be gone.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # Routers forget idle connections silently.
    ("grpc.client_idle_timeout_ms", 60_000),
    ("grpc.enable_http_proxy", 1),
    ("grpc.max_receive_message_length", MAX_REPLY_BYTES),
]


class VertexClient:
    """A `CloudClient` for `google.cloud.aiplatform.v1.PredictionService`."""

    def __init__(self, options: VertexOptions) -> None:
        """Read the credentials; raises ``CloudMisconfigured``. Opens no connection yet."""
        self._options = options
        self._credentials = _credentials(options)
        self._channel: grpc.aio.Channel | None = None
        self._rest: PredictionServiceRestTransport | None = None
        self._call: Call | None = None

    def _open(self) -> Call:
        """Make the client once, on the event loop that its gRPC channel will belong to."""
        if self._call is None:
            host = self._options.host
            if self._options.rest:
                scheme = "http" if self._options.plaintext else "https"
                rest = PredictionServiceRestTransport(
                    host=host, credentials=self._credentials, url_scheme=scheme
                )
                session = rest._session  # noqa: SLF001 -- no getter
                session.max_redirects = 0  # a captive portal must get no frame
                bound(session)
                if session._auth_request_session is not None:  # noqa: SLF001
                    bound(session._auth_request_session)  # noqa: SLF001 -- fetches tokens
                self._rest = rest
                self._call = _over_rest(PredictionServiceClient(transport=rest))
            else:
                self._channel = _channel(self._options, self._credentials)
                grpc_transport = PredictionServiceGrpcAsyncIOTransport(
                    host=host, channel=self._channel
                )
                self._call = _over_grpc(PredictionServiceAsyncClient(transport=grpc_transport))
        return self._call

    async def probe(self, seconds: float) -> None:
        """Connect as a call would (name, proxy, TLS), without calling; see `CloudClient`."""
        self._open()
        try:
            async with asyncio.timeout(seconds):
                if self._channel is not None:
                    await self._channel.channel_ready()
                else:
                    await in_background(partial(self._http_ping, seconds))
        except (TimeoutError, OSError, http.client.HTTPException, grpc.aio.UsageError) as error:
            if not self._options.plaintext and await self._port_is_open():
                raise CloudUnreachable(
                    _NO_TLS.format(host=self._options.host), costly=True
                ) from error
            raise CloudUnreachable(
                f"No server answers at {self._options.host}.", costly=True
            ) from error

    async def _port_is_open(self) -> bool:
        """Whether TCP connects, so that a failed connection is the fault of TLS."""
        host, _, port = self._options.host.partition(":")
        try:
            async with asyncio.timeout(_PORT_CHECK_S):
                _, writer = await asyncio.open_connection(host, int(port or 443))
        except (TimeoutError, OSError, ValueError):
            return False
        writer.close()
        return True

    def _http_ping(self, seconds: float) -> None:
        """Any HTTP answer will do; goes through the system's proxy, as the calls do."""
        scheme = "http" if self._options.plaintext else "https"
        try:
            urllib.request.urlopen(f"{scheme}://{self._options.host}/", timeout=seconds).close()  # noqa: S310 -- ours
        except urllib.error.HTTPError as answered:
            answered.close()

    async def predict(
        self, request: CloudRequest, seconds: float, before_retry: BeforeRetry
    ) -> CloudResponse:
        """Call the online model; see `CloudClient`.

        Shrinks the image on a thread. Retries only if that may help and time is left.

        Raises:
            CloudUnreachable: no server, no time, or 429, 503 or 504 on every attempt.
            CloudMisconfigured: wrong credentials or endpoint.
            CloudNotAsked: the frame cannot be sent.
            CloudRefused: the online model refuses the frame.
            CloudNonsense: its answer makes no sense.
        """
        started = time.monotonic()
        deadline = started + seconds
        try:
            async with asyncio.timeout(seconds):
                message, key = await asyncio.to_thread(self._prepare, request)
                response = await self._call_with_retries(
                    message, [(KEY_HEADER, key)], deadline, before_retry
                )
        except TimeoutError as error:
            raise CloudUnreachable(
                f"The online model did not answer within {seconds:.2f} s.", costly=True
            ) from error
        prediction, unknown = read_response(
            _first_prediction(response), request.task, request.labels, request.renamed
        )
        assert response is not None
        model = (
            response.model_display_name
            or response.model
            or response.deployed_model_id
            or self._options.endpoint
        )
        return CloudResponse(prediction, unknown, model, (time.monotonic() - started) * 1000)

    async def close(self) -> None:
        """Close the connection."""
        if self._channel is not None:
            await self._channel.close()
        if self._rest is not None:
            self._rest.close()  # type: ignore[no-untyped-call]

    async def _call_with_retries(
        self,
        request: PredictRequest,
        metadata: list[tuple[str, str]],
        deadline: float,
        before_retry: BeforeRetry,
    ) -> PredictResponse | None:
        call = self._open()

        async def must_stop(state: RetryCallState) -> bool:
            next_attempt = time.monotonic() + state.upcoming_sleep
            return next_attempt + _MIN_ATTEMPT_S >= deadline or not await before_retry()

        tries = AsyncRetrying(
            retry=retry_if_exception(_is_retryable),
            wait=wait_random_exponential(_FIRST_WAIT_S, _MAX_WAIT_S),
            stop=must_stop,  # type: ignore[arg-type]  # tenacity awaits it, its types do not say so
            reraise=True,
        )
        try:
            async for attempt in tries:
                with attempt:
                    return await call(
                        request, max(deadline - time.monotonic(), _MIN_ATTEMPT_S), metadata
                    )
        except (
            google_errors.GoogleAPIError,
            GoogleAuthError,
            requests.exceptions.RequestException,
        ) as error:
            raise _translate(error) from error
        raise AssertionError  # tenacity either returns or raises

    def _prepare(self, request: CloudRequest) -> tuple[PredictRequest, str]:
        """The protocol's message and the frame's key; raises ``CloudNotAsked``."""
        try:
            return self._build_message(request)
        except RequestError as error:
            raise CloudNotAsked(f"The image cannot be sent: {error.message}") from error
        except Exception as error:  # our own fault with one image must not be blamed on the cloud
            _log.exception("preparing an image for the online model failed")
            raise CloudNotAsked(f"The image cannot be sent ({type(error).__name__}).") from error

    def _build_message(self, request: CloudRequest) -> tuple[PredictRequest, str]:
        upload = for_upload(
            request.image,
            max_pixels=self._options.max_pixels,
            max_side=request.task.cloud_side,
            max_bytes=_MAX_IMAGE_BYTES,
        )
        key = request.key()
        content = base64.b64encode(upload.encoded).decode("ascii")
        instance: dict[str, Any]
        if self._options.image_bytes:
            instance, parameters = {"image_bytes": {"b64": content}, "key": key}, {}
        else:
            instance = {"content": content, "mimeType": upload.media_type}
            parameters = {"confidenceThreshold": 0.0, "maxPredictions": _MAX_PREDICTIONS}
        message = PredictRequest(endpoint=request.endpoint or self._options.endpoint)
        protobuf = PredictRequest.pb(message)  # proto-plus does not take a list of values
        json_format.ParseDict(instance, protobuf.instances.add())
        json_format.ParseDict(parameters, protobuf.parameters)
        return message, key


def _channel(options: VertexOptions, credentials: Any) -> grpc.aio.Channel:
    target = options.host if ":" in options.host else f"{options.host}:443"
    if options.plaintext:
        return grpc.aio.insecure_channel(target, options=_CHANNEL_OPTIONS)
    if options.anonymous:
        return grpc.aio.secure_channel(
            target, grpc.ssl_channel_credentials(), options=_CHANNEL_OPTIONS
        )
    # As Google's `create_channel` makes it, but with bounded replies of the token server.
    tokens = AuthMetadataPlugin(
        credentials,
        Request(bound(requests.Session())),
        default_host=PredictionServiceGrpcAsyncIOTransport.DEFAULT_HOST,
    )  # type: ignore[no-untyped-call]
    channel_credentials = grpc.composite_channel_credentials(
        grpc.ssl_channel_credentials(), grpc.metadata_call_credentials(tokens)
    )
    return grpc.aio.secure_channel(target, channel_credentials, options=_CHANNEL_OPTIONS)


def _over_grpc(client: PredictionServiceAsyncClient) -> Call:
    async def call(
        request: PredictRequest, seconds: float, metadata: list[tuple[str, str]]
    ) -> PredictResponse:
        try:
            return await client.predict(request, timeout=seconds, retry=None, metadata=metadata)
        except grpc.aio.UsageError as error:  # the link has just closed the channel
            raise CloudUnreachable("The connection to the online model was closed.") from error

    return call


def _over_rest(client: PredictionServiceClient) -> Call:
    """Run the synchronous client on a thread: the asynchronous one knows no service accounts.

    Google's client parses any reply as its own JSON, even errors; the login page of a network or a
    proxy's error page makes it fail in several ways.
    """

    async def call(
        request: PredictRequest, seconds: float, metadata: list[tuple[str, str]]
    ) -> PredictResponse:
        ask = partial(client.predict, request, timeout=seconds, retry=None, metadata=metadata)
        try:
            return await in_background(ask)
        except (
            json_format.ParseError,
            ValueError,
            TypeError,
            AttributeError,
            RecursionError,  # JSON that is nested too deeply
        ) as error:
            if isinstance(error, requests.RequestException | GoogleAuthError):
                raise  # some of these are ValueErrors, too
            words = str(error)[:_MAX_MESSAGE_CHARS]
            raise CloudNonsense(f"What answered is not an online model: {words}") from error

    return call


def _credentials(options: VertexOptions) -> Any:
    """The credentials: none, a service account's file, or application default credentials.

    Application default credentials look for a metadata server last, and only on Google's machines.
    A service account signs its tokens itself, as in Google's own clients (AIP-4111): nothing is
    fetched, so that no second server has to be reachable.
    """
    if options.anonymous:
        return AnonymousCredentials()  # type: ignore[no-untyped-call]
    try:
        if options.credentials is not None:
            found = service_account.Credentials.from_service_account_file(
                str(options.credentials), scopes=SCOPES
            )  # type: ignore[no-untyped-call]
        else:
            _check_credentials_variable()
            # Otherwise Google's library asks gcloud or the network for an unused project.
            os.environ.setdefault("GOOGLE_CLOUD_PROJECT", options.endpoint.split("/")[1])
            found = google.auth.default(scopes=SCOPES)[0]
    except OSError as error:
        # Without the path: a secret may have been given in its place.
        raise CloudMisconfigured(
            f"The file that cloud_credentials names cannot be read: {error.strerror}."
        ) from None
    except (GoogleAuthError, ValueError) as error:
        raise CloudMisconfigured(
            f"Credentials for the online model cannot be read: {error}"
        ) from error
    if isinstance(found, service_account.Credentials):
        return found.with_always_use_jwt_access(True)  # type: ignore[no-untyped-call]
    return found


def _check_credentials_variable() -> None:
    """Check the variable that Google's library would quote if it names no file."""
    named = os.environ.get(CREDENTIALS, "")
    if named and not os.path.isfile(named):  # noqa: PTH113 -- takes a text of any length
        raise CloudMisconfigured(f"The file that {CREDENTIALS} names does not exist.")


def _first_prediction(response: PredictResponse | None) -> Any:
    if response is None:  # gRPC could not parse the bytes
        raise CloudNonsense("The online model's answer is not a message of its protocol.")
    predictions = PredictResponse.pb(response).predictions
    if not predictions:
        raise CloudNonsense("The online model's answer holds no prediction.")
    try:
        return json_format.MessageToDict(predictions[0])
    except (json_format.SerializeToJsonError, ValueError) as error:  # NaN or Infinity
        raise CloudNonsense(f"The online model's answer is not valid JSON: {error}") from error


def _is_retryable(error: BaseException) -> bool:
    """Whether the same call may succeed a little later."""
    return (
        isinstance(error, _RETRYABLE)
        and not _is_unreachable(error)
        and not _lacks_token(error)
        and not _is_too_large(error)
    )


def _is_too_large(error: BaseException) -> bool:
    """Whether gRPC refused the answer by its size, which it reports like a 429."""
    return (
        isinstance(error, google_errors.ResourceExhausted)
        and "larger than max" in str(error).lower()
    )


def _is_unreachable(error: BaseException) -> bool:
    """Whether a 503 means that no server was reached: gRPC reports that as UNAVAILABLE, too."""
    words = str(error).lower()
    return isinstance(error, google_errors.ServiceUnavailable) and any(
        sign in words for sign in _UNREACHABLE_SIGNS
    )


def _lacks_token(error: BaseException) -> bool:
    """Whether a 503 comes from Google's own library, which got no token and sent nothing."""
    return (
        isinstance(error, google_errors.ServiceUnavailable)
        and "getting metadata from plugin" in str(error).lower()
    )


def _status_of(error: Exception) -> str:
    """Google's own status of an error over REST, where HTTP's is too coarse; empty if none."""
    response = getattr(error, "response", None)
    if not isinstance(response, requests.Response):
        return ""
    try:
        return str(response.json()["error"]["status"])
    except (ValueError, TypeError, KeyError):
        return ""


def _translate(error: Exception) -> CloudError:
    words = str(getattr(error, "message", None) or error)[:_MAX_MESSAGE_CHARS]
    if _is_too_large(error):
        return CloudNonsense(f"The online model's answer is too large: {words}")
    if isinstance(error, google_errors.GatewayTimeout | requests.exceptions.Timeout):
        return CloudUnreachable(f"The online model did not answer in time: {words}", costly=True)
    if isinstance(error, requests.exceptions.ConnectionError | TransportError) or _is_unreachable(
        error
    ):
        return CloudUnreachable(
            f"No server answers at the online model's or its token server's address: {words}",
            costly=True,
        )
    if (
        isinstance(error, (*_CONFIG_ERRORS, GoogleAuthError))
        or _lacks_token(error)
        or _status_of(error) == "FAILED_PRECONDITION"
    ):
        return CloudMisconfigured(f"The online model's endpoint or credentials are wrong: {words}")
    if getattr(error, "code", None) in _FRAME_STATUSES:
        return CloudRefused(f"The online model refuses this frame: {words}")
    return CloudUnreachable(f"The online model cannot answer now: {words}")

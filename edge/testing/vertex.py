"""A fake online model on loopback, in a process of its own.

Speaks `PredictionService` of aiplatform.v1 over gRPC and REST. It answers as scripted: correctly,
slowly, never, with an error, or with garbage, and remembers each call with its idempotency key.
`FakeVertex` starts and scripts it; ``python -m edge.testing.vertex`` is the process.

With a certificate it speaks TLS. With a service account's public key it answers only callers that
send a JSON web token signed by that account for Google's scope, or a token issued by its own OAuth
endpoint (``/token``).
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import grpc
from google.auth import jwt
from google.cloud.aiplatform_v1.types import PredictRequest, PredictResponse
from google.protobuf import json_format

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

ENDPOINT = "projects/1/locations/loopback/endpoints/2"
KEY_HEADER = "x-edge-idempotency-key"
DAISY = {"ids": ["7"], "displayNames": ["daisy"], "confidences": [0.97]}
MODEL = "fake online model"

GARBAGE = bytes(range(256))
LOGIN_PAGE = b"<html><body>Welcome to our network. Please log in.</body></html>"

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
TOKEN = "a-token-of-the-double"  # noqa: S105 -- opens nothing

_HEALTHY = {
    "prediction": DAISY,
    "status": 200,
    "delay_s": 0.0,
    "hang": False,
    "times": 0,
    "garbage": False,
    "refused_keys": [],
    "token_status": 200,
    "token_hang": False,
}
"""Its behaviour until `FakeVertex.behave` is called."""

_METHOD = "/google.cloud.aiplatform.v1.PredictionService/Predict"
_HANG_S = 600.0
_GRPC_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    500: grpc.StatusCode.INTERNAL,
    503: grpc.StatusCode.UNAVAILABLE,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}


class FakeVertex:
    """Starts the process and controls it.

    Attributes:
        host: address it listens on.
        grpc_port: of the gRPC server.
        rest_port: of the REST server.
        tls_port: of the REST server with TLS; ``None`` without a certificate.
    """

    def __init__(
        self,
        *prefix: str,
        host: str = "127.0.0.1",
        certificate: Path | None = None,
        account: Path | None = None,
    ) -> None:
        """Start it.

        Args:
            prefix: a command that runs the process, such as ``ip netns exec far``.
            host: address it listens on.
            certificate: PEM file of a key and its certificate. The gRPC server then speaks TLS.
            account: PEM file of a service account's public key; callers without its token are
                refused.
        """
        self.host = host
        flags = {"--host": host, "--certificate": certificate, "--account": account}
        given = [
            part
            for name, value in flags.items()
            if value is not None
            for part in (name, str(value))
        ]
        self._command = [*prefix, sys.executable, "-m", "edge.testing.vertex", *given]
        self.grpc_port = self.rest_port = 0  # any that are free
        self.tls_port: int | None = None
        self.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """For `EDGE_CLOUD_ADDRESS`, over gRPC."""
        return f"{'http' if self.tls_port is None else 'https'}://{self.host}:{self.grpc_port}"

    @property
    def rest_address(self) -> str:
        """For `EDGE_CLOUD_ADDRESS`, over REST."""
        if self.tls_port is None:
            return f"http://{self.host}:{self.rest_port}"
        return f"https://{self.host}:{self.tls_port}"

    @property
    def token_uri(self) -> str:
        """Of the OAuth endpoint, for files of credentials."""
        return f"http://{self.host}:{self.rest_port}/token"

    def behave(
        self,
        prediction: Any = DAISY,
        *,
        status: int = 200,
        delay_s: float = 0.0,
        hang: bool = False,
        times: int = 0,
        garbage: bool = False,
        refused_keys: Sequence[str] = (),
        token_status: int = 200,
        token_hang: bool = False,
    ) -> None:
        """Set what it answers from now on, and forget all calls.

        Args:
            prediction: the one element of ``predictions``; ``None`` for an empty list.
            status: HTTP status; gRPC uses the code with the same meaning.
            delay_s: seconds before it answers.
            hang: never answer.
            times: number of calls that get the status before others succeed; 0 for all.
            garbage: answer bytes that are not a message of the protocol; over REST, the login page
                of a hotel's network.
            refused_keys: idempotency keys of frames that get the status 400, whatever else is set.
            token_status: HTTP status of the OAuth endpoint.
            token_hang: the OAuth endpoint never answers.
        """
        behaviour = {
            "prediction": prediction,
            "status": status,
            "delay_s": delay_s,
            "hang": hang,
            "times": times,
        }
        behaviour |= {"garbage": garbage, "token_status": token_status, "token_hang": token_hang}
        behaviour["refused_keys"] = list(refused_keys)
        self._http("/control", behaviour)

    def calls(self) -> list[dict[str, Any]]:
        """Calls with a valid token since `behave`.

        Each has ``key``, ``endpoint``, ``size`` of the request in bytes, ``image`` (SHA-256) and
        ``instance`` (all but the image).
        """
        calls: list[dict[str, Any]] = self._http("/calls")
        return calls

    def image(self) -> bytes:
        """The image of the latest call."""
        return base64.b64decode(self._http("/image"))

    def start(self) -> None:
        """Start the process; after `stop`, a new one without any memory, on the same ports."""
        ports = ["--grpc-port", str(self.grpc_port), "--rest-port", str(self.rest_port)]
        self._process = subprocess.Popen(
            [*self._command, *ports], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        got = json.loads(self._process.stdout.readline())
        self.grpc_port, self.rest_port, self.tls_port = got["grpc"], got["rest"], got["tls"]

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _http(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(
            f"http://{self.host}:{self.rest_port}{path}", data, timeout=10
        ) as reply:
            return json.load(reply)


class _Model:
    """State of the process: its behaviour, who may call, and the calls so far."""

    def __init__(self, account: Path | None) -> None:
        self._lock = threading.Lock()
        self._account = account.read_bytes() if account else None
        self.behaviour: dict[str, Any] = _HEALTHY
        self.calls: list[dict[str, Any]] = []
        self.image = b""

    def set_behaviour(self, behaviour: dict[str, Any]) -> None:
        with self._lock:
            self.behaviour, self.calls = {**_HEALTHY, **behaviour}, []

    def token(self) -> tuple[int, Any]:
        """Status and body of the OAuth endpoint."""
        if self.behaviour["token_hang"]:
            time.sleep(_HANG_S)
        status = self.behaviour["token_status"]
        if status != 200:  # noqa: PLR2004 -- HTTP's
            return status, {
                "error": "invalid_grant",
                "error_description": "Token has been expired or revoked.",
            }
        return status, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}

    def knows(self, authorization: str) -> bool:
        """Whether the header names a caller that is allowed."""
        if self._account is None:
            return True
        token = authorization.removeprefix("Bearer ")
        if token == TOKEN:
            return True
        try:
            claims = jwt.decode(token, certs=self._account)  # type: ignore[no-untyped-call]
        except ValueError:
            return False
        return SCOPE in str(claims.get("scope", ""))

    def answer(
        self, request: PredictRequest, key: str, authorization: str
    ) -> tuple[int, PredictResponse | None]:
        """The status, and the answer; ``None`` for garbage."""
        if not self.knows(authorization):
            return 401, PredictResponse()
        with self._lock:
            behaviour = dict(self.behaviour)
            self.image = _image(request)
            self.calls.append(
                {"key": key, "endpoint": request.endpoint, **_facts(request, self.image)}
            )
            late = behaviour["times"] and len(self.calls) > behaviour["times"]
        time.sleep(_HANG_S if behaviour["hang"] else behaviour["delay_s"])
        if key in behaviour["refused_keys"]:
            return 400, PredictResponse()
        if behaviour["garbage"]:
            return 200, None
        response = PredictResponse(model_display_name=MODEL, deployed_model_id="3")
        if behaviour["prediction"] is not None:
            json_format.ParseDict(
                behaviour["prediction"], PredictResponse.pb(response).predictions.add()
            )
        return 200 if late else behaviour["status"], response


def _image(request: PredictRequest) -> bytes:
    instance = json_format.MessageToDict(PredictRequest.pb(request).instances[0])
    return base64.b64decode(instance.get("content") or instance["image_bytes"]["b64"])


def _facts(request: PredictRequest, image: bytes) -> dict[str, Any]:
    message = PredictRequest.pb(request)
    instance = json_format.MessageToDict(message.instances[0])
    return {
        "size": message.ByteSize(),
        "image": hashlib.sha256(image).hexdigest(),
        "instance": {
            name: value
            for name, value in instance.items()
            if name not in {"content", "image_bytes"}
        },
    }


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]  # untyped
    """The service's one method; google-cloud-aiplatform ships no generated servicer."""

    def __init__(self, model: _Model) -> None:
        self._model = model

    def service(self, handler_call_details: Any) -> Any:
        if handler_call_details.method != _METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._predict,
            request_deserializer=PredictRequest.deserialize,
            response_serializer=lambda response: (
                GARBAGE if response is None else PredictResponse.serialize(response)
            ),
        )

    def _predict(
        self, request: PredictRequest, context: grpc.ServicerContext
    ) -> PredictResponse | None:
        headers = {name: str(value) for name, value in context.invocation_metadata()}
        status, response = self._model.answer(
            request, headers.get(KEY_HEADER, ""), headers.get("authorization", "")
        )
        if status != 200:  # noqa: PLR2004 -- HTTP's
            context.abort(_GRPC_CODES[status], "scripted")
        return response


def _rest(model: _Model) -> type[BaseHTTPRequestHandler]:
    class Rest(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # connections stay, as Google's do

        def do_GET(self) -> None:
            known: dict[str, Any] = {
                "/calls": model.calls,
                "/image": base64.b64encode(model.image).decode(),
            }
            self._reply(200, known.get(self.path, {}))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/control":
                model.set_behaviour(json.loads(body))
                self._reply(200, {})
                return
            if self.path == "/token":
                self._reply(*model.token())
                return
            request = PredictRequest.from_json(body.decode())
            request.endpoint = self.path.removeprefix("/v1/").split(":predict")[0]
            key, authorization = (
                self.headers.get(name, "") for name in (KEY_HEADER, "Authorization")
            )
            status, response = model.answer(request, key, authorization)
            if response is None:
                self._send(200, "text/html", LOGIN_PAGE)
            elif status == 200:  # noqa: PLR2004 -- HTTP's
                self._reply(200, json.loads(PredictResponse.to_json(response)))
            else:
                self._reply(
                    status, {"error": {"code": status, "message": "scripted", "status": ""}}
                )

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class names it
            del format, args

        def _reply(self, status: int, value: Any) -> None:
            self._send(status, "application/json", json.dumps(value).encode())

        def _send(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # the caller has given up
                self.wfile.write(body)

    return Rest


def main() -> None:
    """Serve until killed; prints the ports as the first line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--grpc-port", type=int, default=0)
    parser.add_argument("--rest-port", type=int, default=0)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--account", type=Path)
    given = parser.parse_args()
    model = _Model(given.account)
    server = grpc.server(ThreadPoolExecutor(64), options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((_Handler(model),))
    rest = ThreadingHTTPServer((given.host, given.rest_port), _rest(model))
    tls_port = None
    if given.certificate is None:
        grpc_port = server.add_insecure_port(f"{given.host}:{given.grpc_port}")
    else:
        pem = given.certificate.read_bytes()
        grpc_port = server.add_secure_port(
            f"{given.host}:{given.grpc_port}", grpc.ssl_server_credentials([(pem, pem)])
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(given.certificate)
        with_tls = ThreadingHTTPServer((given.host, 0), _rest(model))
        with_tls.socket = context.wrap_socket(
            with_tls.socket, server_side=True, do_handshake_on_connect=False
        )
        tls_port = with_tls.server_port
        threading.Thread(target=with_tls.serve_forever, daemon=True).start()
    server.start()
    sys.stdout.write(
        json.dumps({"grpc": grpc_port, "rest": rest.server_port, "tls": tls_port}) + "\n"
    )
    sys.stdout.flush()
    rest.serve_forever()


if __name__ == "__main__":
    main()

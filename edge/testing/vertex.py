"""An online model on loopback, in a process of its own: `PredictionService` of aiplatform.v1 over gRPC and REST.

It answers as it is told: rightly, slowly, never, with an error, or with garbage. `FakeVertex` starts it and tells it;
``python -m edge.testing.vertex`` is the process. It remembers every call with its idempotency key.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import grpc
from google.cloud.aiplatform_v1.types import PredictRequest, PredictResponse
from google.protobuf import json_format

if TYPE_CHECKING:
    from types import TracebackType

ENDPOINT = "projects/1/locations/loopback/endpoints/2"
KEY_HEADER = "x-edge-idempotency-key"
DAISY = {"ids": ["7"], "displayNames": ["daisy"], "confidences": [0.97]}
MODEL = "fake online model"

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
    """The process, and the other end of its control.

    Attributes:
        host: address it listens on.
        grpc_port: of the gRPC server.
        rest_port: of the REST server.
    """

    def __init__(self, *prefix: str, host: str = "127.0.0.1") -> None:
        """Start it.

        Args:
            prefix: a command that runs the process, such as ``ip netns exec far``.
            host: address it listens on.
        """
        self.host = host
        self._process = subprocess.Popen(
            [*prefix, sys.executable, "-m", "edge.testing.vertex", host], stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        ports = json.loads(self._process.stdout.readline())
        self.grpc_port: int = ports["grpc"]
        self.rest_port: int = ports["rest"]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def address(self) -> str:
        """For `EDGE_CLOUD_ADDRESS`, over gRPC."""
        return f"http://{self.host}:{self.grpc_port}"

    @property
    def rest_address(self) -> str:
        """For `EDGE_CLOUD_ADDRESS`, over REST."""
        return f"http://{self.host}:{self.rest_port}"

    def behave(
        self, prediction: Any = DAISY, *, status: int = 200, delay_s: float = 0.0, hang: bool = False, times: int = 0
    ) -> None:
        """What it answers from now on, after forgetting all calls.

        Args:
            prediction: the one element of ``predictions``; ``None`` for none at all.
            status: an HTTP status; gRPC's of the same meaning there.
            delay_s: seconds before it answers.
            hang: it does not answer at all.
            times: so many calls have the status; those after them are answered. 0 for all.
        """
        told = {"prediction": prediction, "status": status, "delay_s": delay_s, "hang": hang, "times": times}
        self._http("/control", told)

    def calls(self) -> list[dict[str, Any]]:
        """Every call since `behave`: ``key``, ``endpoint``, ``size`` of the request and ``image`` (SHA-256)."""
        calls: list[dict[str, Any]] = self._http("/calls")
        return calls

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()

    def _http(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(f"{self.rest_address}{path}", data, timeout=10) as reply:  # noqa: S310 -- loopback
            return json.load(reply)


class _Model:
    """What the process knows: how to behave, and who called."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.told: dict[str, Any] = {"prediction": DAISY, "status": 200, "delay_s": 0.0, "hang": False, "times": 0}
        self.calls: list[dict[str, Any]] = []

    def tell(self, told: dict[str, Any]) -> None:
        with self._lock:
            self.told, self.calls = told, []

    def answer(self, request: PredictRequest, key: str) -> tuple[int, PredictResponse]:
        with self._lock:
            told = dict(self.told)
            self.calls.append({"key": key, "endpoint": request.endpoint, **_facts(request)})
            late = told["times"] and len(self.calls) > told["times"]
        time.sleep(_HANG_S if told["hang"] else told["delay_s"])
        response = PredictResponse(model_display_name=MODEL, deployed_model_id="3")
        if told["prediction"] is not None:
            json_format.ParseDict(told["prediction"], PredictResponse.pb(response).predictions.add())
        return 200 if late else told["status"], response


def _facts(request: PredictRequest) -> dict[str, Any]:
    message = PredictRequest.pb(request)
    instance = json_format.MessageToDict(message.instances[0])
    content = instance.get("content") or instance["image_bytes"]["b64"]
    return {
        "size": message.ByteSize(),
        "image": hashlib.sha256(base64.b64decode(content)).hexdigest(),
        "instance": {name: value for name, value in instance.items() if name not in {"content", "image_bytes"}},
    }


class _Handler(grpc.GenericRpcHandler):  # type: ignore[misc]  # untyped
    """The one method of the service, without its generated servicer: google-cloud-aiplatform ships none."""

    def __init__(self, model: _Model) -> None:
        self._model = model

    def service(self, handler_call_details: Any) -> Any:
        if handler_call_details.method != _METHOD:
            return None
        return grpc.unary_unary_rpc_method_handler(
            self._predict,
            request_deserializer=PredictRequest.deserialize,
            response_serializer=PredictResponse.serialize,
        )

    def _predict(self, request: PredictRequest, context: grpc.ServicerContext) -> PredictResponse:
        key = dict(context.invocation_metadata()).get(KEY_HEADER, "")
        status, response = self._model.answer(request, str(key))
        if status != 200:  # noqa: PLR2004 -- HTTP's
            context.abort(_GRPC_CODES[status], "told to")
        return response


def _rest(model: _Model) -> type[BaseHTTPRequestHandler]:
    class Rest(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(200, model.calls if self.path == "/calls" else {})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/control":
                model.tell(json.loads(body))
                self._reply(200, {})
                return
            request = PredictRequest.from_json(body.decode())
            request.endpoint = self.path.removeprefix("/v1/").split(":predict")[0]
            status, response = model.answer(request, self.headers.get(KEY_HEADER, ""))
            if status == 200:  # noqa: PLR2004 -- HTTP's
                self._reply(200, json.loads(PredictResponse.to_json(response)))
            else:
                self._reply(status, {"error": {"code": status, "message": "told to", "status": ""}})

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- the base class names it
            del format, args

        def _reply(self, status: int, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Rest


def main() -> None:
    """Serve until killed; says its ports on the first line."""
    host = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"
    model = _Model()
    server = grpc.server(ThreadPoolExecutor(64), options=[("grpc.max_receive_message_length", -1)])
    server.add_generic_rpc_handlers((_Handler(model),))
    grpc_port = server.add_insecure_port(f"{host}:0")
    server.start()
    rest = ThreadingHTTPServer((host, 0), _rest(model))
    sys.stdout.write(json.dumps({"grpc": grpc_port, "rest": rest.server_port}) + "\n")
    sys.stdout.flush()
    rest.serve_forever()


if __name__ == "__main__":
    main()

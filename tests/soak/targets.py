"""The servers that the fuzz fires at: one without keys, one with, and the port for pairing."""

from __future__ import annotations

import json
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builders.tflite import classifier
from serving.process import Server
from serving.secure import SecureServer, free_port

from edge.api_key import ApiKey, Scope, hash_key
from soak.entrances import KEYED, OPEN, PLAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from soak.entrances import Entrances

KEY = "edge_" + "k" * 43
"""The key that opens everything at the server with keys."""

_COMMON = {
    "workers": 2,
    "log_format": "console",
    "cloud_mode": "low_confidence",
    "max_streams_per_client": 32,  # the default of all streams: the fuzz comes from one address
}


@dataclass(frozen=True, slots=True)
class Target:
    """A running server and how it is fired at.

    Attributes:
        name: of the phase.
        share: of the requests that it gets.
        address: to connect to.
        key: that opens everything; ``None`` where none is needed.
    """

    name: str
    share: float
    server: Server
    address: tuple[str, int]
    entrances: Entrances
    key: str | None = None

    @property
    def host(self) -> str:
        """What a good ``Host`` header names."""
        host, port = self.address
        return f"{host}:{port}"


@contextmanager
def targets() -> Iterator[list[Target]]:
    """Start the servers; the model is tiny, so that time goes to what is fuzzed."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edge-fuzz-")))
        models = _models(folder)
        pairing_port = free_port()
        opened = Server(
            models=models,
            outbox_dir=folder / "outbox",
            outbox_max_entries=300,
            cloud_request_modes="off low_confidence",
            **_COMMON,
        )
        keyed = Server(
            models=models,
            outbox_dir=folder / "keyed",
            outbox_max_entries=300,
            env={"EDGE_API_KEYS": _keys()},
            **_COMMON,
        )
        secure = SecureServer(folder / "data", models=models, pairing_port=pairing_port, workers=1)
        for server in (opened, keyed, secure):
            stack.enter_context(server)
        yield [
            Target("without keys", 0.85, opened, opened.address, OPEN),
            Target("with keys", 0.1, keyed, keyed.address, KEYED, KEY),
            Target("pairing port", 0.05, secure, ("127.0.0.1", pairing_port), PLAIN),
        ]


def _models(folder: Path) -> Path:
    model = folder / "flowers"
    model.mkdir()
    (model / "model.tflite").write_bytes(classifier())
    (model / "dict.txt").write_text("\n".join(f"flower {number}" for number in range(12)))
    return model


def _keys() -> str:
    key = ApiKey(hash=hash_key(KEY), scopes=frozenset(Scope))
    return json.dumps({"owner": key.model_dump(mode="json")})

"""A container with an online model or an outbox behind it, as the page on the container says."""

import json
import subprocess
import uuid

import pytest
from docker_engine import HARDENED, ROOT

from edge.testing.vertex import ENDPOINT, FakeVertex

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

ASTRONAUT = (ROOT / "models/photos/astronaut.jpg").read_bytes()
KEEPING = (
    *("-e", "EDGE_CLOUD_MODE=low_confidence"),
    *("-e", "EDGE_OUTBOX_DIR=/data/outbox"),
    *("-e", "EDGE_OUTBOX_ACK_MS=5000"),
)


@pytest.fixture
def volume(engine):
    """A volume that outlives its containers."""
    name = f"edge-test-{uuid.uuid4().hex[:12]}"
    yield ("-v", f"{name}:/data")
    engine.docker("volume", "rm", "-f", name)


@pytest.fixture(scope="module")
def vertex(engine):
    """The double of the cloud, at the address by which containers reach this machine."""
    shown = subprocess.run(
        ["ip", "-j", "-4", "addr", "show", "docker0"], capture_output=True, check=False
    )
    if shown.returncode:
        pytest.skip("the engine's bridge is not on this machine")
    gateway = json.loads(shown.stdout)[0]["addr_info"][0]["local"]
    with FakeVertex(host=gateway) as fake:
        yield fake


def test_kept_frames_outlive_their_container_and_its_user_may_list_them(engine, lite, volume):
    with engine.run(lite, *HARDENED, *volume, *KEEPING) as container:
        status, answer = container.wait_ready().ask("/predict?camera=line-3", ASTRONAUT)
        assert (status, answer["decision"], answer["blocked_by"]) == (200, "defer", "no_endpoint")
        assert answer["outbox"]["state"] == "kept"
    with engine.run(lite, *HARDENED, *volume, *KEEPING) as container:
        (entry,) = map(
            json.loads,
            container.wait_ready().execute("edge", "outbox", "list", "--json").splitlines(),
        )
        assert (entry["key"], entry["camera"]) == (answer["outbox"]["key"], "line-3")


@pytest.mark.parametrize("transport", ["grpc", "rest"])
def test_the_full_image_asks_the_online_model_and_settles_what_waited(
    engine, full, vertex, volume, transport
):
    with engine.run(full, *HARDENED, *volume, *KEEPING) as container:
        key = container.wait_ready().ask("/predict", ASTRONAUT)[1]["outbox"]["key"]
    vertex.behave()
    address = vertex.address if transport == "grpc" else vertex.rest_address
    cloud = {
        "EDGE_CLOUD_ENDPOINT": ENDPOINT,
        "EDGE_CLOUD_ADDRESS": address,
        "EDGE_CLOUD_TRANSPORT": transport,
        "EDGE_CLOUD_CREDENTIALS": "anonymous",
        "EDGE_CLOUD_CALLS_PER_DAY": "500",
    }
    options = [part for name, value in cloud.items() for part in ("-e", f"{name}={value}")]
    with engine.run(full, *HARDENED, *volume, *KEEPING, *options) as container:
        container.wait_ready().wait(
            lambda: container.ask("/fallback")[1]["link"]["state"] == "up", "linked"
        )
        container.wait(
            lambda: container.ask(f"/outbox/{key}")[1]["state"] == "resolved", "resolved"
        )
        assert container.ask("/predict", ASTRONAUT)[1]["source"] == "cloud"
        assert container.ask("/fallback")[1]["link"]["budget"]["calls_today"] == 2
    assert {call["key"] for call in vertex.calls()} == {key}


def test_lite_says_that_it_has_no_cloud_client_and_serves(engine, lite):
    with engine.run(
        lite, *HARDENED, "-e", f"EDGE_CLOUD_ENDPOINT={ENDPOINT}", "-e", "EDGE_CLOUD_MODE=on_error"
    ) as one:
        one.wait_ready().wait(
            lambda: "No module named" in str(one.ask("/fallback")[1]["link"]["fault"]), "told"
        )
        assert one.ask("/predict", ASTRONAUT)[1]["source"] == "edge"

"""Nothing tries to reach any address, as the kernel's counters and all system calls show."""

import re
import shutil
import signal
import subprocess
import sys

import pytest
from docker_engine import HARDENED, ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_TRY_TO_GET_OUT = """
import socket
for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
    with socket.socket(socket.AF_INET, kind) as out:
        out.setblocking(False)
        try:
            out.connect(("192.0.2.1", 53))
            out.send(b"x")
        except OSError:
            pass
"""


def attempts(container):
    """Count connections begun, datagrams sent and packets without a route in the container."""
    counters = {}
    lines = container.execute("cat", "/proc/net/snmp").splitlines()
    for names, values in zip(lines[::2], lines[1::2], strict=True):
        protocol = names.split(":")[0]
        pairs = zip(names.split()[1:], values.split()[1:], strict=True)
        counters |= {f"{protocol}{name}": int(value) for name, value in pairs}
    chosen = ("TcpActiveOpens", "UdpOutDatagrams", "IpOutNoRoutes", "TcpPassiveOpens")
    return {name: counters[name] for name in chosen}


# A bridge whose packets go nowhere: an attempt would be made, be counted, and fail.
@pytest.mark.parametrize("model", ["embedded", "saved model"])
def test_no_packet_is_sent_but_in_reply(engine, request, model, coffee):
    if model == "saved model":
        image, mount = request.getfixturevalue("full"), request.getfixturevalue("saved_model")
        options = ("-v", f"{mount}:/models:ro")
    else:
        image, options = request.getfixturevalue("lite"), ()
    with engine.run(image, *HARDENED, "--no-healthcheck", *options) as container:
        container.wait(lambda: ready(container), "ready")
        asked = [container.ask("/predict", coffee)[0] for _ in range(5)]
        pages = [container.ask(path)[0] for path in ("/docs", "/models", "/metrics")]
        assert set(asked + pages) == {200}
        counted = attempts(container)
        assert counted.pop("TcpPassiveOpens") >= 8
        assert set(counted.values()) == {0}, counted
        container.execute("python", "-c", _TRY_TO_GET_OUT)  # the counters do count
        counted = attempts(container)
        assert (counted["TcpActiveOpens"], counted["UdpOutDatagrams"]) == (1, 1)


def ready(container):
    try:
        return container.ask("/health/ready")[0] == 200
    except OSError:
        return False


@pytest.mark.skipif(not shutil.which("strace"), reason="there is no strace command")
def test_no_system_call_of_the_service_names_an_address_to_reach(tmp_path):
    trace = tmp_path / "trace"
    strace = [
        "strace",
        "-D",
        "-f",
        "-qq",
        "-e",
        "trace=connect,sendto,sendmsg,sendmmsg",
        "-o",
        trace,
    ]
    serve = [sys.executable, "-m", "edge", "serve", "--port", "0"]
    service = subprocess.Popen(
        [*strace, *serve], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        url = re.search(r"on (http://\S+)", service.stdout.readline())[1]
        photo = f"open('{ROOT}/models/photos/coffee.jpg', 'rb')"
        predict = f"import urllib.request as u; u.urlopen('{url}/predict', {photo})"
        for line in service.stderr:
            if "objects version 1 is ready" in line:
                break
        subprocess.run([sys.executable, "-c", predict], check=True)
    finally:
        service.send_signal(signal.SIGTERM)
        service.communicate(timeout=30)
    assert "AF_INET" not in trace.read_text()
    own = subprocess.run(
        [*strace, sys.executable, "-c", _TRY_TO_GET_OUT], capture_output=True, check=False
    )
    assert own.returncode == 0
    assert "AF_INET" in trace.read_text()  # strace does see it

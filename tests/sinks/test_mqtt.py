"""Alerts and states at a real Mosquitto."""

import asyncio
import json
import resource
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trustme
from builders.alerts import alert, rule
from builders.waiting import until, wait

from edge.alerts.alert import RuleState
from edge.backoff import Backoff
from edge.secret_text import split_mqtt_url
from edge.sinks.mqtt import MqttOptions, MqttSink
from edge.sinks.mqtt_publisher import Topics

QUICK = Backoff(first_s=0.02, max_s=0.1)
GATE, YARD = rule("at the gate"), rule("in the yard")


def make_sink(url, *, discovery=None, tls=None, prefix="edge/line-1", rules=(GATE, YARD)):
    options = MqttOptions(split_mqtt_url(url), tls, Topics(prefix, discovery))
    return MqttSink(options, rules, backoff=QUICK)


@asynccontextmanager
async def running(url, **how):
    sink = make_sink(url, **how)
    sink.start()
    try:
        yield sink
    finally:
        await sink.stop()


def is_up(sink):
    return sink.status().state == "up"


def payloads(client, topic):
    return [payload for name, payload, _ in list(client.got) if name == topic]


def test_an_alert_arrives_and_the_states_and_the_status_are_retained(broker, listen):
    watcher = listen(broker)

    async def run():
        async with running(broker.url) as sink:
            sink.show(RuleState(GATE, ("gate",)))
            sink.deliver(alert(1, of=GATE))
            await until(lambda: sink.status().delivered == 1)
            await until(lambda: payloads(watcher, "edge/line-1/alerts/at_the_gate"))
            await until(lambda: payloads(watcher, "edge/line-1/alerts/in_the_yard/state"))
            await until(
                lambda: '"ON"' in str(payloads(watcher, "edge/line-1/alerts/at_the_gate/state"))
            )
            late = await asyncio.to_thread(listen, broker)
            await until(lambda: len(late.got) >= 3)
            return late.got[:3]

    retained = asyncio.run(run())
    assert all(is_retained for *_, is_retained in retained)
    messages = {topic: payload for topic, payload, _ in retained}
    assert set(messages) == {
        "edge/line-1/status",
        "edge/line-1/alerts/at_the_gate/state",
        "edge/line-1/alerts/in_the_yard/state",
    }
    assert messages["edge/line-1/status"] == "online"
    on = json.loads(messages["edge/line-1/alerts/at_the_gate/state"])
    assert (on["state"], on["cameras"]) == ("ON", ["gate"])
    assert json.loads(messages["edge/line-1/alerts/in_the_yard/state"])["state"] == "OFF"
    (body,) = payloads(watcher, "edge/line-1/alerts/at_the_gate")
    assert json.loads(body)["data"]["id"] == "alert_1"


def test_a_clean_stop_says_offline_and_a_killed_one_has_the_last_will(broker, listen):
    watcher = listen(broker)

    async def run():
        async with running(broker.url) as sink:
            await until(lambda: is_up(sink))

    asyncio.run(run())
    wait(lambda: payloads(watcher, "edge/line-1/status") == ["online", "offline"])

    program = (
        "import asyncio, sys; sys.path[:0] = sys.argv[2:]\n"
        "from test_mqtt import make_sink\n"
        "sink = make_sink(sys.argv[1]); sink.start(); sink._thread.join()"
    )
    here = Path(__file__).parent
    process = subprocess.Popen([sys.executable, "-c", program, broker.url, here, here.parent])
    try:
        wait(lambda: payloads(watcher, "edge/line-1/status")[2:] == ["online"])
    finally:
        process.kill()
        process.wait(30)
    wait(lambda: payloads(watcher, "edge/line-1/status")[2:] == ["online", "offline"])


def test_a_broker_that_comes_later_gets_what_was_raised_before(make_broker, listen):
    broker = make_broker(starts=False)

    async def run():
        async with running(broker.url) as sink:
            for number in range(3):
                sink.deliver(alert(number, of=GATE))
            sink.show(RuleState(YARD, ("yard",)))
            await until(lambda: sink.status().state == "down")
            assert sink.status().queued == 3
            assert "refused" in sink.status().fault
            await asyncio.to_thread(broker.start)
            watcher = await asyncio.to_thread(listen, broker)
            await until(lambda: sink.status().delivered == 3)
            await until(lambda: payloads(watcher, "edge/line-1/status"))
            assert sink.status().fault is None
            return watcher.got

    got = asyncio.run(run())
    states = [json.loads(text) for topic, text, _ in got if topic.endswith("in_the_yard/state")]
    assert states[-1]["state"] == "ON"


def test_it_connects_again_and_says_everything_again(broker, listen):
    async def run():
        async with running(broker.url) as sink:
            await until(lambda: is_up(sink))
            sink.show(RuleState(GATE, ("gate",)))
            await asyncio.to_thread(broker.stop)
            await until(lambda: sink.status().state == "down")
            sink.deliver(alert(7, of=GATE))
            await asyncio.to_thread(broker.start)
            await until(lambda: sink.status().delivered == 1)
            late = await asyncio.to_thread(listen, broker)
            await until(lambda: len(late.got) >= 3)
            return {topic: payload for topic, payload, _ in late.got}

    messages = asyncio.run(run())
    assert messages["edge/line-1/status"] == "online"
    assert json.loads(messages["edge/line-1/alerts/at_the_gate/state"])["state"] == "ON"


def test_each_rule_is_announced_to_home_assistant_where_that_is_asked_for(broker, listen):
    async def run():
        async with running(broker.url, discovery="homeassistant") as sink:
            await until(lambda: is_up(sink))
            late = await asyncio.to_thread(listen, broker, "homeassistant/#")
            await until(lambda: len(late.got) >= 2)
            return late.got

    got = asyncio.run(run())
    configs = {topic: json.loads(payload) for topic, payload, _ in got}
    assert set(configs) == {
        "homeassistant/binary_sensor/edge_line-1/at_the_gate/config",
        "homeassistant/binary_sensor/edge_line-1/in_the_yard/config",
    }
    config = configs["homeassistant/binary_sensor/edge_line-1/at_the_gate/config"]
    assert config["name"] == "at the gate"
    assert config["state_topic"] == "edge/line-1/alerts/at_the_gate/state"
    assert config["availability_topic"] == "edge/line-1/status"
    assert config["unique_id"] == "edge_edge_line-1_at_the_gate"
    assert config["device"]["identifiers"] == ["edge_edge_line-1"]


def test_without_discovery_nothing_is_announced(broker, listen):
    async def run():
        watcher = await asyncio.to_thread(listen, broker)
        async with running(broker.url) as sink:
            await until(lambda: is_up(sink))
            sink.deliver(alert(1, of=GATE))
            await until(lambda: sink.status().delivered == 1)
        await until(lambda: "offline" in payloads(watcher, "edge/line-1/status"))
        return watcher.got

    assert {topic.partition("/")[0] for topic, *_ in asyncio.run(run())} == {"edge"}


@pytest.fixture
def authority():
    return trustme.CA()


@pytest.fixture
def secure(make_broker, authority, tmp_path):
    """A broker that speaks TLS as `localhost`, and knows one user."""
    if shutil.which("mosquitto_passwd") is None:
        pytest.skip("mosquitto_passwd is not there")
    passwords = tmp_path / "passwords"
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "edge user", "p@ss:w"], check=True
    )
    passwords.chmod(0o644)
    certificate = authority.issue_cert("localhost")
    (tmp_path / "cert.pem").write_bytes(certificate.cert_chain_pems[0].bytes())
    (tmp_path / "key.pem").write_bytes(certificate.private_key_pem.bytes())
    (tmp_path / "ca.pem").write_bytes(authority.cert_pem.bytes())
    for file in ("cert.pem", "key.pem"):
        (tmp_path / file).chmod(0o644)
    tmp_path.chmod(0o755)
    return make_broker(
        options=f"allow_anonymous false\npassword_file {passwords}",
        listener=f"certfile {tmp_path}/cert.pem\nkeyfile {tmp_path}/key.pem",
    )


def test_tls_with_a_user_and_a_password(secure, listen, tmp_path):
    tls = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    url = f"mqtts://edge%20user:p%40ss%3Aw@localhost:{secure.port}"

    async def run():
        async with running(url, tls=tls) as sink:
            for number in range(30):
                sink.deliver(alert(number, of=GATE))
            await until(lambda: sink.status().delivered == 30)
            await until(lambda: not sink.status().queued)

    asyncio.run(run())


# paho leaves it to Python to close a socket whose handshake failed.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    ("who", "is_trusted", "words"),
    [
        ("edge%20user:wrong@", True, "refused the connection: Not authorized"),
        ("", True, "refused the connection: Not authorized"),
        ("edge%20user:p%40ss%3Aw@", False, "certificate is not to be trusted"),
    ],
)
def test_what_is_wrong_is_said_without_the_password(
    secure, who, is_trusted, words, tmp_path, caplog
):
    caplog.set_level("DEBUG")
    tls = ssl.create_default_context(cafile=str(tmp_path / "ca.pem") if is_trusted else None)

    async def run():
        async with running(f"mqtts://{who}localhost:{secure.port}", tls=tls) as sink:
            await until(lambda: sink.status().fault is not None)
            return sink.status()

    fault = asyncio.run(run()).fault
    assert words in fault
    assert not {one for one in ("wrong", "p@ss:w", "p%40ss") if one in caplog.text + fault}


def test_a_broker_that_never_answers_holds_up_neither_the_loop_nor_the_stop(caplog):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]

        async def run():
            sink = make_sink(f"mqtt://127.0.0.1:{port}")
            sink.start()
            sink.deliver(alert(1, of=GATE))
            connection, _ = await asyncio.to_thread(silent.accept)
            with connection:
                began = time.monotonic()
                await sink.stop()
                return time.monotonic() - began

        assert asyncio.run(run()) < 8
    assert "stopped with 1 alerts that the MQTT broker has not taken" in caplog.text
    wait(lambda: not any(thread.name == "edge-mqtt" for thread in threading.enumerate()))


def test_more_open_files_than_select_can_wait_for(broker):
    """paho's own loop fails once a socket has a number above 1,023."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1_300:
        pytest.skip("this user may not open 1,300 files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1_300), hard))
    held = [open("/dev/null") for _ in range(1_100)]  # noqa: SIM115, PTH123

    async def run():
        async with running(broker.url) as sink:
            sink.deliver(alert(1, of=GATE))
            await until(lambda: sink.status().delivered == 1)

    try:
        asyncio.run(run())
    finally:
        for one in held:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

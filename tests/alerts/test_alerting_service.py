"""`edge serve` with rules: wrong ones are refused, an alert goes all the way, faults are told."""

import json
import subprocess
import sys

import pytest
from builders.receiver import running_receiver
from builders.waiting import wait
from serving.pictures import photo
from serving.process import MODELS, Server

from edge.errors import SettingsError
from edge.settings import Settings
from edge.wiring.bootstrap import build_repository, build_serving_service

BROKER = {"alerts_rules": "alerts.toml", "alerts_mqtt": "mqtts://x"}
RULES = '[[rule]]\nname = "cat at the gate"\nlabel = "Cat"\ncamera = "gate"\n'
SECRET = "whsec_" + "A" * 43 + "="


@pytest.fixture
def rules(tmp_path):
    file = tmp_path / "alerts.toml"
    file.write_text(RULES)
    return file


def build(models=MODELS, **settings):
    given = Settings(models=models, **settings)
    return build_serving_service(given, build_repository(given))


WRONG = {
    "no rules": ({"alerts_webhook": "http://x/"}, "alerts_webhook without alerts_rules"),
    "no file": ({"alerts_rules": "gone.toml"}, r"gone\.toml cannot be read: No such file"),
    "a folder": ({"alerts_rules": "."}, "it is a folder, not a regular file"),
    "no secret": (
        {"alerts_rules": "alerts.toml", "alerts_webhook": "http://x/"},
        r"alerts_webhook without alerts_webhook_secret.*openssl",
    ),
    "no authority": (
        BROKER | {"alerts_mqtt_ca": "gone.pem"},
        "alerts_mqtt_ca names holds no certificate",
    ),
    "an authority that is none": (
        BROKER | {"alerts_mqtt_ca": "alerts.toml"},
        "alerts_mqtt_ca names holds no certificate",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_stops_the_start(case, rules, monkeypatch):
    monkeypatch.chdir(rules.parent)
    settings, words = WRONG[case]
    with pytest.raises(SettingsError, match=words):
        build(**settings)


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (
            'label = "cat"',
            r'line 3: rule 1 \("a"\): no model has the label "cat"\. Did you mean "Cat"\?',
        ),
        ('label = "espresso"\ncount = 2', "Remove count"),
    ],
)
def test_a_label_that_no_model_has_stops_the_start(rule, words, rules):
    rules.write_text(f'[[rule]]\nname = "a"\n{rule}\n')
    with pytest.raises(SettingsError, match=words):
        build(alerts_rules=rules)


def test_a_label_that_an_online_model_may_have_is_warned_about(rules, caplog):
    rules.write_text('[[rule]]\nname = "a"\nlabel = "cat"\n')
    service = build(
        alerts_rules=rules,
        cloud_endpoint="projects/p/locations/l/endpoints/1",
        cloud_budget_file=rules.parent / "budget.json",
    )
    assert "The rule stays" in caplog.text
    assert service.alerting.rules[0].label == "cat"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"x" * ((1 << 20) + 1)])
def test_a_file_of_something_else_stops_the_start(rules, content):
    rules.write_bytes(content)
    with pytest.raises(SettingsError, match=r"^alerts_rules: .*alerts\.toml: it "):
        build(alerts_rules=rules)


def test_nothing_is_imported_without_rules():
    service = build()
    assert service.alerting is None
    assert service.observers == []


def test_an_alert_goes_all_the_way(rules):
    with (
        running_receiver("/alerts") as receiver,
        Server(
            alerts_rules=rules,
            alerts_webhook=receiver.url,
            env={"EDGE_ALERTS_WEBHOOK_SECRET": SECRET},
        ) as server,
    ):
        client = server.client
        where = "/predict?model=objects&camera"
        for camera in ("yard", "gate", "gate"):
            reply = client.post(f"{where}={camera}&threshold=1", content=photo("chelsea"))
            assert reply.json()["predictions"] == []
        wait(lambda: client.get("/alerts").json()["sinks"]["webhook"]["delivered"] == 1)
        ((_, body),) = receiver.posts
        data = json.loads(body)["data"]
        assert (data["rule"], data["camera"], data["label"]) == ("cat at the gate", "gate", "Cat")
        told = client.get("/alerts").json()
        assert [one["id"] for one in told["recent"]] == [data["id"]]
        assert told["rules"][0]["state"] == "ON"
        metrics = client.get("/metrics").text
        assert 'edge_alerts_raised_total{rule="cat at the gate"} 1.0' in metrics
        assert 'edge_alert_on{rule="cat at the gate"} 1.0' in metrics
        assert 'edge_alert_sink_up{sink="webhook"} 1.0' in metrics
        assert 'edge_alert_sink_delivered_total{sink="webhook"} 1.0' in metrics
        assert "alerts" not in client.get("/health/ready").json()
        assert server.stop() == 0
        assert SECRET not in server.log
        assert 'alert "cat at the gate": camera "gate" shows 1 x Cat' in server.log


def test_a_receiver_that_is_away_is_told_where_an_operator_looks_and_delays_nothing(rules):
    with Server(
        alerts_rules=rules,
        alerts_webhook="http://127.0.0.1:1/t0ken",
        alerts_mqtt="mqtt://127.0.0.1:1",
        env={"EDGE_ALERTS_WEBHOOK_SECRET": SECRET},
    ) as server:
        client = server.client
        client.post("/predict?model=objects&camera=gate", content=photo("chelsea"))
        wait(lambda: len(client.get("/health/ready").json().get("alerts", {})) == 2)
        ready = client.get("/health/ready")
        assert ready.status_code == 200
        assert "refused" in ready.json()["alerts"]["webhook"]
        assert 'edge_alert_sink_up{sink="mqtt"} 0.0' in client.get("/metrics").text
        with client.stream("GET", "/wall/events") as events:
            told = {}
            name = None
            for line in events.iter_lines():
                field, _, value = line.partition(": ")
                name = value if field == "event" else name
                if field == "data":
                    told[name] = json.loads(value)
                if {"alerts", "health"} <= set(told):
                    break
        assert [one["rule"] for one in told["alerts"]["recent"]] == ["cat at the gate"]
        assert told["health"]["sinks"]["mqtt"]["state"] == "down"
        assert server.stop() == 0
        assert "alerts do not reach the webhook" in server.log
        assert "t0ken" not in server.log


def test_a_start_imports_a_sink_only_if_it_is_configured(rules):
    """In a process of its own: this one has imported all."""
    program = (
        "import sys\n"
        "from edge.settings import Settings\n"
        "from edge.wiring.bootstrap import build_repository, build_serving_service\n"
        "def build(**given):\n"
        "    settings = Settings(models=sys.argv[2], **given)\n"
        "    build_serving_service(settings, build_repository(settings))\n"
        "    of = ('paho', 'edge.alerts', 'edge.sinks', 'edge.dataplane.alerting')\n"
        "    print(*(one for one in sys.modules if one.startswith(of)))\n"
        "build()\n"
        "build(alerts_rules=sys.argv[1])\n"
    )
    command = [sys.executable, "-c", program, str(rules), str(MODELS / "objects")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    without, with_rules = (line.split() for line in done.stdout.splitlines())
    assert without == []
    assert "edge.alerts.rule" in with_rules
    assert not [one for one in with_rules if one.startswith(("paho", "edge.sinks.mqtt"))]
    assert "edge.sinks.webhook" not in with_rules

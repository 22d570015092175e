"""The compose file: its service runs on the engine, its configuration on a real Prometheus.

The images of Prometheus and Grafana are not pulled here. Debian's Prometheus scrapes the service
under the name and with the configuration that the compose file gives, and answers every query of
the dashboard.
"""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pytest
import yaml
from docker_engine import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

FOLDER = ROOT / "docker"
COMPOSE = yaml.safe_load((FOLDER / "compose.yaml").read_text())
DASHBOARD = json.loads((FOLDER / "grafana/dashboards/edge.json").read_text())

AS_FLAG = {"read_only": "--read-only", "mem_limit": "--memory", "restart": "--restart"}
AS_FLAGS = {"tmpfs": "--tmpfs", "cap_drop": "--cap-drop", "security_opt": "--security-opt"}


def filled_in(text):
    """A value with `${NAME:-default}` as it is where no such variable is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def as_options(service):
    """Return the flags of `docker run` for a service; an unknown word is an error."""
    options = []
    for key, value in service.items():
        if key in ("build", "image", "ports"):  # built and published by the test
            continue
        if key in AS_FLAG:
            options += [AS_FLAG[key]] if value is True else [AS_FLAG[key], value]
        elif key in AS_FLAGS:
            options += [word for each in value for word in (AS_FLAGS[key], each)]
        elif key == "environment":
            pairs = (f"{name}={filled_in(each)}" for name, each in value.items())
            options += [word for pair in pairs for word in ("-e", pair)]
        elif key == "logging":
            pairs = (f"{name}={each}" for name, each in value["options"].items())
            options += [
                "--log-driver",
                value["driver"],
                *(word for pair in pairs for word in ("--log-opt", pair)),
            ]
        elif key == "volumes":
            options += [word for each in value for word in ("-v", mount(filled_in(each)))]
        else:
            raise AssertionError(f"the test does not know {key}")
    return options


def mount(text):
    """Make a mount's folder absolute; drop a volume's name, so that no test leaves one behind."""
    source, target = text.split(":", 1)
    return f"{(FOLDER / source).resolve()}:{target}" if source.startswith(".") else target


@pytest.fixture(scope="module")
def service(engine, full):
    with engine.run(full, *as_options(COMPOSE["services"]["edge"])) as container:
        yield container.wait_ready()


def test_every_image_is_pinned_to_a_version_and_the_service_is_built_here():
    services = dict(COMPOSE["services"])
    assert services.pop("edge")["build"]["target"] == "${EDGE_TARGET:-full}"
    assert all(re.search(r":v?\d+\.\d+\.\d+$", each["image"]) for each in services.values())


def test_every_file_that_the_compose_file_mounts_is_there():
    mounts = [
        filled_in(each)
        for service in COMPOSE["services"].values()
        for each in service.get("volumes", ())
    ]
    sources = [each.split(":")[0] for each in mounts]
    assert not [each for each in sources if each.startswith(".") and not (FOLDER / each).exists()]
    assert {each for each in sources if not each.startswith(".")} == set(COMPOSE["volumes"])


def test_the_service_of_the_compose_file_answers(service, coffee):
    status, answer = service.ask("/predict", coffee)
    assert (status, answer["predictions"][0]["label"]) == (200, "espresso")
    assert '"event":"request"' in service.logs
    assert not service.state["OOMKilled"]


def test_grafana_is_provisioned_with_the_prometheus_of_the_compose_file_and_the_dashboard():
    provisioning = FOLDER / "grafana/provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources/prometheus.yaml").read_text())[
        "datasources"
    ]
    assert urllib.parse.urlsplit(source["url"]).hostname in COMPOSE["services"]
    assert {panel["datasource"]["uid"] for panel in DASHBOARD["panels"]} == {source["uid"]}
    (provider,) = yaml.safe_load((provisioning / "dashboards/edge.yaml").read_text())["providers"]
    mounts = dict(each.split(":")[:2] for each in COMPOSE["services"]["grafana"]["volumes"])
    assert mounts["./grafana/dashboards"] == provider["options"]["path"]


@pytest.fixture(scope="module")
def prometheus(service, tmp_path_factory):
    """Run Debian's Prometheus with the compose file's configuration; `edge` is the container."""
    if not (shutil.which("prometheus") and shutil.which("unshare")):
        pytest.skip("there is no prometheus command; Debian's package has it")
    place = tmp_path_factory.mktemp("prometheus")
    address = service.inspect(".NetworkSettings.IPAddress")
    hosts = place / "hosts"
    hosts.write_text(f"127.0.0.1 localhost\n{address} edge\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    options = f"--storage.tsdb.path={place / 'data'} --web.listen-address={listen}"
    prometheus = f"prometheus --config.file={FOLDER / 'prometheus.yml'} {options}"
    own_names = f"mount --bind {hosts} /etc/hosts && exec {prometheus}"
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-c", own_names], stderr=subprocess.PIPE
    )
    try:
        yield f"http://{listen}"
    finally:
        process.terminate()
        process.communicate(timeout=30)


def query(prometheus, expression):
    body = urllib.parse.urlencode({"query": expression}).encode()
    with urllib.request.urlopen(f"{prometheus}/api/v1/query", body, timeout=10) as reply:
        return json.load(reply)["data"]["result"]


def test_prometheus_scrapes_the_service_and_every_query_of_the_dashboard_finds_something(
    service, prometheus, coffee
):
    def scraped(times):
        try:
            counted = query(prometheus, "count_over_time(edge_ready[1m])")
        except OSError:
            return False
        if counted:  # a load that every panel has something to say of
            assert service.ask("/predict", coffee)[0] == 200
            assert service.ask("/predict", b"no image")[0] == 415
        return bool(counted) and int(counted[0]["value"][1]) >= times

    end = time.monotonic() + 60
    while not scraped(4):
        assert time.monotonic() < end, "Prometheus has not scraped the service"
        time.sleep(0.5)
    (up,) = query(prometheus, 'up{job="edge"}')
    assert (up["metric"]["instance"], up["value"][1]) == ("edge:8501", "1")
    expressions = {
        f"{panel['title']}: {target['expr']}": target["expr"].replace("$__rate_interval", "1m")
        for panel in DASHBOARD["panels"]
        for target in panel["targets"]
    }
    results = {name: query(prometheus, expression) for name, expression in expressions.items()}
    assert not [name for name, result in results.items() if not result]
    assert not [
        name for name, result in results.items() for series in result if series["value"][1] == "NaN"
    ]

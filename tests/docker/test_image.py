"""Both images on a real engine: builds and runs what the README says of the container."""

import http.client
import io
import itertools
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from answers import request_lines, top
from docker_engine import HARDENED, ROOT
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

MEGABYTE = 1_000_000
PHOTOS = ROOT / "models/photos"
SMALL_DEVICE = ("--memory", "256m", "--memory-swap", "256m")


def png(width, height):
    """A picture that no decoder can read at a smaller scale."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (90, 60, 30)).save(out, "PNG", compress_level=1)
    return out.getvalue()


def test_lite_has_at_most_300_megabytes_in_all(engine, lite, record_property):
    size = int(engine.docker("image", "inspect", "-f", "{{.Size}}", lite))
    record_property("size", size)
    assert size <= 300 * MEGABYTE


def test_full_has_every_package_and_lite_neither_tensorflow_nor_the_cloud_client(
    engine, lite, full
):
    probe = (
        "import importlib.util as u;"
        "names = 'tensorflow', 'vertexai', 'fastapi', 'uvicorn', 'PIL', 'numpy';"
        "print(*(name for name in names if u.find_spec(name)))"
    )
    assert engine.once(full, entrypoint="python", command=("-c", probe))[1].split() == [
        "tensorflow", "vertexai", "fastapi", "uvicorn", "PIL", "numpy",
    ]  # fmt: skip
    assert engine.once(lite, entrypoint="python", command=("-c", probe))[1].split() == [
        "fastapi", "uvicorn", "PIL", "numpy",
    ]  # fmt: skip


def test_no_build_tool_is_left_and_all_of_edge_is_compiled(engine, image):
    tools = (
        "for tool in gcc cc make git strip curl; do command -v $tool; done; "
        "ls /build /opt/edge/bin/pip; true"
    )
    found = engine.once(image, entrypoint="sh", command=("-c", f"{{ {tools}; }} 2>/dev/null"))[1]
    assert found == ""
    uncompiled = (
        "import importlib.util as u, pathlib, edge;"
        "print(*(f for f in pathlib.Path(edge.__file__).parent.rglob('*.py')"
        " if not pathlib.Path(u.cache_from_source(f)).exists()))"
    )
    assert engine.once(image, entrypoint="python", command=("-c", uncompiled))[1].strip() == ""


def test_it_starts_cold_without_any_network_and_is_right(engine, image, coffee):
    with engine.run(image, *HARDENED, "--network", "none", published=False) as container:
        answer = container.wait_ready().ask_inside("/predict", coffee)
        assert top(answer) == "espresso"
        boxes = container.ask_inside("/predict/objects", coffee)
        assert top(boxes) == "Coffee cup"


@pytest.mark.parametrize("user", ["1000:1000", "54321:12345"])
def test_any_user_serves_from_a_read_only_root_and_writes_only_to_data_and_tmp(
    engine, image, user, coffee
):
    with engine.run(image, *HARDENED, "--user", user) as container:
        status, answer = container.wait_ready().ask("/predict", coffee)
        assert (status, top(answer)) == (200, "espresso")
        folders = "/ /opt/edge /models /data /tmp"
        writes = f"for d in {folders}; do touch $d/x 2>/dev/null && echo $d; done; true"
        assert container.execute("sh", "-c", writes).split() == ["/data", "/tmp"]
        capabilities = re.search(r"CapEff:\s*(\w+)", container.execute("cat", "/proc/self/status"))
        assert int(capabilities[1], 16) == 0


def test_the_user_of_the_image_is_not_root(engine, image):
    assert engine.once(image, entrypoint="id", command=("-u",))[1].strip() == "10001"


def test_lite_as_it_comes_answers_many_photos_in_256_megabytes(engine, lite, coffee):
    with engine.run(lite, *HARDENED, *SMALL_DEVICE) as container, ThreadPoolExecutor(16) as crowd:
        container.wait_ready()
        answers = list(crowd.map(lambda _: container.ask("/predict", coffee), range(200)))
        assert {(status, top(answer)) for status, answer in answers} == {(200, "espresso")}
        assert not container.state["OOMKilled"]
        assert container.inspect(".RestartCount") == 0


def small_device():
    """The flags with which `docker/README.md` runs the service in 256 MB."""
    section = (ROOT / "docker/README.md").read_text("utf-8").split("### 3.")[1].split("### 4.")[0]
    command = section.split("docker run ")[1].split("edge:lite")[0]
    flags = re.findall(r"(--memory|--memory-swap|-e) (\S+)", command)
    return [word for pair in flags for word in pair]


def test_lite_answers_a_crowd_of_its_largest_images_in_256_megabytes(engine, lite, coffee):
    flags = small_device()
    assert flags == list(SMALL_DEVICE)
    patient = ("-e", "EDGE_DEADLINE_MS=60000")
    with (
        engine.run(lite, *HARDENED, *flags, *patient) as container,
        ThreadPoolExecutor(48) as crowd,
    ):
        container.wait_ready()
        largest = png(4000, 4000)
        images = [largest, coffee, coffee, coffee] * 8
        answers = list(
            crowd.map(lambda image: container.ask("/predict", image, timeout=90), images)
        )
        assert [status for status, _ in answers] == [200] * len(images)
        assert all(top(answer) == "espresso" for _, answer in answers[1::4])
        bodies = [b"\xff\xd8" + bytes(7_900_000)] * 96
        refusals = set(
            crowd.map(lambda body: container.ask("/predict", body, timeout=90)[0], bodies)
        )
        assert refusals <= {400, 415, 503}
        assert container.ask("/predict", largest)[0] == 200
        assert container.inspect(".RestartCount") == 0
        assert not container.state["OOMKilled"]


GREEDY_KINDS = {
    "WebP": lambda image: ("WEBP", {"method": 0, "quality": 20}, image),
    "progressive 4:4:4": lambda image: (
        "JPEG",
        {"progressive": True, "subsampling": 0, "quality": 70},
        image,
    ),
    "RGBA": lambda image: ("PNG", {"compress_level": 1}, image.convert("RGBA")),
    "16 bit": lambda image: ("PNG", {"compress_level": 1}, image.convert("I;16")),
    "CMYK": lambda image: ("JPEG", {"quality": 70}, image.convert("CMYK")),
}


@pytest.mark.parametrize("workers", [(), ("-e", "EDGE_WORKERS=4")], ids=["its own", "four"])
def test_no_kind_of_large_image_gets_it_killed_in_256_megabytes(engine, lite, coffee, workers):
    with (
        engine.run(lite, *HARDENED, *SMALL_DEVICE, *workers) as container,
        ThreadPoolExecutor(8) as crowd,
    ):
        container.wait_ready()
        for name, kind in GREEDY_KINDS.items():
            form, options, image = kind(Image.new("L", (4000, 3000), 99).convert("RGB"))
            out = io.BytesIO()
            image.save(out, form, **options)
            bodies = [out.getvalue()] * 16
            answers = crowd.map(lambda body: container.ask("/predict", body, timeout=90), bodies)
            assert {status for status, _ in answers} <= {200, 413, 503, 504}, name
        assert container.ask("/predict", coffee)[0] == 200
        assert not container.state["OOMKilled"]
        assert container.inspect(".RestartCount") == 0
        assert "the memory limit is 256 MiB" in container.logs


@pytest.mark.parametrize("after_s", [0.05, 0.3])
def test_a_stop_while_it_starts_is_a_clean_end(engine, lite, after_s):
    with engine.run(lite, *HARDENED, published=False) as container:
        time.sleep(after_s)
        engine.docker("kill", "--signal", "TERM", container.name)
        container.wait(lambda: not container.state["Running"], "stopped")
        assert container.state["ExitCode"] == 0


def test_a_frozen_service_is_ended_and_started_again(engine, lite):
    often = ("--health-interval", "3s", "--restart", "unless-stopped")
    with engine.run(lite, *HARDENED, *often) as container:
        container.wait_ready()
        container.execute("sh", "-c", "kill -STOP $(cat /proc/1/task/1/children)")
        container.wait(lambda: container.inspect(".RestartCount") == 1, "restarted", 180)
        container.wait_ready()
        assert "frozen for 60 s" in container.logs


def test_the_labels_and_the_inventory_say_what_is_in_the_image(engine, image):
    labels = json.loads(engine.docker("image", "inspect", "-f", "{{json .Config.Labels}}", image))
    wanted = ("version", "revision", "source", "created", "base.name", "base.digest", "licenses")
    assert {f"org.opencontainers.image.{name}" for name in wanted} <= set(labels)
    inventory = json.loads(
        engine.once(image, entrypoint="cat", command=("/opt/edge/share/edge/sbom.cdx.json",))[1]
    )
    assert (inventory["bomFormat"], inventory["specVersion"]) == ("CycloneDX", "1.5")
    purls = [component["purl"] for component in inventory["components"]]
    assert any(purl.startswith("pkg:pypi/pillow@") for purl in purls)
    assert any(purl.startswith("pkg:deb/debian/libc6@") for purl in purls)


def test_it_comes_back_after_the_kernel_killed_it_for_its_memory(engine, lite, coffee):
    greedy = (
        "-e",
        "EDGE_WORKERS=4",
        "-e",
        "EDGE_MAX_PIXELS=60000000",
        "-e",
        "EDGE_MAX_DECODED_BYTES=1000000000",
    )  # four of 147 MB at once, in 256
    with engine.run(
        lite, *HARDENED, *SMALL_DEVICE, *greedy, "--restart", "on-failure"
    ) as container:
        container.wait_ready()
        began = int(time.time())
        bomb = png(7000, 7000)

        def burst():
            with suppress(
                OSError, http.client.HTTPException
            ):  # its connection ends with the process
                container.ask("/predict", bomb, timeout=20)

        throng = [threading.Thread(target=burst) for _ in range(8)]
        for thread in throng:
            thread.start()
        container.wait(lambda: container.inspect(".RestartCount") >= 1, "restarted")
        for thread in throng:
            thread.join()
        period = ("--since", began, "--until", int(time.time()) + 1)
        assert engine.docker(
            "events", *period, "--filter", f"container={container.name}", "--filter", "event=oom"
        )
        status, answer = container.wait_ready().ask("/predict", coffee)
        assert (status, top(answer)) == (200, "espresso")


def post(address, frame, identity):
    """Post a frame over its own connection; return its status, or an `OSError` if unanswered."""
    connection = http.client.HTTPConnection(*address, timeout=20)
    try:
        connection.request("POST", "/predict", frame, {"X-Request-ID": identity})
        reply = connection.getresponse()
        reply.read()
    except http.client.HTTPException as error:
        raise ConnectionError(str(error)) from error
    finally:
        connection.close()
    assert reply.headers["X-Request-ID"] == identity
    return reply.status


def test_sigterm_under_load_loses_no_accepted_answer_and_ends_with_0(engine, image, coffee):
    with engine.run(image, *HARDENED, "-e", "EDGE_LOG_FORMAT=json") as container:
        address = container.wait_ready().address
        received, over = {}, threading.Event()

        def camera(number):
            for frame in itertools.count():
                if over.is_set():
                    return
                identity = f"camera-{number}-{frame}"
                with suppress(
                    OSError
                ):  # it was never taken: then the log does not know of it either
                    received[identity] = post(address, coffee, identity)

        cameras = [threading.Thread(target=camera, args=(number,)) for number in range(8)]
        for thread in cameras:
            thread.start()
        time.sleep(2)
        engine.docker("stop", "-t", "10", container.name)
        over.set()
        for thread in cameras:
            thread.join()
        assert container.state["ExitCode"] == 0
        logged = {line["request_id"]: line["status"] for line in request_lines(container.logs)}
        answered = {
            identity: status
            for identity, status in logged.items()
            if identity.startswith("camera-")
        }
        assert {identity: received.get(identity) for identity in answered} == answered
        assert set(answered.values()) <= {200, 503}
        assert list(answered.values()).count(200) > 50


def test_a_frozen_process_turns_unhealthy_and_well_again_when_it_goes_on(engine, image):
    often = (
        "--health-interval",
        "500ms",
        "--health-timeout",
        "1s",
        "--health-retries",
        "2",
        "--health-start-period",
        "1s",
    )
    with engine.run(image, *HARDENED, *often) as container:

        def health():
            return container.state["Health"]["Status"]

        container.wait(lambda: health() == "healthy", "healthy")
        container.execute("sh", "-c", "kill -STOP $(cat /proc/1/task/1/children)")
        container.wait(lambda: health() == "unhealthy", "unhealthy")
        container.execute("sh", "-c", "kill -CONT $(cat /proc/1/task/1/children)")
        container.wait(lambda: health() == "healthy", "healthy again")


def test_process_1_reaps_what_others_leave_behind(engine, lite):
    with engine.run(lite, *HARDENED) as container:
        container.wait_ready()
        assert container.execute("cat", "/proc/1/comm") == "tini"
        container.execute("sh", "-c", "(sleep 0.2 &) ; true")
        time.sleep(0.6)
        states = container.execute("sh", "-c", "cat /proc/[0-9]*/stat")
        assert not re.findall(r"^\d+ \(.*\) Z ", states, re.MULTILINE)


def test_the_command_line_is_in_the_image_too(engine, image):
    code, said = engine.once(
        image, "-v", f"{PHOTOS}:/photos:ro", command=("predict", "/photos", "--top-k", "1")
    )
    assert code == 0
    assert "espresso" in said


def test_an_image_that_was_saved_is_loaded_and_runs_without_a_registry(
    engine, lite, coffee, tmp_path
):
    engine.docker("save", "-o", tmp_path / "edge.tar", lite)
    engine.docker("rmi", "--force", "--no-prune", lite)
    assert engine.call("docker", "image", "inspect", lite).returncode != 0
    engine.docker("load", "-i", tmp_path / "edge.tar")
    air_gapped = ("--pull", "never", "--network", "none")
    with engine.run(lite, *HARDENED, *air_gapped, published=False) as container:
        assert top(container.wait_ready().ask_inside("/predict", coffee)) == "espresso"

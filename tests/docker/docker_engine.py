"""A Docker engine and the containers that a test starts on it, through the docker command alone."""

import http.client
import json
import os  # tests stand outside the service
import shutil
import subprocess
import time
import uuid
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

HARDENED = (
    "--read-only",
    "--tmpfs",
    "/tmp",
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
)
"""How `docker/README.md` has every container run."""

STARTS_WITHIN_S = 60

_ASK_FROM_INSIDE = """
import sys, urllib.request
body = sys.stdin.buffer.read() or None
request = urllib.request.Request("http://127.0.0.1:8501" + sys.argv[1], body)
sys.stdout.write(urllib.request.urlopen(request, timeout=30).read().decode())
"""


class Engine:
    """The docker command, and what builds images: itself, or the stand-in for Docker Hub."""

    def __init__(self, environment=None, builder=None):
        self.environment = {**os.environ, **(environment or {})}
        self.builder = builder

    def docker(self, *arguments, check=True, stdin=None):
        """Standard output of a docker command."""
        done = self.call("docker", *arguments, stdin=stdin)
        assert not check or done.returncode == 0, (
            f"docker {' '.join(map(str, arguments))}: {done.stderr}"
        )
        return done.stdout.strip()

    def build(self, tag, *options):
        """Build the Dockerfile of this checkout, unchanged."""
        if self.builder:
            done = self.call(self.builder, ROOT, ROOT / "Dockerfile", tag, *options)
        else:
            done = self.call("docker", "build", "-t", tag, *options, ROOT)
        assert done.returncode == 0, (done.stdout + done.stderr)[-4000:]
        return tag

    def call(self, *command, stdin=None):
        words = [str(word) for word in command]
        return subprocess.run(
            words, input=stdin, capture_output=True, text=True, check=False, env=self.environment
        )

    @contextmanager
    def run(self, image, *options, command=(), published=True):
        """A container with the options; gone with what it kept when the test is over."""
        name = f"edge-test-{uuid.uuid4().hex[:12]}"
        port = ("-p", "127.0.0.1::8501") if published else ()
        try:
            self.docker("run", "-d", "--name", name, *port, *options, image, *command)
            yield Container(self, name)
        finally:
            self.docker("rm", "-f", "-v", name, check=False)

    def once(self, image, *options, command=(), entrypoint=None):
        """Run a command in a container of its own, to its end: exit code and all it wrote."""
        other = ("--entrypoint", entrypoint) if entrypoint else ()
        done = self.call(
            "docker",
            "run",
            "--rm",
            "--network",
            "none",
            *HARDENED,
            *options,
            *other,
            image,
            *command,
        )
        return done.returncode, done.stdout + done.stderr


class Container:
    """A container that runs, or has run."""

    def __init__(self, engine, name):
        self.engine = engine
        self.name = name

    def inspect(self, path):
        return json.loads(self.engine.docker("inspect", "-f", f"{{{{json {path}}}}}", self.name))

    @property
    def state(self):
        return self.inspect(".State")

    @property
    def address(self):
        host, port = self.engine.docker("port", self.name, "8501").splitlines()[0].rsplit(":", 1)
        return host, int(port)

    @property
    def logs(self):
        done = self.engine.call("docker", "logs", self.name)
        return done.stdout + done.stderr

    def execute(self, *command, stdin=None, check=True):
        interactive = ("-i",) if stdin is not None else ()
        return self.engine.docker(
            "exec", *interactive, self.name, *command, stdin=stdin, check=check
        )

    def ask(self, path, body=None, headers=None, timeout=30):
        """A request over the published port: status and body, read as JSON where it is."""
        connection = http.client.HTTPConnection(*self.address, timeout=timeout)
        try:
            connection.request("GET" if body is None else "POST", path, body, headers or {})
            reply = connection.getresponse()
            text = reply.read().decode()
            return reply.status, json.loads(text) if "json" in reply.headers[
                "content-type"
            ] else text
        finally:
            connection.close()

    def ask_inside(self, path, body=None):
        """A request over the container's own loopback, for one that has no other network."""
        command = ["docker", "exec", "-i", self.name, "python", "-c", _ASK_FROM_INSIDE, path]
        done = subprocess.run(
            command,
            input=body or b"",
            capture_output=True,
            check=False,
            env=self.engine.environment,
        )
        assert done.returncode == 0, done.stderr.decode()
        return json.loads(done.stdout)

    def wait_ready(self):
        return self.wait(self._is_ready, "ready")

    def wait(self, happened, what, seconds=STARTS_WITHIN_S):
        """Wait until something has happened to the container; returns the container."""
        end = time.monotonic() + seconds
        while not happened():
            assert time.monotonic() < end, (
                f"not {what} after {seconds} s: {self.state} {self.logs[-3000:]}"
            )
            time.sleep(0.1)
        return self

    def _is_ready(self):
        return (
            "ready"
            in self.execute("python", "-I", "-m", "edge.commands.health", check=False).split()
        )


def find_engine(shared):
    """Return the engine, or the reason why there is none.

    If the project's own tools are next to the checkout, they start one from Debian's packages;
    elsewhere a docker command that reaches an engine will do.
    """
    tools = shared / "tools/docker"
    if (tools / "engine.sh").is_file() and os.geteuid() == 0:
        state = os.environ.get("STATE", "/var/tmp/ci-docker")
        engine = Engine(
            {"STATE": state, "DOCKER_HOST": f"unix://{state}/docker.sock"}, tools / "build-image.sh"
        )
        started = engine.call(tools / "engine.sh", "up")
        return (
            engine
            if started.returncode == 0
            else f"engine.sh could not start Docker: {started.stderr[-500:]}"
        )
    if not shutil.which("docker"):
        return "there is no docker command"
    asked = Engine().call("docker", "version")
    return Engine() if asked.returncode == 0 else "no Docker engine answers"

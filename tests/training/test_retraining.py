"""docs/retraining.md: the page's own commands lead from wrong answers to the next version."""

from __future__ import annotations

import io
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from builders.shapes import put_shapes, shape
from builders.waiting import wait
from PIL import Image
from serving.process import Server, clean_environment

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/retraining.md").read_text("utf-8")
SHAPES = {"good": "disc", "scratch": "square", "dent": "stripes"}
"""What a picture of each label shows."""


class Walk:
    """Runs the commands of the page, one after the other, in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self._commands = re.findall(r"^    (\S.*)$", PAGE, re.MULTILINE)
        bin_folder = folder / "bin"
        bin_folder.mkdir()
        edge = bin_folder / "edge"
        edge.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m edge "$@"\n')
        edge.chmod(0o755)
        environment = clean_environment()
        self._environment = environment | {"PATH": f"{bin_folder}:{environment['PATH']}"}

    def next(self, beginning):
        """The page's next command, which begins like this."""
        command = self._commands.pop(0)
        assert command.startswith(beginning)
        return command

    def run(self, beginning):
        """Run the page's next command to its end, which must be a good one; what it said."""
        done = subprocess.run(
            ["sh", "-c", self.next(beginning)],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    def is_over(self):
        return not self._commands


def post(client, curl, image):
    """What the page posts by curl, with this picture in place of the one that it names."""
    options, url = curl.removeprefix("curl --data-binary @").split(" ", 1)
    assert options.endswith(".jpg")
    path = url.strip("'").removeprefix("localhost:8501")
    reply = client.post(path, content=image)
    assert reply.status_code == 200, reply.text
    return reply.json()


def entries(server):
    return server.client.get("/outbox").json()["entries"]


def frame(label, seed):
    """A picture of the line, as a camera sends it."""
    file = io.BytesIO()
    Image.open(io.BytesIO(shape(SHAPES[label], seed))).save(file, "JPEG", quality=95)
    return file.getvalue()


def put_photos(folder):
    for label in ("good", "scratch"):
        drawn = put_shapes(folder.parent / "drawn", {SHAPES[label]: 20})
        folder.mkdir(exist_ok=True)
        (drawn / SHAPES[label]).rename(folder / label)


def labels_in(export):
    """The label of each line, ``None`` for a picture without one, and the pictures' names."""
    lines = map(json.loads, (export / "classification.jsonl").read_text("utf-8").splitlines())
    return {
        Path(line["imageGcsUri"]).name: line.get("classificationAnnotation", {}).get("displayName")
        for line in lines
    }


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_commands_of_the_page_lead_from_a_wrong_answer_to_a_second_version(tmp_path):
    put_photos(tmp_path / "photos")
    walk = Walk(tmp_path)
    walk.run("edge train")
    serve = shlex.split(walk.next("edge serve"))[2:]

    with Server(*serve, folder=tmp_path) as server:
        # A new kind of fault, which the model takes for one that it knows.
        unsure = frame("dent", 900)
        answer = post(server.client, "curl --data-binary @frame.jpg /predict", unsure)
        assert answer["predictions"][0]["label"] in {"good", "scratch"}
        assert (answer["model"]["version"], answer["certain"]) == (1, False)
        post(server.client, "curl --data-binary @frame.jpg /predict", frame("dent", 902))
        wait(lambda: len(entries(server)) == 2)
        curl = walk.next("curl")
        for seed in range(100, 112):
            assert post(server.client, curl, frame("dent", seed))["label"] == "dent"
        as_scratch = curl.replace("label=dent", "label=scratch")
        for seed in range(100, 112):
            post(server.client, as_scratch, frame("scratch", seed))

        assert "26 images in corrections, 24 of them with labels" in walk.run("edge outbox export")
        waiting, _ = [
            name for name, label in labels_in(tmp_path / "corrections").items() if not label
        ]
        assert waiting in walk.run("grep")
        curl = walk.next("curl")
        assert "corrections/images/KEY.jpg" in curl
        post(server.client, curl, (tmp_path / "corrections/images" / waiting).read_bytes())
        assert "26 images in corrections, 25 of them with labels" in walk.run("edge outbox export")
        assert labels_in(tmp_path / "corrections")[waiting] == "dent"

        trained = walk.run("edge train")
        assert "65 pictures, 3 labels" in trained
        assert "1 picture has no label yet, and nothing was learnt from it." in trained
        on_photos = walk.run("edge evaluate")
        assert "Neither model is better" in on_photos
        on_corrections = walk.run("edge evaluate")
        assert "only this right: corrections/images/" in on_corrections
        assert "only the other right" not in on_corrections
        walk.run("mv")
        answer = post(server.client, "curl --data-binary @frame.jpg /predict", unsure)
        assert answer["model"]["version"] == 1  # the page says that it must be started again

    with Server(*serve, folder=tmp_path) as server:
        answer = post(server.client, walk.next("curl"), frame("dent", 901))
        assert (answer["model"]["name"], answer["model"]["version"]) == ("parts", 2)
        assert answer["predictions"][0]["label"] == "dent"
        (model,) = server.client.get("/models").json()["models"]
        assert model["display_name"] is None  # it is called as its folder is, wherever that moves
        assert '"model": {"name": "parts", "version": 2, ...}' in PAGE
        assert "26 entries dropped" in walk.run("ls")
        exported = {name.split(".")[0] for name in labels_in(tmp_path / "corrections")}
        assert not exported & {entry["key"] for entry in entries(server)}
    assert walk.is_over()

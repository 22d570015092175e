"""SavedModels of Teachable Machine, Lobe and Custom Vision over HTTP, against TensorFlow."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders.sibling_tools import encoded, photo
from serving.automl import AutoMLClient
from serving.process import Server, clean_environment

from edge.errors import ExportError
from edge.export.read import read_export

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

READY_S = 600
"""Five models are each tried in a process that imports TensorFlow."""

SCRIPT = Path(__file__).with_name("sibling_side.py")
FAMILIES = {
    "converted_savedmodel": "Teachable Machine",
    "lobe": "Lobe",
    "cv-2019": "Azure Custom Vision",
    "cv-bytes": "Azure Custom Vision",
    "cv-unit": "Azure Custom Vision",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("siblings")
    (folder / "photo.png").write_bytes(encoded(photo()))
    subprocess.run(
        [sys.executable, SCRIPT, folder], env=clean_environment(), check=True,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def server(made: Path) -> Iterator[Server]:
    with Server("--models", made / "models", ready=False) as running:
        until = time.monotonic() + READY_S
        while running.client.get("/health/ready").status_code != 200:
            assert time.monotonic() < until, running.log[-2000:]
            time.sleep(0.2)
        yield running


def scores_of(reply: Any) -> list[float]:
    assert reply.status_code == 200, reply.text
    found = {item["label"]: item["score"] for item in reply.json()["predictions"]}
    return [found[f"thing {index}"] for index in range(len(found))]


@pytest.mark.parametrize("model", FAMILIES)
def test_a_savedmodel_answers_as_tensorflow_does_to_what_its_own_tool_feeds(
    made: Path, server: Server, model: str
) -> None:
    expected = json.loads((made / "answers.json").read_text())[model]
    image = (made / "photo.png").read_bytes()
    reply = server.client.post("/predict", content=image, params={"model": model, "top_k": 48})
    assert scores_of(reply) == pytest.approx(expected, abs=2e-5)
    (answered,) = AutoMLClient(server.url, model).predict(image)
    assert answered["scores"] == pytest.approx(expected, abs=2e-5)
    assert answered["labels"][47] == "thing 47"


@pytest.mark.parametrize("model", FAMILIES)
def test_the_family_is_known_from_the_folder_or_the_graphs_file(made: Path, model: str) -> None:
    (graph,) = (made / "models" / model).rglob("saved_model.pb")
    for path in (made / "models" / model, graph.parent, graph):
        assert read_export(path).family == FAMILIES[model]


def test_a_graph_that_contradicts_the_metadata_is_refused(made: Path) -> None:
    with pytest.raises(ExportError, match=r"0\.\.255 .* expects 0\.\.1"):
        read_export(made / "contradicted")

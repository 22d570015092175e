"""Real AutoML exports answer over HTTP as they did when their golden runs were recorded."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from serving.automl import AutoMLClient
from serving.process import Server


@pytest.fixture(scope="module")
def exports_server(
    shared_exports: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """One server for all of them: a repository of links."""
    repository = tmp_path_factory.mktemp("exports")
    for model in sorted(shared_exports.glob("*/*.tflite")):
        if not model.parent.name.startswith("traffic"):  # refused: Edge TPU, and video
            (repository / model.parent.name).symlink_to(model.parent)
    with Server("--models", repository) as server:
        yield server


def test_a_golden_run_holds_at_the_camera_door_and_at_tensorflow_servings(
    golden_run: dict[str, Any], exports_server: Server, shared_exports: Path
) -> None:
    name = Path(golden_run["model"]).parent.name
    image = (shared_exports / golden_run["image"]).read_bytes()
    reply = exports_server.client.post(f"/predict/{name}?threshold=0&top_k=1000", content=image)
    assert reply.status_code == 200, reply.text
    seen = reply.json()["predictions"]
    (served,) = AutoMLClient(exports_server.url, name).predict(image)
    if "scores_uint8" in golden_run:
        golden = golden_run["scores_uint8"]
        assert served["scores"] == pytest.approx([score / 256 for score in golden], abs=2 / 256)
        by_index = {found["index"]: found["score"] for found in seen}
        assert [by_index[i] for i in range(len(golden))] == pytest.approx(
            served["scores"], abs=1e-6
        )
        assert [found["label"] for found in sorted(seen, key=lambda one: one["index"])] == served[
            "labels"
        ]
        return
    for row, score in enumerate(golden_run["scores"]):
        if score < 0.3:
            continue
        assert served["detection_scores"][row] == pytest.approx(score, abs=0.05)
        assert served["detection_classes"][row] == golden_run["classes"][row] + 1
        clipped = [min(max(edge, 0), 1) for edge in golden_run["boxes_ymin_xmin_ymax_xmax"][row]]
        assert served["detection_boxes"][row] == pytest.approx(clipped, abs=0.05)
        y_min, x_min, y_max, x_max = served["detection_boxes"][row]
        box = {"x_min": x_min, "y_min": y_min, "x_max": x_max, "y_max": y_max}
        assert seen[row]["box"] == pytest.approx(box, abs=1e-6)

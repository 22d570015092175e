"""If the cloud answers for a SavedModel, no output of the edge goes out. Needs no TensorFlow."""

from __future__ import annotations

import asyncio
import base64
import time

import httpx
import numpy as np
import pytest
from builders.cloud import Cloud
from builders.escalation import PHOTO, build, running
from builders.saved_model import DETECTIONS, IMAGE, SCORES, saved_model

from edge.dataplane.answer import InferRequest
from edge.errors import CloudRefused, CloudUnreachable
from edge.export.read import read_export
from edge.fallback.cloud import CloudResponse
from edge.model.tasks.classification import Classification
from edge.model.tasks.detection import Detections
from edge.repository.repository import ModelRepository
from edge.repository.version import ModelVersion, VersionState
from edge.runtime.pipeline import FrameResult, StageTimes
from edge.settings import Settings
from edge.web.app import create_app

FLOWERS = ("daisy", "rose", "tulip")
EDGE = {
    "scores": np.array([[0.5, 0.25, 0.25]], np.float32),
    "labels": np.array([[one.encode() for one in FLOWERS]], object),
    "key": np.array([b"of the edge"], object),
}
BY_EDGE = Classification(FLOWERS, EDGE["scores"][0], False)
BY_CLOUD = CloudResponse(
    Classification(FLOWERS, np.array([0.125, 0.125, 0.75], np.float32), False), (), "far", 9.0
)

BOX = np.array([[0.25, 0.25, 0.5, 0.75]], np.float32)
EDGE_BOXES = {
    "detection_boxes": np.zeros((1, 40, 4), np.float32),
    "detection_scores": np.zeros((1, 40), np.float32),
    "detection_classes": np.ones((1, 40), np.float32),
    "detection_classes_as_text": np.full((1, 40), b"edge", object),
    "num_detections": np.array([0.0], np.float32),
    "key": np.array([b"of the edge"], object),
}
NO_BOX = Detections(
    np.zeros((0, 4), np.float32), np.zeros(0, np.intp), np.zeros(0, np.float32), (), 40
)
CLOUD_BOX = CloudResponse(
    Detections(BOX, np.array([-1]), np.array([0.75], np.float32), ("tulip",), 1),
    ("tulip",),
    "far",
    9.0,
)


class Computed(ModelVersion):
    """A SavedModel whose graph's outputs are given."""

    def __init__(self, export, prediction, outputs):
        super().__init__("flowers", 1, export)
        self.result = FrameResult(prediction, 64, 48, StageTimes(1.0, 1.0, 1.0, 1.0), outputs)

    def load(self, workers, decoding, prover=None):
        self.state = VersionState.AVAILABLE

    def predict(self, worker, encoded, decoding):
        return self.result


def served(folder, cloud, outputs, prediction, computed):
    (folder / "saved_model.pb").write_bytes(saved_model({"serving_default": (IMAGE, outputs)}))
    repository = ModelRepository(folder, [Computed(read_export(folder), prediction, computed)], {})
    return build(repository, cloud, "prefer_cloud")


@pytest.fixture
def cloud():
    one = Cloud()
    one.usual = BY_CLOUD
    return one


@pytest.fixture
def service(tmp_path, cloud):
    return served(tmp_path, cloud, SCORES, BY_EDGE, EDGE)


def at_the_entrance(service, count=1, **body):
    """What `POST :predict` replies to so many images."""
    instance = {"image_bytes": {"b64": base64.b64encode(PHOTO).decode()}}
    body = body or {"instances": [{**instance, "key": f"k{n}"} for n in range(count)]}

    async def run():
        app = create_app(service, Settings())
        async with (
            running(service),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://localhost"
            ) as one,
        ):
            reply = await one.post("/v1/models/flowers:predict", json=body)
        assert reply.status_code == 200, reply.text
        return reply.json()

    return asyncio.run(run())


def test_the_clouds_answer_has_no_outputs_of_the_edge(service, cloud):
    async def run():
        async with running(service):
            cloud.script = [BY_CLOUD, CloudRefused("frame")]
            return [
                await service.infer(PHOTO, InferRequest(time.monotonic() + 60)) for _ in range(2)
            ]

    by_cloud, by_edge = asyncio.run(run())
    assert (by_cloud.source, by_cloud.outputs, by_cloud.prediction) == (
        "cloud",
        None,
        BY_CLOUD.prediction,
    )
    assert (by_edge.source, by_edge.outputs, by_edge.prediction) == ("edge", EDGE, BY_EDGE)
    assert [item.label for item in by_cloud.escalation.edge.items] == list(FLOWERS)


def test_the_clouds_labels_and_scores_go_out_in_the_saved_models_shape(service):
    assert at_the_entrance(service) == {
        "predictions": [{"labels": list(FLOWERS), "scores": [0.125, 0.125, 0.75], "key": "k0"}]
    }


def test_by_column_as_well(service):
    images = [{"b64": base64.b64encode(PHOTO).decode()}] * 2
    assert at_the_entrance(service, inputs={"image_bytes": images, "key": ["a", "b"]}) == {
        "outputs": {
            "labels": [list(FLOWERS)] * 2,
            "scores": [[0.125, 0.125, 0.75]] * 2,
            "key": ["a", "b"],
        }
    }


def test_where_the_cloud_does_not_answer_the_graphs_own_outputs_go_out(service, cloud):
    cloud.usual = CloudUnreachable("busy")
    assert at_the_entrance(service) == {
        "predictions": [{"labels": list(FLOWERS), "scores": [0.5, 0.25, 0.25], "key": "k0"}]
    }


def test_of_several_images_each_goes_out_as_it_was_answered(service, cloud):
    cloud.script = [BY_CLOUD, CloudRefused("frame"), BY_CLOUD]
    rows = at_the_entrance(service, 3)["predictions"]
    assert sorted(row["scores"] for row in rows) == [[0.125, 0.125, 0.75]] * 2 + [[0.5, 0.25, 0.25]]
    assert [row["key"] for row in rows] == ["k0", "k1", "k2"]


def test_a_detectors_boxes_are_the_clouds(tmp_path, cloud):
    cloud.usual = CLOUD_BOX
    (row,) = at_the_entrance(served(tmp_path, cloud, DETECTIONS, NO_BOX, EDGE_BOXES))["predictions"]
    assert row["num_detections"] == 1.0
    assert row["detection_classes_as_text"] == ["tulip"]
    assert row["detection_scores"] == [0.75]
    assert row["detection_boxes"] == [[0.25, 0.25, 0.75, 0.5]]
    assert row["key"] == "k0"

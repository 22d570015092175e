"""A SavedModel with an online model behind it: whoever answers, the reply is of one shape and of one mouth."""

from __future__ import annotations

import pytest
from builders.waiting import wait
from serving.automl import AutoMLClient
from serving.pictures import photo
from serving.process import Server

from edge.testing.vertex import ENDPOINT, FakeVertex

pytestmark = pytest.mark.slow

SAYS = {"displayNames": ["tulip", "daisy"], "confidences": [0.75, 0.125]}
BOXES = {**SAYS, "bboxes": [[0.25, 0.5, 0.125, 0.75], [0, 1, 0, 1]]}


def test_what_the_cloud_says_goes_out_in_place_of_the_graphs_own_outputs(judged):
    with FakeVertex() as vertex:
        settings = {
            "--models": judged.models,
            "--cloud-endpoint": ENDPOINT,
            "--cloud-address": vertex.address,
            "--cloud-credentials": "anonymous",
            "--cloud-mode": "prefer_cloud",
            "--cloud-timeout-ms": 20_000,
        }
        with Server(*[part for flag in settings.items() for part in flag]) as server:
            wait(lambda: server.client.get("/fallback").json()["link"]["state"] == "up")
            for model in ("classifier", "new-classifier"):
                vertex.behave(SAYS)
                (row,) = AutoMLClient(server.url, model).predict(photo("coffee"))
                told = dict(zip(row["labels"], row["scores"], strict=True))
                assert {label: score for label, score in told.items() if score} == {"tulip": 0.75, "daisy": 0.125}
                vertex.behave(status=400)
                (own,) = AutoMLClient(server.url, model).predict(photo("coffee"))
                assert own["labels"] == row["labels"]
                assert own["scores"] != row["scores"]
                assert all(own["scores"])
            for model in ("detector", "new-detector"):
                vertex.behave(BOXES)
                (row,) = AutoMLClient(server.url, model).predict(photo("coffee"))
                assert row["num_detections"] == 2.0
                assert row["detection_classes_as_text"][:2] == ["tulip", "daisy"]
                assert row["detection_scores"][:2] == [0.75, 0.125]
                assert row["detection_boxes"][0] == [0.125, 0.25, 0.75, 0.5]

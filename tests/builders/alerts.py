"""Rules, alerts and answers for the tests of alerts."""

from __future__ import annotations

import numpy as np

from edge.alerts.alert import Alert
from edge.alerts.rule import Rule
from edge.dataplane.answer import Answer, InferRequest, Source
from edge.model.tasks.classification import Classification
from edge.model.tasks.detection import Detections
from edge.repository.version import ModelRef

MODEL = ModelRef("objects", 1, "0" * 64)


def rule(name="person", label="Person", **how):
    return Rule(name, name.replace(" ", "_"), label, **how)


def alert(number=0, *, client="10.0.0.1", camera="gate", of=None, **how):
    values = {"count": 1, "score": 0.9, "held_s": 0.0, "at": 1_700_000_000.0, "model": "objects"}
    return Alert(
        identity=f"alert_{number}",
        rule=of or rule(),
        camera=camera,
        client=client,
        version=1,
        source="edge",
        **(values | how),
    )


def detections(*scores, label="Person"):
    """A detector's answer with an object of the label for each score."""
    count = len(scores)
    return Detections(
        boxes=np.zeros((count, 4), np.float32),
        classes=np.zeros(count, np.intp),
        scores=np.array(scores, np.float32),
        labels=(label,) * count,
        capacity=max(count, 1),
    )


def classification(**scores):
    """A classifier's answer: label to score."""
    return Classification(tuple(scores), np.array(list(scores.values()), np.float32), False)


def answer(prediction, model=MODEL):
    return Answer(prediction, (), Source.EDGE, model, 10, 10)


def request(camera="gate", client="10.0.0.1", sender=None):
    sender = f"camera {camera}" if sender is None and camera else sender or ""
    return InferRequest(0.0, camera=camera, client=client, sender=sender)

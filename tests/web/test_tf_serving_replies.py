"""Replies that are put together of the edge's answers and the online model's."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest

from edge.dataplane.answer import Answer, Source
from edge.errors import CorruptImage
from edge.model.contract import SignatureInfo
from edge.model.tasks.classification import Classification
from edge.model.tasks.detection import Detections
from edge.model.tasks.task import Classes
from edge.repository.version import ModelRef
from edge.web.dialects.tf_serving.reply import reply
from edge.web.dialects.tf_serving.request import Instance, PredictRequest
from edge.web.dialects.tf_serving.routes import _require_all

SCORES = Classification(("rose", "daisy"), np.array([0.25, 0.75], np.float32), multi_label=False)
BOXES = Detections(
    np.zeros((1, 4), np.float32), np.array([-1]), np.array([0.5], np.float32), ("car",), 1
)


def contract_of(*outputs, labels=None):
    """Of a SavedModel with these outputs; of a TFLite model where there are none."""
    tensors = dict.fromkeys((*outputs, "key"), ("DT_FLOAT", (-1,), ""))
    signature = SignatureInfo({}, tensors, "") if outputs else None
    return SimpleNamespace(signature=signature, classes=Classes(labels, False), input=None)


def answered(prediction, **outputs):
    """By the edge where there are outputs, else by the online model."""
    given = {name: np.array([value]) for name, value in outputs.items()} or None
    source = Source.EDGE if given else Source.CLOUD
    return Answer(prediction, (), source, ModelRef("m", 1, ""), 1, 1, outputs=given)


def replied(contract, *answers, by_column=False):
    request = PredictRequest([Instance(b"", None) for _ in answers], by_column, None)
    return reply(request, answers, contract)


@pytest.mark.parametrize("edge_first", [True, False])
def test_a_single_output_stays_single_whoever_answered(edge_first):
    contract = contract_of("scores")
    answers = [answered(SCORES, scores=[0.5, 0.5]), answered(SCORES)]
    rows = [[0.5, 0.5], [0.25, 0.75]]
    order = 1 if edge_first else -1
    assert replied(contract, *answers[::order]) == {"predictions": rows[::order]}
    assert replied(contract, *answers[::order], by_column=True) == {"outputs": rows[::order]}


@pytest.mark.parametrize("edge_first", [True, False])
def test_what_the_online_model_cannot_tell_is_null_in_both_formats(edge_first):
    contract = contract_of("labels", "scores", "embedding")
    edge = answered(SCORES, labels=["rose", "daisy"], scores=[0.5, 0.5], embedding=[1.0])
    order = 1 if edge_first else -1
    answers = [edge, answered(SCORES)][::order]
    rows = replied(contract, *answers)["predictions"]
    assert [row["embedding"] for row in rows] == [[1.0], None][::order]
    columns = replied(contract, *answers, by_column=True)["outputs"]
    assert columns["embedding"] == [[1.0], None][::order]


def test_a_label_without_a_class_is_no_background():
    (row,) = replied(contract_of(labels=("bus",)), answered(BOXES))["predictions"]
    assert row["detection_classes_as_text"] == ["car"]
    assert row["detection_multiclass_scores"] == [[0.0, 0.0]]


def test_the_error_of_a_batch_is_freed_without_the_garbage_collector():
    """It leads to the images: nothing on its way may close a cycle."""
    gc.disable()
    try:
        error = CorruptImage("cut off")
        left = weakref.ref(error)
        with suppress(CorruptImage):
            _require_all([answered(BOXES), error])
        del error
        assert left() is None
    finally:
        gc.enable()

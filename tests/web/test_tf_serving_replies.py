"""Replies that are put together of the edge's answers and the online model's."""

from __future__ import annotations

import gc
import weakref
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest

from edge.errors import CorruptImage
from edge.model.contract import SignatureInfo
from edge.model.prediction import Classification, Detections
from edge.repository.servable import Stages
from edge.service import Answer
from edge.web.tfserving import _all_good
from edge.web.tfserving_reply import reply
from edge.web.tfserving_request import Instance, PredictRequest

SCORES = Classification(("rose", "daisy"), np.array([0.25, 0.75], np.float32), multi_label=False)
BOXES = Detections(np.zeros((1, 4), np.float32), np.array([-1]), np.array([0.5], np.float32), ("car",), 1)


def saved_model(*outputs):
    signature = SignatureInfo({}, dict.fromkeys((*outputs, "key"), ("DT_FLOAT", (-1,), "")), "")
    return SimpleNamespace(contract=SimpleNamespace(signature=signature, labels=None, input=None))


def answered(model, prediction, **outputs):
    """By the edge where there are outputs, else by the online model."""
    given = {name: np.array([value]) for name, value in outputs.items()} or None
    source = "edge" if given else "cloud"
    return Answer(prediction, (), source, model, 1, 1, 0.0, Stages(0, 0, 0, 0), given)


def replied(*answers, by_column=False):
    return reply(PredictRequest([Instance(b"", None) for _ in answers], by_column, None), answers)


@pytest.mark.parametrize("edge_first", [True, False])
def test_a_single_output_stays_single_whoever_answered(edge_first):
    model = saved_model("scores")
    answers = [answered(model, SCORES, scores=[0.5, 0.5]), answered(model, SCORES)]
    rows = [[0.5, 0.5], [0.25, 0.75]]
    order = 1 if edge_first else -1
    assert replied(*answers[::order]) == {"predictions": rows[::order]}
    assert replied(*answers[::order], by_column=True) == {"outputs": rows[::order]}


@pytest.mark.parametrize("edge_first", [True, False])
def test_what_the_online_model_cannot_tell_is_null_in_both_formats(edge_first):
    model = saved_model("labels", "scores", "embedding")
    edge = answered(model, SCORES, labels=["rose", "daisy"], scores=[0.5, 0.5], embedding=[1.0])
    order = 1 if edge_first else -1
    answers = [edge, answered(model, SCORES)][::order]
    assert [row["embedding"] for row in replied(*answers)["predictions"]] == [[1.0], None][::order]
    assert replied(*answers, by_column=True)["outputs"]["embedding"] == [[1.0], None][::order]


def test_a_label_without_a_class_is_no_background():
    model = SimpleNamespace(contract=SimpleNamespace(signature=None, labels=("bus",), input=None))
    (row,) = replied(answered(model, BOXES))["predictions"]
    assert row["detection_classes_as_text"] == ["car"]
    assert row["detection_multiclass_scores"] == [[0.0, 0.0]]


def test_the_error_of_a_batch_is_let_go_without_the_garbage_collector():
    """It leads to the images: nothing on its way may close a cycle."""
    gc.disable()
    try:
        error = CorruptImage("cut off")
        left = weakref.ref(error)
        with suppress(CorruptImage):
            _all_good([answered(saved_model("scores"), SCORES), error])
        del error
        assert left() is None
    finally:
        gc.enable()

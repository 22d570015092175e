"""The head that is fitted, and what 8 bits leave of it."""

import numpy as np
import pytest

from edge.model.contract import Quantization
from edge.training.feature_table import FeatureTable
from edge.training.head import HeadFit, activate, class_weights
from edge.training.int8_head import quantize_head
from edge.training.lbfgs import minimise

FEATURES = Quantization(0.02, -128)


def table_of(rows):
    return FeatureTable(np.asarray(rows, np.int8), FEATURES)


def groups(labels=3, count=60, size=16, seed=1):
    """Features around a centre for each label, and their one-hot targets."""
    rng = np.random.default_rng(seed)
    centres = rng.integers(-90, 90, (labels, size))
    rows = np.concatenate([centre + rng.normal(0, 12, (count, size)) for centre in centres])
    return rows.clip(-128, 127).round(), np.eye(labels, dtype=np.float32).repeat(count, axis=0)


def test_the_minimum_of_a_narrow_valley_is_found():
    def rosenbrock(point):
        x, y = map(float, point)
        value = (1 - x) ** 2 + 100 * (y - x * x) ** 2
        slope = [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]
        return value, np.array(slope, np.float32)

    least = minimise(rosenbrock, np.array([-1.2, 1], np.float32), 200)
    assert np.abs(least - 1).max() < 0.02


@pytest.mark.parametrize("multi_label", [False, True])
def test_the_gradient_is_the_slope_of_the_loss(multi_label):
    rows, targets = groups(count=10)
    if multi_label:
        targets[:, 0] = 1
    fit = HeadFit(table_of(rows), targets, multi_label=multi_label)
    rng = np.random.default_rng(2)
    state = rng.normal(0, 0.5, (3, 17)).astype(np.float32)
    direction = rng.normal(0, 1, (3, 17)).astype(np.float32)
    _, gradient = fit._loss(state, 1e-3)
    ahead, _ = fit._loss(state + np.float32(0.01) * direction, 1e-3)
    behind, _ = fit._loss(state - np.float32(0.01) * direction, 1e-3)
    assert float(np.vdot(gradient, direction)) == pytest.approx((ahead - behind) / 0.02, rel=0.02)


def test_rows_in_chunks_give_the_same_head_as_all_at_once(monkeypatch):
    rows, targets = groups()
    whole = HeadFit(table_of(rows), targets, multi_label=False).fit(1e-4)
    monkeypatch.setattr("edge.training.head._MAX_FLOAT_BYTES", 0)
    monkeypatch.setattr("edge.training.head._CHUNK", 7)
    chunked = HeadFit(table_of(rows), targets, multi_label=False).fit(1e-4)
    features = table_of(rows).rows(slice(None))
    assert np.abs(whole.scores(features) - chunked.scores(features)).max() < 0.01


def test_a_larger_penalty_gives_smaller_weights():
    rows, targets = groups()
    fit = HeadFit(table_of(rows), targets, multi_label=False)
    norms = [float(np.linalg.norm(fit.fit(penalty).weights)) for penalty in (1e-2, 1e-3, 1e-4)]
    assert norms == sorted(norms)


def test_a_rare_label_counts_for_more_but_not_for_all():
    targets = np.eye(2, dtype=np.float32)[[0] * 90 + [1] * 10]
    weights = class_weights(targets, multi_label=False)[:, 0]
    assert weights.mean() == pytest.approx(1, abs=1e-5)
    assert weights[-1] / weights[0] == pytest.approx(3, abs=1e-4)  # of 9 times as many


def int8_logits(rows, head, features):
    """As TFLite's kernel computes them, rounded to 8 bits, dequantised."""
    sums = (rows.astype(np.int64) - features.zero_point) @ head.weights.T.astype(np.int64)
    real = (sums + head.bias) * (head.scales * features.scale)
    stored = np.rint(real / head.logits.scale + head.logits.zero_point).clip(-128, 127)
    return ((stored - head.logits.zero_point) * head.logits.scale).astype(np.float32)


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("penalty", [1e-3, 1e-5])
def test_8_bits_keep_the_scores(multi_label, penalty):
    rows, targets = groups(labels=5, size=64)
    table = table_of(rows)
    head = HeadFit(table, targets, multi_label=multi_label).fit(penalty)
    quantized = quantize_head(head, FEATURES, table)
    logits = int8_logits(rows, quantized, FEATURES)
    wanted = head.scores(table.rows(slice(None)))
    assert np.abs(activate(logits, multi_label=multi_label) - wanted).max() < 0.05
    assert -128 <= quantized.logits.zero_point <= 127


def test_features_of_unlike_sizes_do_not_cost_8_bits_their_accuracy():
    """The trap: a spread per feature, folded into the weights, leaves the small ones no bits."""
    rng = np.random.default_rng(3)
    rows, targets = groups(labels=4, count=100, size=64, seed=4)
    strength = np.where(np.arange(64) < 60, 0.02, 1.0)  # most features hardly ever differ
    rows = (rows * strength + rng.normal(0, 1, rows.shape)).round().clip(-128, 127)
    table = table_of(rows)
    head = HeadFit(table, targets, multi_label=False).fit(1e-5)
    logits = int8_logits(rows, quantize_head(head, FEATURES, table), FEATURES)
    right = (logits.argmax(axis=1) == targets.argmax(axis=1)).mean()
    in_float = (
        head.logits(table.rows(slice(None))).argmax(axis=1) == targets.argmax(axis=1)
    ).mean()
    assert right >= in_float - 0.01

"""Model files with bytes changed or cut are read or refused; nothing else ever comes out."""

import random
from contextlib import suppress

import pytest
from builders.saved_model import DETECTIONS, IMAGE, SCORES, saved_model
from builders.tflite import AXIS_LABELS, FLOAT, classifier, detector, metadata, with_files
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from edge.errors import ExportError
from edge.export.read import read_export

LABELS = "\n".join(f"label {i}" for i in range(12))
NAMED = metadata([{"name": "scores", "files": {"inside.txt": AXIS_LABELS}}], ([127.5], [127.5]))
TFLITE = [
    classifier(),
    detector(classes=12),
    with_files(classifier(dtype=FLOAT, metadata=NAMED), {"inside.txt": LABELS}),
    detector(
        operator="N",
        signature={r: f"{r}_of_things" for r in ("boxes", "classes", "scores", "count")},
    ),
]
GRAPHS = [
    saved_model({"serving_default": (IMAGE, SCORES)}, nodes=[("scores", "Sigmoid", ["x"])]),
    saved_model({"serving_default": (IMAGE, DETECTIONS)}),
]
edits = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=10)
kept = st.just(1.0) | st.floats(0, 1)
many = settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))


def mutated(data, changes, keep):
    out = bytearray(data)
    for place, value in changes:
        out[int(place * len(out))] = value
    return bytes(out[: int(keep * len(out))])


def read_or_refuse(folder, name, data):
    (folder / "dict.txt").write_text(LABELS)
    (folder / name).write_bytes(data)
    with suppress(ExportError):
        read_export(folder)


@pytest.mark.slow
@many
@given(st.sampled_from(TFLITE), edits, kept)
def test_a_damaged_tflite_file_is_read_or_refused(tmp_path_factory, data, changes, keep):
    read_or_refuse(tmp_path_factory.getbasetemp(), "model.tflite", mutated(data, changes, keep))
    (tmp_path_factory.getbasetemp() / "model.tflite").unlink()


@many
@given(st.sampled_from(GRAPHS), edits, kept)
@example(GRAPHS[0], [(0.0, 0xFF)] * 1, 1.0)
def test_a_damaged_saved_model_is_read_or_refused(tmp_path_factory, data, changes, keep):
    folder = tmp_path_factory.getbasetemp() / "graph"
    folder.mkdir(exist_ok=True)
    read_or_refuse(folder, "saved_model.pb", mutated(data, changes, keep))


@many
@given(st.binary(max_size=200), st.sampled_from(["model.tflite", "saved_model.pb", "model"]))
def test_random_bytes_are_refused(tmp_path_factory, data, name):
    folder = tmp_path_factory.getbasetemp() / f"random-{name}"
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"\x1c\0\0\0TFL3" + data)
    with pytest.raises(ExportError):
        read_export(folder / name)


@pytest.mark.slow
@pytest.mark.parametrize(
    "source",
    [
        "flowers/model.tflite",
        "flowers-embedded-labels/automl_labeler_model.tflite",
        "drugs-detection/drug_detection_v3.tflite",
    ],
)
def test_a_damaged_real_model_is_read_or_refused(shared_exports, source, tmp_path):
    """Changes fall where the tables are: weights make up most of a file, and any weight is one."""
    whole = (shared_exports / source).read_bytes()
    chance = random.Random(4)  # the same files in every run
    for _ in range(150):
        damaged = bytearray(whole)
        for _ in range(chance.randint(1, 30)):
            edge = chance.choice(
                [range(len(whole) - 6000, len(whole)), range(60_000), range(len(whole))]
            )
            damaged[chance.choice(edge)] = chance.randrange(256)
        (tmp_path / "model.tflite").write_bytes(damaged)
        with suppress(ExportError):
            read_export(tmp_path / "model.tflite")

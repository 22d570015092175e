"""A detector with regular NMS runs on one thread, for with two it loses detections."""

from dataclasses import replace

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers import flexbuffers
from PIL import Image
from serving.process import MODELS

from edge.export.read import read_export
from edge.export.regular_nms import needs_one_thread, says_regular
from edge.runtime.interpreter import IMAGE
from edge.runtime.litert import LiteRTModel
from edge.training.tflite_file import pack

OBJECTS = MODELS / "objects"


def flexbuffer(options):
    builder = flexbuffers.Builder()
    with builder.Map():
        for name, value in options.items():
            builder.Key(name)
            if isinstance(value, bool):
                builder.Bool(value)
            elif isinstance(value, int):
                builder.Int(value)
            else:
                builder.Float(value)
    return bytes(builder.Finish())


@pytest.fixture
def regular(tmp_path):
    """The built-in detector with regular NMS."""
    export = read_export(OBJECTS)
    model = schema.ModelT.InitFromPackedBuf(export.model.read_bytes(), 0)
    operator = model.subgraphs[0].operators[-1]
    options = flexbuffers.Loads(bytes(np.asarray(operator.customOptions, np.uint8)))
    changed = flexbuffer({**options, "use_regular_nms": True})
    operator.customOptions = np.frombuffer(changed, np.uint8)
    file = tmp_path / "model.tflite"
    file.write_bytes(pack(model, "regular"))
    return replace(export, model=file)


def detections(export, threads):
    interpreter = LiteRTModel(export.model, export.contract, threads).open()
    size = export.contract.input.width, export.contract.input.height
    found = []
    for photo in sorted((MODELS / "photos").glob("*.jpg")):
        pixels = np.asarray(Image.open(photo).convert("RGB").resize(size))
        outputs = interpreter.invoke({IMAGE: pixels[np.newaxis]})
        found.append({role: values.copy() for role, values in outputs.items()})
    return found


def test_more_threads_find_the_same_with_regular_nms(regular):
    for alone, shared in zip(detections(regular, 1), detections(regular, 2), strict=True):
        assert all(np.array_equal(alone[role], shared[role]) for role in alone)


def test_only_regular_nms_needs_one_thread(regular):
    assert needs_one_thread(regular.model)
    assert not needs_one_thread(OBJECTS / "model.tflite")
    assert not needs_one_thread(MODELS / "imagenet" / "model.tflite")


@pytest.mark.parametrize(
    ("options", "regular"),
    [
        (flexbuffer({"max_detections": 9, "use_regular_nms": False}), False),
        (flexbuffer({"max_detections": 9, "use_regular_nms": True}), True),
        (flexbuffer({"use_regular_nms": 0}), False),
        (flexbuffer({"max_detections": 9}), True),
        (b"", True),
        (b"\xff" * 40, True),
    ],
)
def test_options_that_do_not_say_clearly_count_as_regular(options, regular):
    assert says_regular(options) is regular

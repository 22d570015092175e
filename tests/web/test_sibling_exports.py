"""Exports of the sibling tools through an HTTP entrance, against LiteRT and Pillow alone."""

import json

import numpy as np
import pytest
from builders.sibling_tools import (
    LOBE_SCALING,
    custom_vision,
    encoded,
    fitted,
    litert_scores,
    lobe,
    model,
    photo,
    teachable_machine,
)
from PIL import Image
from serving.process import Server

PHOTO = photo()


BGR = fitted(PHOTO, Image.Resampling.BILINEAR)[:, :, ::-1]
FED = {
    "teachable": (model("sequential_1_input"), fitted(PHOTO, Image.Resampling.LANCZOS) / 127.5 - 1),
    "lobe": (
        model("Image", scaling=LOBE_SCALING, scores="dense/Softmax"),
        fitted(PHOTO, Image.Resampling.BICUBIC) / 255,
    ),
    "vision": (model("Placeholder"), BGR - np.array([105, 117, 124])),
}


@pytest.mark.slow
def test_each_family_answers_over_http_as_its_own_tool_would(tmp_path):
    teachable_machine(tmp_path / "teachable")
    lobe(tmp_path / "lobe")
    custom_vision(tmp_path / "vision", properties=None)
    with Server("--models", tmp_path) as server:
        for name, (content, tensor) in FED.items():
            reply = server.client.post(
                "/predict", content=encoded(PHOTO), params={"model": name, "top_k": 48}
            )
            assert reply.status_code == 200, reply.text
            found = {item["index"]: item["score"] for item in json.loads(reply.text)["predictions"]}
            scores = [found[index] for index in range(48)]
            expected = litert_scores(content, tensor)
            np.testing.assert_allclose(scores, expected, atol=1e-5, err_msg=name)

"""A SavedModel answers over HTTP as TensorFlow does, even for images that TensorFlow refuses."""

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from serving.automl import AutoMLClient, b64
from serving.pictures import photo, png_bomb
from serving.process import Server

from edge.web.schema import AnswerSchema

pytestmark = pytest.mark.slow

ANSWER = TypeAdapter(AnswerSchema)
MODELS = ["classifier", "detector", "new-classifier", "new-detector"]
CLASSIFIERS = ["classifier", "new-classifier"]
DETECTORS = ["detector", "new-detector"]


def judgement(judged: Any, model: str, name: str, key: str | None = None) -> dict[str, Any]:
    """What TensorFlow answers to the upright picture, under this key."""
    outputs = dict(judged.answers[model][f"{name}.upright"])
    outputs.pop("key", None)
    return outputs if key is None else outputs | {"key": key}


def test_the_judge_itself_cannot_read_what_is_re_encoded_for_it(judged: Any) -> None:
    """Else these tests would show little."""
    for model in MODELS:
        unreadable = {
            name for name in judged.images if judged.answers[model][f"{name}.sent"] is None
        }
        assert unreadable == {
            "webp", "webp lossless", "webp turned", "bmp", "gif animated", "tiff", "tiff jpeg",
            "tiff turned",
        }  # fmt: skip
        wrong = judged.answers[model]["jpeg upside down.sent"] | {"key": ""}
        assert wrong != judged.answers[model]["jpeg upside down.upright"] | {"key": ""}
        assert None not in [judged.answers[model][f"{name}.upright"] for name in judged.images]


@pytest.mark.parametrize("model", MODELS)
def test_every_picture_is_answered_as_tensorflow_answers_it_upright(
    server: Server, judged: Any, model: str
) -> None:
    client = AutoMLClient(server.url, model)
    for name, image in judged.images.items():
        (answered,) = client.predict(image)
        assert answered == judgement(judged, model, name, key="1"), name


@pytest.mark.parametrize("model", MODELS)
def test_pictures_of_all_sizes_go_in_one_request(server: Server, judged: Any, model: str) -> None:
    """Which a detector's graph itself would refuse: it stacks them before it resizes them."""
    names = list(judged.images)
    answered = AutoMLClient(server.url, model).predict(*judged.images.values())
    assert answered == [
        judgement(judged, model, name, key=str(i)) for i, name in enumerate(names, 1)
    ]


@pytest.mark.parametrize("model", MODELS)
def test_columns_say_the_same_as_rows(server: Server, judged: Any, model: str) -> None:
    names = ["jpeg", "webp", "jpeg turned"]
    inputs = {"encoded_image": [b64(judged.images[name]) for name in names], "key": names}
    reply = server.client.post(f"/v1/models/{model}:predict", json={"inputs": inputs})
    rows = [judgement(judged, model, name, key=name) for name in names]
    assert reply.json() == {"outputs": {name: [row[name] for row in rows] for name in rows[0]}}


@pytest.mark.parametrize("model", MODELS)
def test_without_a_key_none_comes_back(server: Server, judged: Any, model: str) -> None:
    body = {
        "signature_name": "serving_default_without_key",
        "instances": [b64(judged.images["webp"])],
    }
    reply = server.client.post(f"/v1/models/{model}:predict", json=body)
    assert reply.json() == {"predictions": [judgement(judged, model, "webp")]}


def test_the_name_of_a_single_output_is_left_out(server: Server, judged: Any) -> None:
    names = ["jpeg", "webp", "jpeg turned"]
    images = [b64(judged.images[name]) for name in names]
    scores = [judgement(judged, "scores-alone", name)["scores"] for name in names]
    url = "/v1/models/scores-alone:predict"
    assert server.client.post(url, json={"instances": images}).json() == {"predictions": scores}
    assert server.client.post(url, json={"inputs": images}).json() == {"outputs": scores}
    answer = server.client.post("/predict/scores-alone", content=judged.images["jpeg"]).json()
    assert answer["predictions"][0]["label"] == "Löwenzahn"  # from dict.txt beside it
    assert answer["predictions"][0]["score"] == pytest.approx(max(scores[0]), abs=1e-6)


@pytest.mark.parametrize("model", CLASSIFIERS)
def test_the_camera_door_tells_the_same_classes(server: Server, judged: Any, model: str) -> None:
    for name, image in judged.images.items():
        answer = ANSWER.validate_json(
            server.client.post(f"/predict/{model}", content=image).content
        )
        expected = judgement(judged, model, name)
        order = sorted(range(5), key=lambda i, scores=expected["scores"]: -scores[i])
        assert [found.label for found in answer.predictions] == [
            expected["labels"][i] for i in order
        ]
        assert [found.index for found in answer.predictions] == order
        assert [found.score for found in answer.predictions] == pytest.approx(
            [expected["scores"][i] for i in order], abs=1e-6
        )


@pytest.mark.parametrize("model", DETECTORS)
def test_the_camera_door_tells_the_same_boxes(server: Server, judged: Any, model: str) -> None:
    for name, image in judged.images.items():
        reply = server.client.post(f"/predict/{model}?threshold=0", content=image)
        answer = ANSWER.validate_json(reply.content)
        expected = judgement(judged, model, name)
        assert len(answer.predictions) == 40
        for row, found in enumerate(answer.predictions):
            assert found.label == expected["detection_classes_as_text"][row]
            assert found.index == expected["detection_classes"][row] - 1
            assert found.score == pytest.approx(expected["detection_scores"][row], abs=1e-6)
            assert found.box is not None
            box = [found.box.y_min, found.box.x_min, found.box.y_max, found.box.x_max]
            assert box == pytest.approx(expected["detection_boxes"][row], abs=1e-6)


def test_the_size_told_is_that_of_the_upright_picture(server: Server, judged: Any) -> None:
    for name, size in (
        ("jpeg", (320, 240)),
        ("jpeg turned", (240, 320)),
        ("png turned", (240, 320)),
    ):
        image = server.client.post("/predict/detector", content=judged.images[name]).json()["image"]
        assert (image["width"], image["height"]) == size


@pytest.mark.parametrize(
    ("image", "status", "code"),
    [
        (b"hello", 415, "unsupported_image"),
        (b"", 400, "corrupt_image"),
        (photo("coffee")[:20_000], 400, "corrupt_image"),
        (png_bomb(), 413, "image_too_large"),
    ],
    ids=["text", "empty", "truncated", "bomb"],
)
def test_a_bad_image_is_the_callers_error(
    server: Server, image: bytes, status: int, code: str
) -> None:
    for model in MODELS:
        reply = server.client.post(f"/predict/{model}", content=image)
        assert (reply.status_code, reply.headers["x-edge-error"]) == (status, code), reply.text
        reply = server.client.post(f"/v1/models/{model}:predict", json={"instances": [b64(image)]})
        assert (reply.status_code, reply.headers["x-edge-error"]) == (400, code), reply.text


def test_mutated_images_never_fail_the_service(server: Server, judged: Any) -> None:
    """TensorFlow's decoders and ours disagree on broken files; either way the image is at fault."""
    rng = random.Random(1)
    for number in range(250):
        image = bytearray(rng.choice(list(judged.images.values())))
        for _ in range(rng.randint(1, 10)):
            image[rng.randrange(len(image))] = rng.randrange(256)
        del image[rng.choice([len(image), rng.randrange(len(image))]) :]
        reply = server.client.post(f"/predict/{MODELS[number % 4]}", content=bytes(image))
        assert reply.status_code in {200, 400, 413, 415}, (number, reply.text)
    (answered,) = AutoMLClient(server.url, "detector").predict(judged.images["jpeg"])
    assert answered == judgement(judged, "detector", "jpeg", key="1")


def test_status_and_metadata_are_the_signatures_own(server: Server) -> None:
    versions = {"classifier": "1", "detector": "1", "new-classifier": "1", "new-detector": "7"}
    for model, version in versions.items():
        (state,) = server.client.get(f"/v1/models/{model}").json()["model_version_status"]
        assert (state["version"], state["state"]) == (version, "AVAILABLE")
        metadata = server.client.get(f"/v1/models/{model}/versions/{version}/metadata").json()
        signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
        image = "encoded_image" if model == "new-detector" else "image_bytes"
        assert set(signature["inputs"]) == {image, "key"}
        assert signature["inputs"][image]["dtype"] == "DT_STRING"
        assert signature["inputs"][image]["tensor_shape"]["dim"] == [{"size": "-1", "name": ""}]
        answered = AutoMLClient(server.url, model).predict(photo("coffee"))[0]
        assert set(signature["outputs"]) == set(answered)


def test_labels_are_told_once_the_warm_up_has_shown_them(server: Server) -> None:
    models = {model["name"]: model for model in server.client.get("/models").json()["models"]}
    assert models["classifier"]["labels"] == ["daisy", "Löwenzahn", "rose", "sunflower", "tulip"]
    assert models["classifier"]["format"] == "saved_model"
    assert models["detector"]["labels"] is None


@pytest.mark.parametrize(
    ("tflite", "saved_model"), [("imagenet", "classifier"), ("objects", "detector")]
)
def test_a_tflite_export_answers_in_the_form_of_the_saved_model_of_its_task(
    server: Server, embedded_server: Server, tflite: str, saved_model: str
) -> None:
    (theirs,) = AutoMLClient(server.url, saved_model).predict(photo("astronaut"))
    (ours,) = AutoMLClient(embedded_server.url, tflite).predict(photo("astronaut"))
    assert set(ours) == set(theirs)
    assert _form(ours) == _form(theirs)
    theirs_of, ours_of = (
        running.client.get(f"/v1/models/{model}/metadata").json()["metadata"]["signature_def"][
            "signature_def"
        ]
        for running, model in ((server, saved_model), (embedded_server, tflite))
    )
    for tensors in ("inputs", "outputs"):
        told, expected = ours_of["serving_default"][tensors], theirs_of["serving_default"][tensors]
        assert {name: tensor["dtype"] for name, tensor in told.items()} == {
            name: tensor["dtype"] for name, tensor in expected.items()
        }


def _form(value: Any) -> Any:
    """Types and nesting, without lengths."""
    if isinstance(value, dict):
        return {name: _form(inner) for name, inner in value.items()}
    return [_form(value[0])] if isinstance(value, list) else type(value)


@pytest.fixture(scope="module")
def embedded_server() -> Iterator[Server]:
    with Server() as running:
        yield running


def test_while_tensorflow_loads_it_lives_but_is_not_ready(judged: Any) -> None:
    with Server("--models", judged.models / "classifier", ready=False) as server:
        assert server.client.get("/health/live").status_code == 200
        assert server.client.get("/health/ready").status_code == 503
        for reply in (
            server.client.post("/predict", content=photo("coffee")),
            server.client.post(
                "/v1/models/default:predict", json={"instances": [b64(photo("coffee"))]}
            ),
        ):
            assert (reply.status_code, reply.headers["x-edge-error"]) == (503, "model_unavailable")
            assert "loading" in json.dumps(reply.json())
            assert int(reply.headers["retry-after"]) >= 1
        (state,) = server.client.get("/v1/models/default").json()["model_version_status"]
        assert state["state"] in {"START", "LOADING"}
        server.wait_ready()
        (answered,) = AutoMLClient(server.url).predict(judged.images["webp"])
        assert answered == judgement(judged, "classifier", "webp", key="1")
        assert "tensorflow" in Path(f"/proc/{server.pid}/maps").read_text()


def test_googles_layout_is_found_whichever_folder_is_named(judged: Any) -> None:
    """The mounted folder, the numbered one in it, or the file: each is the export."""
    for path in (judged.models / "classifier", judged.models / "classifier" / "0001"):
        with Server("--models", path) as server:
            (answered,) = AutoMLClient(server.url).predict(judged.images["jpeg turned"])
            assert answered == judgement(judged, "classifier", "jpeg turned", key="1")


def test_a_signal_while_tensorflow_loads_ends_it_with_exit_code_0(judged: Any) -> None:
    with Server("--models", judged.models / "classifier", ready=False) as server:
        time.sleep(0.5)
        assert server.stop() == 0
        assert "Traceback" not in server.log


def test_a_damaged_saved_model_is_told_and_leaves_the_service_alive(
    judged: Any, tmp_path: Path
) -> None:
    """Its signature can be read, its graph cannot: TensorFlow alone finds out, in its trial.

    The unknown operator would be refused before that unless the owner allows any.
    """
    good = (judged.models / "detector" / "saved_model.pb").read_bytes()
    broken = good.replace(b"DecodeJpeg", b"DecodeJunk")
    assert broken != good
    (tmp_path / "saved_model.pb").write_bytes(broken)
    with Server("--models", tmp_path, "--allow-unsafe-models", ready=False) as server:
        until = time.monotonic() + 60
        while (state := server.client.get("/v1/models/default").json()["model_version_status"][0])[
            "state"
        ] != "END":
            assert time.monotonic() < until
            time.sleep(0.1)
        assert "DecodeJunk" in state["status"]["error_message"]
        assert server.client.get("/health/live").status_code == 200
        assert server.client.get("/health/ready").status_code == 503
        reply = server.client.post("/predict", content=photo("coffee"))
        assert (reply.status_code, reply.headers["x-edge-error"]) == (503, "model_unavailable")
        assert "Traceback" not in reply.text
        assert server.stop() == 0

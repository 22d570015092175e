"""TensorFlow Serving's REST door, as a client of Google's AutoML container meets it."""

import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from serving.automl import AutoMLClient, b64
from serving.pictures import encoded, photo, picture, png_bomb
from serving.process import MODELS, Server
from serving.raw import RawConnection

PREDICT = "/v1/models/default:predict"
DETECTION_KEYS = [
    "num_detections",
    "detection_boxes",
    "detection_scores",
    "detection_classes",
    "detection_classes_as_text",
    "detection_multiclass_scores",
    "image_info",
    "key",
]


@pytest.fixture(scope="module")
def coffee() -> dict[str, str]:
    return b64(photo("coffee"))


def predict(client: httpx.Client, url: str = PREDICT, **body: Any) -> Any:
    reply = client.post(url, json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def assert_refused(reply: httpx.Response, status: int, code: str, *words: str) -> None:
    """The reply is an error in TensorFlow Serving's form, which has nothing but the text."""
    assert (reply.status_code, reply.headers["x-edge-error"]) == (status, code), reply.text
    error = reply.json()
    assert list(error) == ["error"]
    for word in words:
        assert word in error["error"]


def best(prediction: dict[str, Any]) -> str:
    scores = prediction["scores"]
    return str(prediction["labels"][scores.index(max(scores))])


def test_a_client_of_googles_container_gets_its_classification(server: Server) -> None:
    first, second = AutoMLClient(server.url).predict(photo("coffee"), photo("chelsea"))
    assert sorted(first) == ["key", "labels", "scores"]
    assert (first["key"], second["key"]) == ("1", "2")
    assert best(first) == "espresso"
    assert "cat" in best(second)
    assert len(first["labels"]) == len(first["scores"]) == 1000
    assert (
        first["labels"] == second["labels"] != sorted(first["labels"])
    )  # all of them, in the model's order
    assert all(isinstance(score, float) for score in first["scores"])


def test_a_client_of_googles_container_gets_its_detections(server: Server) -> None:
    (found,) = AutoMLClient(server.url, "objects").predict(photo("astronaut"))
    assert list(found) == DETECTION_KEYS
    assert found["key"] == "1"
    rows = len(found["detection_scores"])
    assert found["num_detections"] == rows
    assert isinstance(found["num_detections"], float)
    assert all(
        len(found[name]) == rows
        for name in DETECTION_KEYS
        if name.startswith("detection")
    )  # fmt: skip
    assert found["detection_scores"] == sorted(found["detection_scores"], reverse=True)
    assert found["detection_classes_as_text"][0] == "Person"
    labels = server.client.get("/models").json()["models"][1]["labels"]
    for number, text, scores, score in zip(
        found["detection_classes"],
        found["detection_classes_as_text"],
        found["detection_multiclass_scores"],
        found["detection_scores"],
        strict=True,
    ):
        assert isinstance(number, float)
        assert labels[int(number) - 1] == text  # classes count from 1
        assert len(scores) == len(labels) + 1  # the background before them
        assert scores[int(number)] == max(scores) == score
    for y_min, x_min, y_max, x_max in found["detection_boxes"]:
        assert 0 <= y_min <= y_max <= 1
        assert 0 <= x_min <= x_max <= 1


def test_boxes_tell_y_before_x(server: Server) -> None:
    wide = Image.new("RGB", (900, 300), "white")
    wide.paste(picture("astronaut", (300, 300)), (600, 0))
    (found,) = AutoMLClient(server.url, "objects").predict(encoded(wide, "PNG"))
    y_min, x_min, _, _ = found["detection_boxes"][0]
    assert x_min > 0.6
    assert y_min < 0.3


def test_rows_and_columns_say_the_same(client: httpx.Client, coffee: dict[str, str]) -> None:
    chelsea = b64(photo("chelsea"))
    images, keys = [coffee, chelsea], ["a", "b"]
    instances = [
        {"image_bytes": image, "key": key} for image, key in zip(images, keys, strict=True)
    ]
    rows = predict(client, instances=instances)["predictions"]
    columns = predict(client, inputs={"image_bytes": images, "key": keys})["outputs"]
    assert columns == {name: [row[name] for row in rows] for name in rows[0]}
    assert columns["key"] == keys


@pytest.mark.parametrize("name", ["image_bytes", "encoded_image"])
def test_the_image_goes_by_its_older_and_its_newer_name(
    client: httpx.Client, coffee: dict[str, str], name: str
) -> None:
    (found,) = predict(client, instances=[{name: coffee}])["predictions"]
    assert best(found) == "espresso"
    assert "key" not in found


def test_a_single_input_may_go_without_its_name(
    client: httpx.Client, coffee: dict[str, str]
) -> None:
    named = predict(client, instances=[{"image_bytes": coffee}, {"image_bytes": coffee}])[
        "predictions"
    ]
    assert predict(client, instances=[coffee, coffee])["predictions"] == named
    columns = predict(client, inputs={"image_bytes": coffee})["outputs"]
    assert (
        predict(client, inputs=coffee)["outputs"]
        == predict(client, inputs=[coffee])["outputs"]
        == columns
    )


@pytest.mark.parametrize("key", ["1", "", "Straße 7 \N{SNOWMAN}", "\ud800", "a\nb"])
def test_a_key_comes_back_as_it_was_sent(
    client: httpx.Client, coffee: dict[str, str], key: str
) -> None:
    body = json.dumps({"instances": [{"image_bytes": coffee, "key": key}]}).encode()
    assert client.post(PREDICT, content=body).json()["predictions"][0]["key"] == key


def test_a_key_may_come_as_bytes(client: httpx.Client, coffee: dict[str, str]) -> None:
    (found,) = predict(client, instances=[{"image_bytes": coffee, "key": b64(b"seven")}])[
        "predictions"
    ]
    assert found["key"] == "seven"


def test_base64_may_be_wrapped_unpadded_url_safe_or_in_a_data_url(client: httpx.Client) -> None:
    image = encoded(picture("coffee", (301, 200)), "JPEG")
    padded = base64.b64encode(image).decode()
    ways = [
        padded,
        padded.rstrip("="),
        base64.encodebytes(image).decode(),
        base64.urlsafe_b64encode(image).decode(),
        f"data:image/jpeg;base64,{padded}",
        f"DATA:;Base64,\n{padded}",
        f"data:image/jpeg;name=a.jpg;base64,{padded}",
    ]
    answers = [predict(client, instances=[{"b64": way}]) for way in ways]
    assert all(answer == answers[0] for answer in answers)


@pytest.mark.parametrize(
    "url",
    [
        "/v1/models/default:predict",
        "/v1/models/imagenet:predict",
        "/v1/models/imagenet/versions/1:predict",
        "/v1/models/default/versions/0001:predict",
        "/v1/models/image%6eet:predict",
        "/V1/Models/imagenet:Predict",
        "/v1/MODELS/imagenet/VERSIONS/1:PREDICT",
    ],
)
def test_every_way_to_write_the_path_reaches_the_model(
    client: httpx.Client, coffee: dict[str, str], url: str
) -> None:
    (found,) = predict(client, url, instances=[{"image_bytes": coffee}])["predictions"]
    assert best(found) == "espresso"


@pytest.mark.parametrize("name", ["serving_default", "", "serving_default_without_key"])
def test_the_signature_may_be_named(
    client: httpx.Client, coffee: dict[str, str], name: str
) -> None:
    assert "predictions" in predict(client, signature_name=name, instances=[coffee])


def test_whitespace_and_other_members_of_the_body_do_not_matter(
    client: httpx.Client, coffee: dict[str, str]
) -> None:
    body = json.dumps({"comment": "x", "instances": [coffee]}, indent=4).encode()
    assert client.post(PREDICT, content=b"\n " + body + b"\n").status_code == 200


GOOD = b64(encoded(Image.new("RGB", (16, 16)), "PNG"))
MALFORMED: dict[str, tuple[Any, str]] = {
    "not an object": ([1], "object"),
    "neither": ({}, "instances"),
    "both": ({"instances": [GOOD], "inputs": GOOD}, "either"),
    "no list": ({"instances": GOOD}, "list"),
    "empty": ({"instances": []}, "at least one"),
    "empty column": ({"inputs": {"image_bytes": []}}, "at least one"),
    "text": ({"instances": ["abc"]}, "instances[0]"),
    "null": ({"instances": [None]}, "instances[0]"),
    "number": ({"instances": [{"image_bytes": 3}]}, "instances[0].image_bytes"),
    "image as text": ({"instances": [{"image_bytes": GOOD["b64"]}]}, "b64"),
    "second at fault": ({"instances": [GOOD, {"b64": "%%"}]}, "instances[1]"),
    "bad base64": ({"instances": [{"image_bytes": {"b64": "a"}}]}, "base64"),
    "data URL": ({"instances": [{"b64": "data:image/svg+xml,%3Csvg/%3E"}]}, "data URL"),
    "two data URLs": ({"instances": [{"b64": "data:;base64,data:;base64,AA=="}]}, "base64"),
    "base64 in other letters": ({"instances": [{"image_bytes": {"b64": "äöü="}}]}, "base64"),
    "b64 no text": ({"instances": [{"b64": 5}]}, "b64"),
    "unknown input": ({"instances": [{"image": GOOD}]}, "'image'"),
    "unknown half surrogate": ({"instances": [{"\ud800": GOOD}]}, "unknown input"),
    "two images": ({"instances": [{"image_bytes": GOOD, "encoded_image": GOOD}]}, "one of"),
    "no image": ({"instances": [{"key": "1"}]}, "one of"),
    "key no text": ({"instances": [{"image_bytes": GOOD, "key": 1}]}, "instances[0].key"),
    "key null": ({"instances": [{"image_bytes": GOOD, "key": None}]}, "instances[0].key"),
    "some keys null": (
        {"inputs": {"image_bytes": [GOOD, GOOD], "key": ["1", None]}},
        "inputs.key[1]",
    ),
    "fewer keys": ({"inputs": {"image_bytes": [GOOD, GOOD], "key": ["1"]}}, "must be equal"),
    "signature no text": ({"signature_name": 1, "instances": [GOOD]}, "signature_name"),
    "unknown signature": ({"signature_name": "other", "instances": [GOOD]}, '"other" not found'),
    "half surrogate": ({"signature_name": "\ud800", "instances": [GOOD]}, "not found"),
}


@pytest.mark.parametrize("case", sorted(MALFORMED))
def test_a_malformed_request_is_an_invalid_argument_and_its_place_is_told(
    client: httpx.Client, case: str
) -> None:
    body, words = MALFORMED[case]
    assert_refused(
        client.post(PREDICT, content=json.dumps(body).encode()), 400, "bad_request", words
    )


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xd8\xff", b'{"instances": [' + b"[" * 100_000,
     b'{"instances": ' + b"9" * 5000 + b"}", b"nul"],
    ids=["empty", "cut off", "an image", "deep", "huge number", "no word"],
)  # fmt: skip
def test_a_body_that_is_no_json_is_an_invalid_argument(client: httpx.Client, body: bytes) -> None:
    assert_refused(client.post(PREDICT, content=body), 400, "bad_request")


@pytest.mark.parametrize(
    ("image", "code", "words"),
    [
        (b"", "corrupt_image", "empty"),
        (b"hello", "unsupported_image", "unknown format"),
        (photo("coffee")[:5000], "corrupt_image", "truncated"),
        (png_bomb(), "image_too_large", "50000 x 50000"),
    ],
    ids=["empty", "text", "truncated", "bomb"],
)
def test_an_image_at_fault_is_an_invalid_argument_of_the_whole_request(
    client: httpx.Client, coffee: dict[str, str], image: bytes, code: str, words: str
) -> None:
    reply = client.post(
        PREDICT, json={"instances": [{"image_bytes": coffee}, {"image_bytes": b64(image)}]}
    )
    assert_refused(reply, 400, code, words, "instances[1]")


@pytest.mark.parametrize(
    ("method", "url", "status", "code", "words"),
    [
        ("POST", "/v1/models/nobody:predict", 404, "model_not_found", "nobody"),
        ("POST", "/v1/models/default/versions/7:predict", 404, "model_not_found", "version 7"),
        ("POST", "/v1/models/default/labels/stable:predict", 404, "model_not_found", "stable"),
        ("POST", "/v1/models/default:classify", 501, "not_served", "classify"),
        ("POST", "/v1/models/default:regress", 501, "not_served", "regress"),
        ("POST", "/v1/models/default", 400, "bad_request", "Malformed request: POST"),
        ("POST", "/v1/models/default:explain", 400, "bad_request", "Malformed request: POST"),
        (
            "POST",
            "/v1/models/default/versions/x:predict",
            400,
            "bad_request",
            "Malformed request: POST",
        ),
        (
            "POST",
            f"/v1/models/default/versions/{'9' * 5000}:predict",
            400,
            "bad_request",
            "Malformed",
        ),
        ("POST", "/v1/nothing", 400, "bad_request", "Malformed request: POST /v1/nothing"),
        ("GET", "/v1/models/nobody", 404, "model_not_found", "nobody"),
        ("GET", "/v1/models/nobody/metadata", 404, "model_not_found", "nobody"),
        ("GET", "/v1/models/default/versions/7", 404, "model_not_found", "version 7"),
        ("GET", "/v1/models/default:predict", 400, "bad_request", "Malformed request: GET"),
        ("GET", "/v1/", 400, "bad_request", "Malformed request: GET"),
        ("PUT", "/v1/models/default:predict", 405, "method_not_allowed", "PUT"),
        ("DELETE", "/v1/models/default", 405, "method_not_allowed", "DELETE"),
    ],
)
def test_every_error_has_tensorflow_servings_status_and_form(
    client: httpx.Client, method: str, url: str, status: int, code: str, words: str
) -> None:
    content = json.dumps({"instances": [GOOD]}).encode() if method == "POST" else None
    assert_refused(client.request(method, url, content=content), status, code, words)


def test_a_body_too_large_is_refused_before_it_is_sent(small: Server) -> None:
    with RawConnection(small.address) as connection:
        connection.post_head(PREDICT, "Content-Length: 200001")
        reply = connection.reply()
    assert (reply.status, list(reply.json())) == (413, ["error"])


def test_the_state_of_a_model_is_told_as_tensorflow_serving_does(client: httpx.Client) -> None:
    state = {
        "version": "1",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }
    for url in (
        "/v1/models/default",
        "/v1/models/objects",
        "/v1/models/objects/versions/1",
        "/V1/MODELS/objects",
    ):
        assert client.get(url).json() == {"model_version_status": [state]}


@pytest.mark.parametrize(
    ("model", "outputs"),
    [("imagenet", {"labels", "scores", "key"}), ("objects", set(DETECTION_KEYS))],
)
def test_the_metadata_is_the_signature_of_the_saved_model(
    client: httpx.Client, model: str, outputs: set[str]
) -> None:
    metadata = client.get(f"/v1/models/{model}/metadata").json()
    assert metadata == client.get(f"/v1/models/{model}/versions/1/metadata").json()
    assert metadata["model_spec"] == {"name": model, "signature_name": "", "version": "1"}
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    one_string = {"dim": [{"size": "-1", "name": ""}], "unknown_rank": False}
    assert signature["inputs"] == {
        name: {"dtype": "DT_STRING", "tensor_shape": one_string, "name": f"{name}:0"}
        for name in ("image_bytes", "key")
    }
    assert set(signature["outputs"]) == outputs


def test_the_metadata_names_the_type_and_rank_of_what_is_answered(client: httpx.Client) -> None:
    answered: dict[str, Any] = {}
    for model in ("imagenet", "objects"):
        answered = predict(
            client, f"/v1/models/{model}:predict", inputs={"image_bytes": [GOOD], "key": ["1"]}
        )
        signature = client.get(f"/v1/models/{model}/metadata").json()["metadata"]["signature_def"][
            "signature_def"
        ]
        for name, tensor in signature["serving_default"]["outputs"].items():
            value, rank = answered["outputs"][name], 0
            while isinstance(value, list):
                value, rank = value[0], rank + 1
            assert rank == len(tensor["tensor_shape"]["dim"]), name
            kind = {"DT_STRING": str, "DT_FLOAT": float, "DT_INT32": int}[tensor["dtype"]]
            assert isinstance(value, kind), name


def test_a_model_called_default_goes_before_the_name_of_the_default_one(
    tmp_path: Path,
) -> None:
    (tmp_path / "abc").symlink_to(MODELS / "imagenet")
    (tmp_path / "default").symlink_to(MODELS / "objects")
    with Server("--models", tmp_path) as server:
        (found,) = AutoMLClient(server.url).predict(photo("astronaut"))
        assert found["detection_classes_as_text"][0] == "Person"


def test_a_name_that_must_be_quoted_in_a_url_is_found(tmp_path: Path) -> None:
    (tmp_path / "Blüten 2:1").symlink_to(MODELS / "imagenet")
    with Server("--models", tmp_path) as server:
        for quoted in ("Bl%C3%BCten%202:1", "Bl%c3%bcten%202%3A1"):
            (found,) = AutoMLClient(server.url, quoted).predict(photo("coffee"))
            assert best(found) == "espresso"
            assert server.client.get(f"/v1/models/{quoted}").status_code == 200
            assert (
                server.client.post(f"/predict/{quoted}", content=photo("coffee")).status_code == 200
            )

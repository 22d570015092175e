"""In this process: the cloud for a failing edge, a model's own rules, contradictory settings."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import pytest

from edge.dataplane.answer import InferRequest
from edge.errors import CorruptImage, ExportError, ModelUnavailable, SettingsError
from edge.fallback.policy import LinkState
from edge.repository.version import VersionState
from edge.settings import Settings
from edge.testing.vertex import ENDPOINT
from edge.wiring.bootstrap import build_repository, build_serving_service

MODELS = Path(__file__).resolve().parents[2] / "models"


def build(vertex, models, **settings):
    given = Settings(
        models=models,
        workers=1,
        cloud_endpoint=ENDPOINT,
        cloud_address=vertex.address,
        cloud_credentials="anonymous",
        **settings,
    )
    return build_serving_service(given, build_repository(given))


def run(service, *images, load=True, **query):
    async def all_of_them():
        if load:
            service.load_models()
        service.start()
        while service.cloud.link.state is not LinkState.UP:  # noqa: ASYNC110 -- it lives on another thread
            await asyncio.sleep(0.01)
        answers = []
        for image in images:
            try:
                answers.append(
                    await service.infer(image, InferRequest(time.monotonic() + 20, **query))
                )
            except Exception as error:
                answers.append(error)
        await service.stop()
        return answers

    return asyncio.run(all_of_them())


def test_the_cloud_answers_for_a_model_that_does_not_serve(vertex, photo):
    vertex.behave()
    service = build(vertex, MODELS / "imagenet", cloud_mode="on_error")
    (answer,) = run(service, photo, load=False)
    assert service.repository.versions[0].state is VersionState.START
    assert (answer.source, answer.escalation.reason) == ("cloud", "edge_failed")
    assert (answer.width, answer.height) == (512, 512)
    assert answer.items[0].label == "daisy"
    assert answer.escalation.edge is None


def test_a_model_that_does_not_serve_raises_its_error_if_the_cloud_fails_too(vertex, photo):
    vertex.behave(status=400)
    (error,) = run(build(vertex, MODELS / "imagenet", cloud_mode="on_error"), photo, load=False)
    assert isinstance(error, ModelUnavailable)


def test_a_frame_the_edge_could_not_answer_is_kept(vertex, photo, tmp_path):
    vertex.behave(status=503)
    settings = {
        "cloud_mode": "on_error",
        "outbox_dir": tmp_path,
        "outbox_ack_ms": 3000,
        "cloud_timeout_ms": 200,
    }
    (error,) = run(build(vertex, MODELS / "imagenet", **settings), photo, load=False)
    assert "kept in the outbox" in error.message


def test_bytes_that_are_no_image_are_not_sent_in_the_edges_place(vertex, photo):
    vertex.behave()
    (error,) = run(
        build(vertex, MODELS / "imagenet", cloud_mode="on_error"), photo[:300], load=False
    )
    assert isinstance(error, CorruptImage | ModelUnavailable)
    assert vertex.calls() == []


@pytest.fixture
def own_rules(tmp_path):
    """A copy of a model whose own file may be written."""
    folder = tmp_path / "imagenet"
    shutil.copytree(MODELS / "imagenet", folder)

    def write(text):
        tuning = (MODELS / "imagenet" / "model.toml").read_text()
        (folder / "model.toml").write_text(f"{tuning}\n[fallback]\n{text}\n")
        return folder

    return write


def test_a_models_own_file_says_when_and_whom_to_ask(vertex, coffee, own_rules):
    vertex.behave({"displayNames": ["Kaffee"], "confidences": [0.9]})
    models = own_rules(
        'mode = "low_confidence"\nbands = { espresso = [0.9, 1.0] }\n'
        'endpoint = "projects/1/locations/x/endpoints/77"\nlabels = { Kaffee = "espresso" }'
    )
    (answer,) = run(build(vertex, models), coffee)
    assert (answer.source, answer.escalation.reason) == ("cloud", "unsure_band")
    assert answer.items[0].label == "espresso"
    assert vertex.calls()[0]["endpoint"].endswith("/77")


def test_a_model_may_turn_the_services_mode_off(vertex, photo, own_rules):
    vertex.behave()
    (answer,) = run(build(vertex, own_rules('mode = "off"'), cloud_mode="prefer_cloud"), photo)
    assert (answer.source, answer.escalation) == ("edge", None)


def test_a_rule_for_a_label_the_model_does_not_have_is_refused_at_load(vertex, own_rules):
    with pytest.raises(ExportError, match=r"fallback\.bands names 'nothing'"):
        build(vertex, own_rules("bands = { nothing = [0.1, 0.2] }"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"cloud_mode": "sometimes", "cloud_endpoint": ENDPOINT}, "not a mode"),
        ({"cloud_mode": "low_confidence"}, "without cloud_endpoint"),
        ({"cloud_endpoint": ENDPOINT, "cloud_request_modes": "off maybe"}, "not a mode"),
        ({"cloud_endpoint": ENDPOINT, "cloud_calls_per_day": 3}, "remembered"),
        ({"outbox_dir": "/nowhere", "outbox_key": "short"}, "32 bytes"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_at_start(settings, words):
    given = Settings(models=MODELS / "imagenet", **settings)
    with pytest.raises(SettingsError, match=words):
        build_serving_service(given, build_repository(given))


@pytest.mark.parametrize("content", ["", "{}", "[]", "null", '{"steady": "x"}', "\0" * 200])
def test_where_what_was_spent_cannot_be_read_nothing_is_spent_and_the_edge_serves(
    vertex, photo, tmp_path, content
):
    file = tmp_path / "budget.json"
    file.write_text(content)
    vertex.behave()
    service = build(
        vertex,
        MODELS / "imagenet",
        cloud_mode="prefer_cloud",
        cloud_calls_per_day=3,
        cloud_budget_file=file,
    )
    (answer,) = run(service, photo)
    assert (answer.source, answer.escalation.blocked_by) == ("edge", "budget_spent")
    assert "cannot be read" in service.cloud.link.status().budget_file_fault
    assert vertex.calls() == []
    assert file.read_text() == content


def test_a_budget_without_a_cap_is_kept_nowhere(vertex, photo, tmp_path):
    (tmp_path / "budget.json").write_text("{}")
    vertex.behave()
    service = build(
        vertex,
        MODELS / "imagenet",
        cloud_mode="prefer_cloud",
        outbox_dir=tmp_path,
        cloud_calls_per_day="unlimited",
    )
    (answer,) = run(service, photo)
    assert answer.source == "cloud"


def ask_many(service, images, seconds):
    async def run_it():
        service.load_models()
        service.start()
        while service.cloud.link.state is not LinkState.UP:  # noqa: ASYNC110 -- it lives on another thread
            await asyncio.sleep(0.01)
        answers = await service.infer_many(images, InferRequest(time.monotonic() + seconds))
        await service.stop()
        return answers

    return asyncio.run(run_it())


def test_the_images_of_one_request_do_not_wait_for_the_cloud_one_after_the_other(vertex, photo):
    vertex.behave(delay_s=2.5)
    images = [photo + bytes([number]) for number in range(20)]
    service = build(vertex, MODELS / "imagenet", cloud_mode="prefer_cloud", cloud_timeout_ms=10_000)
    answers = ask_many(service, images, seconds=15)
    sources = [answer.source for answer in answers]  # none is an error
    assert sources.count("cloud") == 8
    assert {answer.escalation.blocked_by for answer in answers if answer.source == "edge"} == {
        "busy"
    }


def test_a_caller_who_has_gone_before_the_call_costs_nothing(vertex, photo, tmp_path):
    async def gone():
        return

    vertex.behave()
    service = build(
        vertex,
        MODELS / "imagenet",
        cloud_mode="prefer_cloud",
        cloud_calls_per_day=9,
        outbox_dir=tmp_path / "box",
    )
    (answer,) = run(service, photo, caller_gone=gone)
    assert answer.escalation.blocked_by == "caller_gone"
    assert service.cloud.link.status().spent.day.calls == 0
    assert vertex.calls() == []

"""The online model answers in a SavedModel's place: its answer goes out, and nothing of the edge's own outputs."""

from __future__ import annotations

import asyncio
import base64
import json
from dataclasses import replace

import numpy as np
import pytest
from builders.asgi import Request
from builders.images import encode, noise
from builders.odd_models import LABELS, odd_repository
from builders.waiting import until

from edge.assisted import Assistance, AssistedService
from edge.bootstrap import build_service
from edge.errors import CloudRefused
from edge.fallback.budget import Budget, Limits
from edge.fallback.cloud import CloudAnswer
from edge.fallback.ledger import Ledger
from edge.fallback.link import Link
from edge.fallback.policy import LinkState, Mode, Rules
from edge.model.contract import SignatureInfo
from edge.model.prediction import Classification
from edge.repository.manager import ModelRepository
from edge.repository.servable import Servable
from edge.settings import Settings
from edge.web.app import create_app

IMAGE = encode(noise(20, 20), "PNG")
EDGES = [0.5, *[0.0] * 10, 0.5]
CLOUDS = [0.0] * 7 + [1.0] + [0.0] * 4
COLUMNS = {name: ("DT_FLOAT", (-1, 12), f"{name}:0") for name in ("labels", "scores", "embedding", "key")}


class SavedModel(Servable):
    """Answers as TensorFlow does: with outputs of its own."""

    def predict(self, worker, encoded, decoding):
        outcome = super().predict(worker, encoded, decoding)
        outputs = {"labels": [LABELS], "scores": [EDGES], "embedding": [[7.0]], "key": [b""]}
        prediction = Classification(LABELS, np.array(EDGES, np.float32), multi_label=False)
        return replace(outcome, prediction=prediction, outputs={k: np.array(v) for k, v in outputs.items()})


class Cloud:
    """Is sure of another label, or refuses."""

    def __init__(self, refuses):
        self.refuses, self.asked = refuses, 0

    async def probe(self, seconds):
        pass

    async def predict(self, question, seconds, before_retry):
        self.asked += 1
        if self.refuses:
            raise CloudRefused("not this one")
        return CloudAnswer(Classification(LABELS, np.array(CLOUDS, np.float32), multi_label=False), (), "far", 5.0)

    async def close(self):
        pass


@pytest.fixture
def ask(tmp_path):
    """Posts the image at both doors; the replies and the answer of the service."""

    async def story(cloud, mode):
        export = odd_repository(tmp_path).find("good").export
        contract = replace(export.contract, signature=SignatureInfo({}, COLUMNS, ""))
        servable = SavedModel("flowers", 1, replace(export, contract=contract))
        settings = Settings(workers=1, log_requests=False)
        edge = build_service(settings, ModelRepository(tmp_path, [servable], {}))
        link = Link(lambda: cloud, Budget(Limits()), Ledger(None))
        assistance = Assistance(rules=Rules(frozenset({mode})), timeout_s=20, link=link)
        service = AssistedService(edge.repository, edge.pool, edge.decoding, assistance, max_held_bytes=1 << 20)
        app = create_app(service, settings)
        answers = []
        service.on_answer = lambda image, query, answer: answers.append(answer)
        async with app.router.lifespan_context(app):
            await until(lambda: service.repository.ready and link.state is LinkState.UP)
            rows = {"instances": [{"image_bytes": {"b64": base64.b64encode(IMAGE).decode()}, "key": "k"}]}
            replies = []
            for path, body in (("/v1/models/flowers:predict", json.dumps(rows).encode()), ("/predict", IMAGE)):
                request = Request(app, path)
                request.body(body)
                assert await request.ended() is None
                assert request.status == 200, request.content
                replies.append(json.loads(request.content))
        return replies, answers

    return lambda cloud, mode: asyncio.run(asyncio.wait_for(story(cloud, mode), 60))


@pytest.mark.parametrize("mode", [Mode.LOW_CONFIDENCE, Mode.PREFER_CLOUD])
def test_the_clouds_answer_replaces_the_edges_outputs(ask, mode):
    cloud = Cloud(refuses=False)
    (rows, camera), answers = ask(cloud, mode)
    assert cloud.asked == 2
    assert rows == {"predictions": [{"labels": list(LABELS), "scores": CLOUDS, "embedding": None, "key": "k"}]}
    assert (camera["source"], camera["predictions"][0]["label"]) == ("cloud", "label 7")
    assert [(answer.source, answer.outputs) for answer in answers] == [("cloud", None)] * 2
    assert [answer.prediction.scores.tolist() for answer in answers] == [CLOUDS] * 2


def test_the_edges_outputs_go_out_where_the_cloud_refuses(ask):
    cloud = Cloud(refuses=True)
    (rows, camera), answers = ask(cloud, Mode.PREFER_CLOUD)
    assert cloud.asked == 2
    assert rows == {"predictions": [{"labels": list(LABELS), "scores": EDGES, "embedding": [7.0], "key": "k"}]}
    assert (camera["source"], camera["hindrance"]) == ("edge", "cloud_failed")
    assert {answer.source for answer in answers} == {"edge"}

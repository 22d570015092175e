"""A person's corrections over HTTP: what is kept, under which label, and what is refused."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import ClassVar

import httpx
import pytest
from builders.shapes import put_shapes, shape
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from serving.pictures import encoded, photo, picture
from serving.process import Server

from edge.api_key import ApiKey, Scope, hash_key, new_key
from edge.cli import main
from edge.errors import BadRequest
from edge.outbox.export import Labels, Plan, export
from edge.outbox.store import Store
from edge.settings import Settings
from edge.web.app import create_app
from edge.web.pages.corrections import MAX_LABEL, canonical_label
from edge.wiring.bootstrap import build_repository, build_serving_service

SECRETS = {name: new_key() for name in ("kiosk", "viewer", "operator")}
SCOPES = {
    "kiosk": {Scope.PREDICT},
    "viewer": {Scope.VIEW},
    "operator": {Scope.PREDICT, Scope.VIEW},
}
KEYS = {name: ApiKey(hash=hash_key(SECRETS[name]), scopes=SCOPES[name]) for name in SECRETS}


class Bench:
    """An application with a wall that is open, and the outbox behind it."""

    headers: ClassVar[dict[str, str]] = {}

    def __init__(self, app, client, wall):
        self.app, self.client, self.wall = app, client, wall

    async def post(self, query, content=b"", **how):
        return await self.client.post(f"/corrections?{query}", content=content, **how)

    async def seen(self, name="coffee", camera="line-7", model="imagenet"):
        """Post a photo; the number of its answer on the wall."""
        reply = await self.client.post(
            f"/predict/{model}?camera={camera}", content=photo(name), headers=self.headers
        )
        assert reply.status_code == 200, reply.text
        self.wall.show_newest()
        (_, seen) = self.wall.shown_since(0)[-1]
        return seen.number

    async def entries(self):
        outbox = self.app.state.service.cloud.outbox
        return await asyncio.wrap_future(outbox.call(lambda store: store.entries()))


def run(tmp_path, test, *, keys=None, outbox=True, images=True, **more):
    """Run a test in one loop with an application of its own."""
    values = {"workers": 1, "api_keys": keys or {}, **more}
    if outbox:
        values |= {"outbox_dir": tmp_path / "outbox", "outbox_images": images}
    settings = Settings(**values)
    service = build_serving_service(settings, build_repository(settings))
    app = create_app(service, settings)
    app.state.service = service
    (wall,) = [one for one in service.observers if type(one).__name__ == "Wall"]

    async def go():
        service.start()
        await asyncio.to_thread(service.load_models)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            with wall.watch():
                await test(Bench(app, client, wall))
        await service.stop()

    asyncio.run(go())


def test_a_picture_on_the_wall_is_kept_with_its_label_and_the_edges_answer(tmp_path):
    async def test(bench):
        number = await bench.seen()
        reply = await bench.post(f"picture={number}&label=teapot")
        assert reply.status_code == 200, reply.text
        (entry,) = await bench.entries()
        assert reply.json() == {"key": entry.key, "label": "teapot", "model": "imagenet"}
        assert (entry.state, entry.correction, entry.camera) == ("corrected", "teapot", "line-7")
        assert (entry.label, entry.items[0]["label"]) == ("espresso", "espresso")
        again = await bench.post(f"picture={number}&label=teapot")  # a double tap
        assert again.json() == reply.json()
        assert len(await bench.entries()) == 1
        none = await bench.post(f"picture={number}&none=true")
        assert none.json() == {"key": entry.key, "label": None, "model": "imagenet"}
        assert (await bench.entries())[0].correction == ""

    run(tmp_path, test)
    store = Store(tmp_path / "outbox")
    assert store.image(store.entries()[0].key) == photo("coffee")
    store.close()


def test_none_of_these_becomes_the_last_label_of_the_next_model(tmp_path):
    async def test(bench):
        for seed in range(6):
            reply = await bench.post("none=true&model=imagenet", shape("disc", seed))
            assert reply.json()["label"] is None

    def edge(*arguments):
        result = CliRunner().invoke(main, list(map(str, arguments)), catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return result.output

    run(tmp_path, test)
    added, photos, model = tmp_path / "added", tmp_path / "photos", tmp_path / "model"
    put_shapes(photos, {"square": 6, "stripes": 6})
    export_them = ["outbox", "export", added, "--outbox-dir", tmp_path / "outbox"]
    learn = ["train", photos, "--add", added, "--out", model, "--no-saved-model"]
    assert "0 of them with labels" in edge(*export_them)
    assert "6 of them with labels" in edge(*export_them, "--none-of-the-above")
    edge(*learn)
    assert (model / "dict.txt").read_text().split() == ["square", "stripes", "None_of_the_above"]


def test_a_posted_picture_is_kept_and_exported_for_training(tmp_path):
    async def test(bench):
        reply = await bench.post("label=Espresso&camera=kiosk", photo("coffee"))
        assert (reply.status_code, reply.json()["label"]) == (200, "espresso")  # the model's case
        reply = await bench.post("label=my+new+class&model=imagenet", photo("chelsea"))
        assert reply.json()["label"] == "my new class"
        reply = await bench.post("none=true&model=objects", photo("astronaut"))
        assert reply.json()["model"] == "objects"
        form = {"image": ("a.jpg", photo("astronaut"), "image/jpeg")}
        reply = await bench.client.post("/corrections?label=Dog&model=objects", files=form)
        assert reply.json()["label"] == "Dog"
        assert len(await bench.entries()) == 3

    run(tmp_path, test)
    store = Store(tmp_path / "outbox")
    done = export(store, Plan(tmp_path / "out", "gs://b", Labels.CLOUD, 0.5, 10_000_000))
    store.close()
    assert (done.images, done.labelled) == (3, 2)
    text = (tmp_path / "out/classification.jsonl").read_text().splitlines()
    labels = [json.loads(line)["classificationAnnotation"]["displayName"] for line in text]
    assert labels == ["espresso", "my new class"]


@pytest.mark.parametrize(
    ("query", "body", "status", "code"),
    [
        ("label=x", b"", 400, "bad_request"),  # no picture at all
        ("label=x", b"no picture", 415, "unsupported_image"),
        ("label=x", photo("coffee")[:5_000], 400, "corrupt_image"),
        ("", photo("coffee"), 400, "bad_request"),  # no label
        ("label=", photo("coffee"), 400, "bad_request"),
        ("label=%20%20", photo("coffee"), 400, "bad_request"),
        ("label=x&none=true", photo("coffee"), 400, "bad_request"),
        ("none=yes", photo("coffee"), 400, "bad_request"),
        ("label=a&label=b", photo("coffee"), 400, "bad_request"),
        ("label=x&lable=y", photo("coffee"), 400, "bad_request"),
        (f"label={'x' * (MAX_LABEL + 1)}", photo("coffee"), 400, "bad_request"),
        (f"label={'x' * 9_000}", photo("coffee"), 400, "bad_request"),
        ("label=a%1b%5b2J", photo("coffee"), 400, "bad_request"),
        ("label=a%e2%80%aeb", photo("coffee"), 400, "bad_request"),  # a bidi override
        ("label=a%0ab", photo("coffee"), 400, "bad_request"),
        ("label=x&camera=" + "c" * 65, photo("coffee"), 400, "bad_request"),
        ("label=x&model=nobody", photo("coffee"), 404, "model_not_found"),
        ("label=x&picture=999", b"", 404, "picture_gone"),
        ("label=x&picture=-1", b"", 404, "picture_gone"),
        ("label=x&picture=" + "9" * 5_000, b"", 404, "picture_gone"),
        ("label=x&picture=%c2%b2", b"", 404, "picture_gone"),
        ("label=x&picture=1&model=imagenet", b"", 400, "bad_request"),
        ("label=x&picture=1&camera=a", b"", 400, "bad_request"),
        ("label=x&picture=1", photo("coffee"), 400, "bad_request"),
    ],
)
def test_what_is_no_correction_is_refused_in_words(bench_of, query, body, status, code):
    reply, entries = bench_of(query, body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (status, code), reply.text
    assert len(reply.text) < 500
    assert entries == []


@pytest.fixture(scope="module")
def bench_of(tmp_path_factory):
    """Sends one correction to an application that all these tests share."""
    settings = Settings(workers=1, outbox_dir=tmp_path_factory.mktemp("refused") / "outbox")
    service = build_serving_service(settings, build_repository(settings))
    app = create_app(service, settings)
    service.start()
    service.load_models()

    def send(query, body):
        async def go():
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as one:
                reply = await one.post(f"/corrections?{query}", content=body)
            outbox = service.cloud.outbox
            return reply, await asyncio.wrap_future(outbox.call(lambda store: store.entries()))

        return asyncio.run(go())

    yield send
    asyncio.run(service.stop())


def test_a_form_with_two_pictures_and_a_body_that_is_too_large_are_refused(tmp_path):
    async def test(bench):
        two = [("image", ("a.jpg", photo("coffee"))), ("image", ("b.jpg", photo("chelsea")))]
        reply = await bench.client.post("/corrections?label=x", files=two)
        assert (reply.status_code, reply.json()["error"]["code"]) == (400, "bad_request")
        large = encoded(picture("chelsea", (1_500, 1_200)), "BMP")
        reply = await bench.post("label=x", large)
        assert reply.json()["error"]["code"] == "body_too_large"
        many = encoded(picture("chelsea", (1_500, 1_200)), "JPEG", quality=20)
        reply = await bench.post("label=x", many)
        assert reply.json()["error"]["code"] == "image_too_large"
        assert await bench.entries() == []

    run(tmp_path, test, max_body_bytes=1_000_000, max_pixels=1_000_000)


@pytest.mark.parametrize(
    ("outbox", "images", "words"), [(False, True, "--outbox-dir"), (True, False, "no images")]
)
def test_without_an_outbox_that_keeps_images_there_are_no_corrections(
    tmp_path, outbox, images, words
):
    async def test(bench):
        number = await bench.seen()
        told = (await bench.client.get("/corrections")).json()
        assert told["possible"] is False
        for reply in (
            await bench.post(f"picture={number}&label=x"),
            await bench.post("label=x", photo("coffee")),
        ):
            assert (reply.status_code, reply.json()["error"]["code"]) == (409, "no_outbox")
            assert words in reply.json()["error"]["message"]

    run(tmp_path, test, outbox=outbox, images=images)


def test_a_page_is_told_that_it_may_offer_corrections(tmp_path):
    async def test(bench):
        told = (await bench.client.get("/corrections")).json()
        assert told == {"possible": True, "max_label": MAX_LABEL}

    run(tmp_path, test)


def test_an_outbox_that_cannot_be_written_is_said(tmp_path):
    async def test(bench):
        reply = await bench.post("label=x", photo("coffee"))
        assert reply.status_code == 503, reply.text
        assert reply.json()["error"]["code"] == "outbox_failed"
        assert reply.json()["error"]["message"].startswith("The outbox")

    (tmp_path / "outbox").mkdir()
    (tmp_path / "outbox" / "outbox.sqlite3").write_bytes(b"")
    (tmp_path / "outbox" / "outbox.sqlite3-wal").mkdir()
    run(tmp_path, test)


def test_a_key_names_who_corrected_and_opens_only_what_its_owner_may_see(tmp_path):
    def key(name):
        return {"X-API-Key": SECRETS[name]}

    async def test(bench):
        bench.headers = key("kiosk")
        number = await bench.seen()
        posted = await bench.post("label=cup", photo("coffee"), headers=key("kiosk"))
        assert posted.status_code == 200
        (entry,) = await bench.entries()
        assert entry.corrected_by == "kiosk"
        unseen = await bench.post(f"picture={number}&label=mug", headers=key("kiosk"))
        assert (unseen.status_code, unseen.json()["error"]["code"]) == (403, "key_forbidden")
        looking = await bench.post(f"picture={number}&label=mug", headers=key("viewer"))
        assert looking.status_code == 403
        assert (await bench.post(f"picture={number}&label=mug")).status_code == 401
        good = await bench.post(f"picture={number}&label=mug", headers=key("operator"))
        assert good.status_code == 200
        (entry,) = await bench.entries()
        assert (entry.correction, entry.corrected_by) == ("mug", "operator")
        foreign = await bench.post(
            f"picture={number}&label=cat", headers=key("operator") | {"Origin": "http://evil.test"}
        )
        assert (foreign.status_code, foreign.json()["error"]["code"]) == (403, "foreign_page")

    run(tmp_path, test, keys=KEYS)


@pytest.mark.parametrize(
    ("text", "known", "label"),
    [
        ("Dog", ["Dog", "Cat"], "Dog"),
        ("dog ", ["Dog", "Cat"], "Dog"),
        ("DOG", ["Dog", "dog"], "DOG"),  # it might be either
        ("dog", ["Dog", "dog"], "dog"),
        (" dog", ["Dog", " dog"], " dog"),
        ("cafe\u0301", ["caf\u00e9"], "caf\u00e9"),
        ("x" * 300, ["x" * 300], "x" * 300),  # the model's own are as long as they are
        ("wolf", [], "wolf"),
    ],
)
def test_a_label_is_the_models_own_where_only_its_form_differs(text, known, label):
    assert canonical_label(text, known) == label


@given(st.text(), st.lists(st.text(min_size=1), max_size=4))
def test_a_label_is_known_or_short_and_printable(text, known):
    try:
        label = canonical_label(text, known)
    except BadRequest:
        assert text not in known
        return
    assert label in known or (0 < len(label) <= MAX_LABEL and label.isprintable())
    assert canonical_label(label, known) == label


def test_a_correction_that_was_answered_survives_kill_9(tmp_path):
    with Server(outbox_dir=tmp_path / "outbox") as server:
        reply = server.client.post("/corrections?label=mug", content=photo("coffee"))
        assert reply.status_code == 200, reply.text
        server.process.send_signal(signal.SIGKILL)
        server.process.wait()
    store = Store(tmp_path / "outbox", create=False)
    entry = store.get(reply.json()["key"])
    assert (entry.correction, store.image(entry.key)) == ("mug", photo("coffee"))
    store.close()

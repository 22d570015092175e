"""Settings in, what stands behind the edge out: each setting has come to the place it is for."""

from __future__ import annotations

import base64
import gc
import sys
from contextlib import nullcontext

import pytest
from builders.escalation import small_repository

from edge.errors import ExportError, SettingsError
from edge.fallback.budget import Limits, Spent, Window
from edge.fallback.budget_file import BudgetFile
from edge.fallback.cloud import VertexOptions
from edge.model.rules import Mode, Rules
from edge.outbox.encryption import AesGcmEncryption, NoEncryption
from edge.outbox.space import Quota
from edge.settings import Settings
from edge.testing.vertex import ENDPOINT
from edge.wiring.bootstrap import build_repository, build_serving_service
from edge.wiring.cloud import _gentle_import, open_store

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def wired(tmp_path):
    (tmp_path / "models").mkdir()
    repository = small_repository(tmp_path / "models")
    services = []

    def make(**settings):
        given = Settings(models=tmp_path / "models" / "flowers", workers=1, **settings)
        services.append(build_serving_service(given, repository))
        return services[-1]

    yield make
    for service in services:
        service.pool.close()


def options(service) -> VertexOptions:
    """What the client will be made with."""
    return service.cloud.link._connect.args[0]


CAPS = {
    "cloud_price": 0.5,
    "cloud_calls_per_day": 11,
    "cloud_calls_per_month": 12,
    "cloud_cost_per_day": 13.0,
    "cloud_cost_per_month": 14.0,
    "cloud_rate": 15.0,
}


def test_every_setting_of_the_cloud_comes_to_its_place(wired, tmp_path):
    service = wired(
        **CAPS,
        cloud_endpoint=ENDPOINT,
        cloud_address="http://127.0.0.1:9",
        cloud_transport="rest",
        cloud_request="tf_serving",
        cloud_credentials="anonymous",
        cloud_mode="on_error,low_confidence",
        cloud_threshold=0.7,
        cloud_margin=0.2,
        cloud_timeout_ms=1234,
        cloud_concurrency=5,
        cloud_budget_file=tmp_path / "spent.json",
        max_pixels=777_777,
        queue_size=6,
        max_held_bytes=1 << 30,
    )
    link, parts = service.cloud.link, service.cloud
    assert link.calls.budget.limits == Limits(0.5, 11, 12, 13.0, 14.0, 15.0)
    assert (link.max_calls, parts.overflow) == (5, 5)
    assert link.calls._budget_file.file == tmp_path / "spent.json"
    assert options(service) == VertexOptions(
        ENDPOINT,
        "http://127.0.0.1:9",
        rest=True,
        anonymous=True,
        credentials=None,
        max_pixels=777_777,
        image_bytes=True,
    )
    assert parts.rules == Rules(frozenset({Mode.ON_ERROR, Mode.LOW_CONFIDENCE}), 0.7, 0.2)
    assert parts.timeout_s == 1.234
    assert (parts.outbox, parts.webhook, parts.ack_s) == (None, None, 0.0)
    assert (service.admission.max_in_flight, service.admission.max_held_bytes) == (7, 1 << 30)


def test_where_little_is_set_the_cloud_is_googles_and_asked_as_automl_is(wired, tmp_path):
    service = wired(
        cloud_endpoint="projects/p/locations/europe-west4/endpoints/7",
        cloud_credentials=tmp_path / "a.json",
    )
    assert options(service) == VertexOptions(
        "projects/p/locations/europe-west4/endpoints/7", None, rest=False, anonymous=False,
        credentials=tmp_path / "a.json", max_pixels=Settings().max_pixels, image_bytes=False,
    )  # fmt: skip
    assert options(service).host == "europe-west4-aiplatform.googleapis.com"
    assert not options(service).plaintext
    assert options(wired(cloud_endpoint=ENDPOINT)).credentials is None
    assert service.cloud.link.calls._budget_file.file is None


@pytest.mark.parametrize(
    ("address", "host", "plain"),
    [
        ("http://far:80", "far:80", True),
        ("https://far:443/", "far:443", False),
        ("far:443", "far:443", False),
        ("far", "far", False),
    ],
)
def test_an_address_is_a_host_with_or_without_tls(wired, address, host, plain):
    found = options(wired(cloud_endpoint=ENDPOINT, cloud_address=address))
    assert (found.host, found.plaintext) == (host, plain)


@pytest.mark.parametrize("cap", sorted(set(CAPS) - {"cloud_price", "cloud_rate"}))
def test_each_cap_needs_a_file_and_finds_one_in_the_outbox(wired, tmp_path, cap):
    with pytest.raises(SettingsError, match="remembered"):
        wired(cloud_endpoint=ENDPOINT, **{cap: CAPS[cap]})
    service = wired(cloud_endpoint=ENDPOINT, outbox_dir=tmp_path / "box", **{cap: CAPS[cap]})
    assert service.cloud.link.calls._budget_file.file == tmp_path / "box" / "budget.json"


def test_the_default_budget_needs_no_file_and_takes_the_outboxs_if_there_is_one(wired, tmp_path):
    calls = wired(cloud_endpoint=ENDPOINT).cloud.link.calls
    assert (calls.budget.limits, calls._budget_file.file) == (Limits(calls_per_day=1_000), None)
    assert "1,000 calls in 24 hours, 1,000 left; price not set" in calls.budget_in_words()
    assert "counted from each start" in calls.budget_in_words()
    kept = wired(cloud_endpoint=ENDPOINT, outbox_dir=tmp_path / "box").cloud.link.calls
    assert kept._budget_file.file == tmp_path / "box" / "budget.json"
    assert "counted from each start" not in kept.budget_in_words()


def test_an_owner_can_say_that_nothing_limits_the_calls(wired):
    calls = wired(cloud_endpoint=ENDPOINT, cloud_calls_per_day="unlimited").cloud.link.calls
    assert calls.budget.limits == Limits()
    assert calls.budget_in_words().startswith("unlimited calls in 24 hours; price not set")


def test_every_setting_of_the_outbox_comes_to_its_place(wired, tmp_path):
    settings = {
        "outbox_dir": tmp_path / "box",
        "outbox_max_bytes": 21_000_000,
        "outbox_max_entries": 22,
        "outbox_max_age_days": 2.0,
        "outbox_images": False,
        "outbox_key": KEY,
        "outbox_ack_ms": 250,
        "outbox_webhook": "http://127.0.0.1:9/results",
        "outbox_webhook_secret": "s3cret",
    }
    service = wired(cloud_endpoint=ENDPOINT, **settings)
    parts = service.cloud
    assert parts.ack_s == 0.25
    assert parts.outbox.folder == tmp_path / "box"
    assert (parts.webhook._poster._url, parts.webhook._secret) == (
        "http://127.0.0.1:9/results",
        "s3cret",
    )
    assert parts.webhook._outbox is parts.outbox
    store = open_store(Settings(**settings), create=True)
    try:
        assert store._space.quota == Quota(21_000_000, 22, 2 * 86_400.0)
        assert (store._keep_images, store._deliver) == (False, True)
        assert isinstance(store._encryption, AesGcmEncryption)
    finally:
        store.close()


def test_by_default_the_outbox_is_not_encrypted_and_has_no_webhook(wired, tmp_path):
    assert wired(outbox_dir=tmp_path / "box").cloud.webhook is None
    assert (
        wired(cloud_endpoint=ENDPOINT, outbox_webhook="http://127.0.0.1:9/").cloud.webhook is None
    )
    store = open_store(Settings(outbox_dir=tmp_path / "box"), create=True)
    try:
        assert isinstance(store._encryption, NoEncryption)
        assert (store._deliver, store._keep_images) == (False, True)
    finally:
        store.close()
    with pytest.raises(SettingsError, match="No outbox"):
        open_store(Settings(), create=True)


@pytest.mark.parametrize("modes", ["nonsense", "off nonsense", "shadow,on_error"])
def test_modes_that_requests_may_ask_for_are_looked_at_at_start(wired, modes):
    with pytest.raises(SettingsError, match="cloud_request_modes"):
        wired(cloud_endpoint=ENDPOINT, cloud_request_modes=modes)


def test_an_unknown_mode_in_a_models_own_file_is_refused_at_start(tmp_path):
    (tmp_path / "models").mkdir()
    small_repository(tmp_path / "models")
    folder = tmp_path / "models" / "flowers"
    (folder / "model.toml").write_text('[fallback]\nmode = "nonsense"\n')
    given = Settings(models=folder, workers=1, cloud_endpoint=ENDPOINT)
    with pytest.raises(ExportError, match=r"model\.toml.*fallback\.mode"):
        build_serving_service(given, build_repository(given))


@pytest.mark.parametrize("fails", [False, True])
def test_an_import_during_frames_leaves_the_interpreter_as_it_was(fails):
    interval, frozen = sys.getswitchinterval(), gc.get_freeze_count()
    with pytest.raises(ZeroDivisionError) if fails else nullcontext(), _gentle_import():
        assert sys.getswitchinterval() == pytest.approx(interval / 10)
        assert not gc.isenabled()
        1 / (not fails)
    assert sys.getswitchinterval() == pytest.approx(interval)
    assert gc.isenabled()
    assert gc.get_freeze_count() > frozen
    gc.unfreeze()


def test_what_was_spent_before_a_restart_is_spent(wired, tmp_path):
    file = tmp_path / "spent.json"
    before = Spent(Window(1.0, 3, 30), Window(1.0, 7, 70))
    BudgetFile(file).save(lambda: before)
    service = wired(cloud_endpoint=ENDPOINT, cloud_calls_per_day=9, cloud_budget_file=file)
    assert service.cloud.link.calls.budget.spent == before

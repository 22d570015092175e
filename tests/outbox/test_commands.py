"""`edge outbox`: what each command prints and does, and how it refuses."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from builders.outbox import KEY, OTHER_KEY, RESULT, frame
from click.testing import CliRunner
from PIL import Image

from edge.cli import main
from edge.errors import SettingsError
from edge.outbox.describe import entry_json
from edge.outbox.encryption import AesGcmEncryption, NoEncryption
from edge.outbox.entry import Delivery, EntryState
from edge.outbox.space import Quota
from edge.outbox.store import Store
from edge.settings import Settings
from edge.wiring.bootstrap import build_repository, build_serving_service
from edge.wiring.cloud import open_store


def picture(colour):
    file = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def box(tmp_path):
    return tmp_path / "box"


@pytest.fixture
def store(box):
    """Open while the commands run, as in a running service."""
    one = Store(box, deliver=True)
    yield one
    one.close()


@pytest.fixture
def entries(store):
    """One of each state: waiting, resolved, dead letter; the last is not an image."""
    frames = [replace(frame(""), image=picture(colour)) for colour in ("red", "blue")]
    keys = [receipt.key for receipt in store.put([*frames, frame("no picture")])]
    store.resolve(keys[1], RESULT)
    store.dead_letter(keys[2], "refused")
    return keys


@pytest.fixture
def edge(box):
    def run(*arguments, **environment):
        command = ["outbox", *map(str, arguments), "--outbox-dir", str(box)]
        return CliRunner().invoke(main, command, env=environment, catch_exceptions=False)

    return run


def refused(done, *words):
    assert done.exit_code == 2
    assert done.stdout == ""
    assert all(word in done.stderr for word in words), done.stderr
    assert "Traceback" not in done.stderr


def test_list_prints_entries_and_counts(edge, store, entries):
    done = edge("list", COLUMNS="200")
    assert done.exit_code == 0
    head, *rows, sums = done.stdout.splitlines()
    assert head.split() == ["key", "state", "model", "edge", "cloud", "person", "reason", "camera"]
    assert [row.split()[:2] for row in rows] == [
        [key[:12], state]
        for key, state in zip(entries, ["waiting", "resolved", "dead_letter"], strict=True)
    ]
    assert ["daisy 0.50" in row for row in rows] == [True] * 3
    assert ["rose 0.90" in row for row in rows] == [False, True, False]
    by_state = "1 waiting, 1 resolved, 1 dead_letter, 0 prediction_only, 0 corrected"
    assert sums == f"{by_state}; {store.counts()['bytes']:,} bytes"


def test_list_as_json_prints_one_line_per_entry(edge, store, entries):
    done = edge("list", "--json")
    assert [json.loads(line) for line in done.stdout.splitlines()] == [
        entry_json(store.get(key)) for key in entries
    ]


@pytest.mark.parametrize(
    ("state", "there"),
    [("waiting", 0), ("resolved", 1), ("dead_letter", 2), ("prediction_only", None)],
)
def test_list_may_be_limited_to_a_state_and_a_number(edge, entries, state, there):
    keys = [
        json.loads(line)["key"]
        for line in edge("list", "--json", "--state", state).stdout.splitlines()
    ]
    assert keys == ([] if there is None else [entries[there]])
    assert len(edge("list", "--json", "--limit", 2).stdout.splitlines()) == 2


def test_show_prints_an_entry_by_the_beginning_of_its_key_and_writes_its_image(
    edge, store, entries, tmp_path
):
    done = edge("show", entries[1][:10], "--image", tmp_path / "out.png")
    assert (done.exit_code, json.loads(done.stdout)) == (0, entry_json(store.get(entries[1])))
    assert (tmp_path / "out.png").read_bytes() == picture("blue")


def test_show_refuses_what_is_not_there_and_what_cannot_be_written(edge, entries, tmp_path):
    refused(edge("show", "zz"), "no entry zz")
    refused(edge("show", ""), "more than one")
    refused(
        edge("show", entries[0], "--image", tmp_path / "none" / "out.png"),
        "cannot be written",
        "out.png",
    )


def test_an_image_opens_with_the_key_alone(box, edge, tmp_path):
    encrypted = Store(box, encryption=AesGcmEncryption(KEY))
    (receipt,) = encrypted.put([replace(frame(""), image=picture("red"))])
    encrypted.close()
    image = tmp_path / "out.png"
    assert edge("show", receipt.key, "--image", image, EDGE_OUTBOX_KEY=KEY).exit_code == 0
    assert image.read_bytes() == picture("red")
    refused(edge("show", receipt.key, "--image", image), "outbox_key")
    refused(
        edge("show", receipt.key, "--image", image, EDGE_OUTBOX_KEY=OTHER_KEY),
        "encrypted with another",
    )
    refused(edge("list", EDGE_OUTBOX_KEY="short"), "32 bytes")


def test_export_writes_images_and_reports_what_it_left_out(edge, entries, tmp_path):
    folder = tmp_path / "export"
    done = edge(
        "export", folder, "--gcs", "gs://bucket/unsure", "--labels", "edge", "--threshold", "0.5"
    )
    assert done.exit_code == 0
    assert done.stdout == f"2 images in {folder}, 2 of them with labels\n"
    assert "1 entries were left out" in done.stderr
    lines = [
        json.loads(line) for line in (folder / "classification.jsonl").read_text().splitlines()
    ]
    assert [line["classificationAnnotation"]["displayName"] for line in lines] == ["daisy", "rose"]
    assert lines[0]["imageGcsUri"] == f"gs://bucket/unsure/images/{entries[0]}.png"


def test_export_takes_one_model_and_a_threshold(edge, entries, store, tmp_path):
    store.put([replace(frame("", model="other"), image=picture("red"))])
    done = edge(
        "export", tmp_path / "other", "--model", "other", "--labels", "edge", "--threshold", "0.6"
    )
    assert done.stdout.startswith("1 images")
    assert done.stdout.endswith("0 of them with labels\n")
    assert done.stderr == ""


def test_export_refuses_a_folder_that_cannot_be_written(edge, entries, tmp_path):
    (tmp_path / "file").touch()
    refused(edge("export", tmp_path / "file"), "cannot be written")


def test_retry_lets_all_wait_again_or_those_named(edge, store, entries):
    store.postpone_delivery(entries[1], 60, give_up=True)
    assert edge("retry", entries[0]).stdout == "0 entries will be tried again\n"
    assert edge("retry", entries[2][:12]).stdout == "1 entries will be tried again\n"
    assert store.get(entries[2]).state is EntryState.WAITING
    assert store.get(entries[1]).webhook is Delivery.FAILED
    assert edge("retry").stdout == "1 entries will be tried again\n"
    assert store.get(entries[1]).webhook is Delivery.PENDING
    refused(edge("retry", "zz"), "no entry zz")


def test_purge_drops_those_named_and_nothing_without_a_name(edge, store, entries):
    refused(edge("purge"), "Nothing to drop")
    refused(edge("purge", entries[0], "zz"), "no entry zz")
    assert len(store.entries()) == 3
    assert edge("purge", "--state", "resolved").stdout == "1 entries dropped\n"
    assert [entry.key for entry in store.entries()] == [entries[0], entries[2]]
    assert edge("purge", entries[0], "--state", "dead_letter").stdout == "2 entries dropped\n"
    assert store.entries() == []


@pytest.mark.parametrize(
    "command", [["list"], ["show", "a"], ["export", "out"], ["retry"], ["purge", "a"]]
)
def test_no_command_makes_an_outbox(command, edge, box, tmp_path):
    refused(edge(*command), f"There is no outbox in {box}")
    assert list(tmp_path.iterdir()) == []
    done = CliRunner().invoke(main, ["outbox", *command], catch_exceptions=False)
    refused(done, "set outbox_dir")


def test_the_outbox_is_as_the_settings_say(box):
    store = open_store(Settings(outbox_dir=box), create=True)
    assert store._space.quota == Quota(1 << 30, 10_000, 30 * 86_400.0)
    assert (store._keep_images, store._deliver) == (True, False)
    assert isinstance(store._encryption, NoEncryption)
    store.close()
    given = {"max_bytes": 1_000, "max_entries": 7, "max_age_days": 0.5, "images": False, "key": KEY}
    settings = {f"outbox_{name}": value for name, value in given.items()}
    store = open_store(
        Settings(outbox_dir=box, outbox_webhook="http://localhost/", **settings), create=True
    )
    assert store._space.quota == Quota(1_000, 7, 43_200.0)
    assert (store._keep_images, store._deliver) == (False, True)
    assert isinstance(store._encryption, AesGcmEncryption)
    store.close()


@pytest.fixture
def repository(embedded_models):
    return build_repository(Settings(models=embedded_models / "imagenet"))


def test_a_malformed_key_is_refused_at_start(repository, box):
    with pytest.raises(SettingsError, match="32 bytes"):
        build_serving_service(Settings(outbox_dir=box, outbox_key="short"), repository)
    assert not box.exists()


def test_the_webhook_and_the_wait_for_the_disk_are_as_the_settings_say(repository, box):
    settings = {
        "outbox_dir": box,
        "outbox_ack_ms": 250,
        "outbox_webhook": "http://localhost/results",
    }
    service = build_serving_service(
        Settings(**settings, outbox_webhook_secret="s3cret"), repository
    )
    cloud = service.cloud
    assert cloud.ack_s == 0.25
    assert (cloud.webhook._poster._url, cloud.webhook._secret) == (
        "http://localhost/results",
        "s3cret",
    )
    assert cloud.outbox.folder == box
    service.pool.close()
    without_webhook = build_serving_service(Settings(outbox_dir=box), repository)
    assert (without_webhook.cloud.ack_s, without_webhook.cloud.webhook) == (0.0, None)
    without_webhook.pool.close()

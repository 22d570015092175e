"""`edge train --resume`: what was read of the pictures is kept, and shared with the inspection."""

from __future__ import annotations

import os
import re
import shutil
import signal

import numpy as np
import pytest
from builders.interruption import interrupt
from builders.shapes import put_shapes, shape
from click.testing import CliRunner
from PIL import Image

from edge.cli import main
from edge.datasets.picture_cache import PictureCache, picture_key

COUNTS = {"disc": 9, "square": 9}
"""Too few for the bound on strangers, which takes longest to fit."""

NUMBER = 18


@pytest.fixture
def edge(tmp_path):
    """Runs a command with a data folder of its own."""

    def run(*arguments):
        given = [*map(str, arguments), "--data", str(tmp_path / "data")]
        return CliRunner().invoke(main, given, catch_exceptions=False)

    return run


@pytest.fixture
def train(edge, tmp_path):
    """Trains, and returns what came out and the bytes of the model."""

    def run(photos, *flags):
        result = edge("train", photos, "--no-saved-model", "--out", tmp_path / "model", *flags)
        assert result.exit_code == 0, result.output
        return result, (tmp_path / "model" / "model.tflite").read_bytes()

    return run


@pytest.fixture
def photos(tmp_path):
    return put_shapes(tmp_path / "photos", COUNTS)


def known(result):
    (count,) = re.findall(r"^([\d,]+) pictures? w\w+ known already\.$", result.stderr, re.MULTILINE)
    return int(count.replace(",", ""))


def test_what_the_inspection_has_read_is_not_read_again_and_gives_the_same_model(
    edge, train, photos
):
    fresh, model = train(photos)
    assert "known" not in fresh.stderr
    shutil.rmtree(photos.parent / "data")
    assert edge("data", "inspect", photos).exit_code == 0
    result, resumed = train(photos, "--resume")
    assert known(result) == NUMBER
    assert resumed == model
    looked = edge("data", "inspect", photos, "--resume")
    assert "18 of 18 pictures were known already." in looked.stderr


def test_only_what_has_changed_is_read_again(train, photos):
    train(photos)
    first = next((photos / "disc").iterdir())
    first.write_bytes(shape("disc", 700))
    assert known(train(photos, "--resume")[0]) == NUMBER - 1
    status = first.stat()
    changed = bytearray(first.read_bytes())
    changed[-1] ^= 1
    first.write_bytes(changed)
    os.utime(first, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert first.stat().st_size == status.st_size
    assert known(train(photos, "--resume")[0]) == NUMBER - 1
    (photos / "disc" / "new.png").write_bytes(shape("disc", 701))
    assert known(train(photos, "--resume")[0]) == NUMBER


def test_pictures_that_are_added_are_kept_as_well(train, photos, tmp_path):
    added = put_shapes(tmp_path / "added", {"disc": 2})
    train(photos)
    assert known(train(photos, "--resume", "--add", added)[0]) == NUMBER
    assert known(train(photos, "--resume", "--add", added)[0]) == NUMBER + 2


def test_a_damaged_cache_costs_time_and_changes_no_model(train, photos, tmp_path):
    _, model = train(photos)
    for file in (tmp_path / "data" / "datasets").rglob("*.bin"):
        content = bytearray(file.read_bytes())
        size = len(content) // NUMBER
        content[3 * size + 30] ^= 1
        content[8 * size : 10 * size] = bytes(2 * size)  # as after a power cut
        file.write_bytes(content[: 16 * size + 17])
    result, resumed = train(photos, "--resume")
    assert known(result) == NUMBER - 3 - 2
    assert resumed == model


def test_a_run_from_the_start_forgets_the_files_of_other_versions(tmp_path):
    PictureCache(tmp_path, tmp_path / "set", keep=True).close()
    (own,) = (tmp_path / "datasets").iterdir()
    (own / "pictures-1.bin").write_bytes(b"old")
    PictureCache(tmp_path, tmp_path / "set", keep=True).close()
    assert (own / "pictures-1.bin").exists()
    PictureCache(tmp_path, tmp_path / "set", keep=False).close()
    assert not (own / "pictures-1.bin").exists()


def test_where_nothing_can_be_kept_it_trains_all_the_same_and_says_so(edge, train, photos):
    (photos.parent / "data").write_text("a file")
    result, _ = train(photos)
    assert "note: what is read now is not kept." in result.stderr
    refused = edge("train", photos, "--out", photos.parent / "other", "--resume")
    assert refused.exit_code == 2
    assert "Name another folder with --data." in refused.stderr
    assert "Traceback" not in refused.output
    assert edge("data", "inspect", photos).exit_code == 0


def test_two_runs_at_once_do_not_write_into_one_file(edge, train, photos, tmp_path):
    _, model = train(photos)
    other = PictureCache(tmp_path / "data", photos, keep=True)
    result, same = train(photos)
    assert "Another edge is reading" in result.stderr
    assert same == model
    refused = edge("data", "inspect", photos, "--resume")
    assert refused.exit_code == 2
    assert "Wait for its end" in refused.stderr
    other.close()
    assert known(train(photos, "--resume")[0]) == NUMBER


def test_a_set_that_is_in_use_is_not_dropped_however_old(tmp_path):
    used = PictureCache(tmp_path, tmp_path / "used", keep=True)
    (own,) = (tmp_path / "datasets").iterdir()
    os.utime(own, (0, 0))
    for name in "abcdef":
        PictureCache(tmp_path, tmp_path / name, keep=True).close()
    assert own.exists()
    used.close()
    os.utime(own, (0, 0))
    PictureCache(tmp_path, tmp_path / "g", keep=True).close()
    assert not own.exists()


def test_features_of_another_backbone_are_not_taken(tmp_path, photos):
    picture = next(photos.rglob("*.png"))
    key = picture_key(picture, photos)
    facts = (np.void(bytes(16)), 1, 1, np.zeros((32, 32, 3), np.uint8))
    first = PictureCache(tmp_path, photos, keep=True)
    first.pictures.add(key, facts)
    first.open_features(4, "a" * 64).add(key, np.ones(4, np.int8))
    assert first.has(key)
    first.close()
    for size, model in ((4, "b" * 64), (5, "a" * 64)):
        other = PictureCache(tmp_path, photos, keep=True)
        other.open_features(size, model)
        assert not other.has(key)
        other.close()
    again = PictureCache(tmp_path, photos, keep=True)
    again.open_features(4, "a" * 64)
    assert again.has(key)
    again.close()


def test_good_parts_go_on_as_well_and_give_the_same_model(edge, tmp_path):
    good = tmp_path / "good"
    good.mkdir()
    rng = np.random.default_rng(0)
    for number in range(22):
        pixels = rng.integers(100, 140, (64, 64, 3), np.uint8)
        Image.fromarray(pixels).save(good / f"{number}.png")
    models = []
    for flags in ((), ("--resume",)):
        result = edge("train", "--good", good, "--out", tmp_path / "model", *flags)
        assert result.exit_code == 0, result.output
        models.append((tmp_path / "model" / "model.tflite").read_bytes())
    assert known(result) == 22
    assert models[0] == models[1]


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_training_that_is_cut_short_goes_on_with_all_that_was_read(tmp_path, train, photos, how):
    model = tmp_path / "model"
    arguments = ["train", photos, "--no-saved-model", "--out", model, "--data", tmp_path / "data"]
    code, err = interrupt(tmp_path, 10, how, *arguments)
    assert not model.exists()
    if how is signal.SIGINT:
        assert code == 130
        assert "give the same command with --resume to go on" in err
        assert "Traceback" not in err
    result, resumed = train(photos, "--resume")
    # Reading is up to three pictures ahead of writing.
    assert 7 <= known(result) < NUMBER
    assert train(photos)[1] == resumed

"""Where a container's models are looked for, and what is said of a mount with a wrong name."""

import pytest
from builders.tflite import classifier

from edge.errors import SettingsError
from edge.settings import Settings
from edge.wiring.bootstrap import build_repository
from edge.wiring.mounts import chosen_mount, misplaced_mount, mount_points

LINE = "36 35 98:0 / {} ro,noatime master:1 - {} /dev/root ro,errors=continue\n"


def write_model(folder):
    folder.mkdir(parents=True)
    (folder / "model.tflite").write_bytes(classifier())
    (folder / "dict.txt").write_text("\n".join(f"label {number}" for number in range(12)))
    return folder


@pytest.fixture
def root(tmp_path):
    """A container's root, with what Docker mounts itself."""

    def make(*points):
        everywhere = ["/", "/etc/hosts", "/etc/resolv.conf", "/data", *points]
        lines = [LINE.format(point, "ext4") for point in everywhere]
        lines += [LINE.format("/proc", "proc"), LINE.format("/tmp/models", "tmpfs")]
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/mountinfo").write_text("".join(lines))
        return tmp_path

    return make


@pytest.mark.parametrize(
    "point",
    [
        "/model", "/mdoels", "/modles", "/Models", "/my-export", "/mnt", "/mnt/flowers",
        "/tmp/mounted_models", "/srv/flowers.tflite", "/automl/flowers",
    ],
)  # fmt: skip
def test_a_mount_that_is_called_as_models_are_is_meant_as_models(root, tmp_path, point):
    assert str(misplaced_mount(root(point), tmp_path / "data")) == point


@pytest.mark.parametrize(
    "point", ["/photos", "/certs", "/run/secrets/x", "/etc/localtime", "/account.json"]
)
def test_any_other_mount_is_not(root, point):
    assert misplaced_mount(root(point), None) is None


def test_what_holds_a_model_is_meant_as_models_whatever_it_is_called(root, tmp_path):
    write_model(tmp_path / "flowers/deep/0001")
    assert str(misplaced_mount(root("/flowers"), None)) == "/flowers"


def test_a_name_with_a_blank_is_read_as_proc_writes_it(root):
    assert "/my models" in map(str, mount_points(root(r"/my\040models")))


def test_the_first_mount_with_an_export_is_served_and_an_empty_one_does_not_hide_it(tmp_path):
    empty, good, later = tmp_path / "models", tmp_path / "google", tmp_path / "later"
    empty.mkdir()
    write_model(good / "0001")
    write_model(later)
    assert chosen_mount([tmp_path / "none", empty, good, later]) == good
    assert chosen_mount([tmp_path / "none", empty]) == empty
    assert chosen_mount([tmp_path / "none"]) is None


def test_a_broken_export_is_not_passed_over(tmp_path):
    broken = tmp_path / "models"
    broken.mkdir()
    (broken / "flowers.zip").write_bytes(b"PK\3\4 and no more")
    assert chosen_mount([broken, write_model(tmp_path / "good")]) == broken
    repository = build_repository(Settings(model_mounts=str(broken)))
    (status,) = repository.statuses()
    assert "truncated zip" in status.fault


def test_a_mount_with_a_wrong_name_serves_nothing_and_is_named(root, tmp_path):
    mounts = f"{tmp_path / 'models'}:{tmp_path / 'mounted_model'}"
    repository = build_repository(Settings(model_mounts=mounts), root("/model"))
    assert not repository.versions
    assert not repository.ready
    (status,) = repository.statuses()
    for words in ("/model: it is mounted", str(tmp_path / "models"), "EDGE_MODELS=/model"):
        assert words in status.fault


def test_without_any_mount_the_built_in_models_serve_and_say_what_they_are(root, tmp_path):
    repository = build_repository(Settings(model_mounts=str(tmp_path / "models")), root())
    assert repository.builtin
    assert all(version.ref.builtin for version in repository.versions)


def test_models_that_the_owner_gives_are_not_called_built_in(tmp_path):
    mounted = write_model(tmp_path / "models")
    assert not build_repository(Settings(model_mounts=str(mounted))).builtin
    assert not build_repository(Settings(models=mounted)).builtin


def test_the_built_in_models_can_be_turned_off(root, tmp_path):
    off = Settings(model_mounts=str(tmp_path / "models"), builtin=False)
    repository = build_repository(off, root())
    (status,) = repository.statuses()
    assert "turned off" in status.fault
    with pytest.raises(SettingsError, match="EDGE_MODELS"):
        build_repository(Settings(builtin=False))

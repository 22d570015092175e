"""Every form of export that people mount, every mount point, and the words of every refusal."""

import base64
import json
import shutil
import zipfile

import pytest
from answers import readable, top
from docker_engine import HARDENED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


def export_folder(flowers, place):
    return flowers, "/models"


def zip_in_a_folder(flowers, place):
    zipped(flowers, place / "flowers.zip")
    return readable(place), "/models"


def zip_itself(flowers, place):
    return zipped(flowers, place / "flowers.zip"), "/models/flowers.zip"


def zip_as_the_mount_point(flowers, place):
    return zipped(flowers, place / "flowers.zip"), "/models"


def repository(flowers, place):
    shutil.copytree(flowers, place / "flowers")
    shutil.copytree(flowers, place / "roses")
    return readable(place), "/models"


def numbered_version(flowers, place):
    shutil.copytree(flowers, place / "0001")
    return readable(place), "/models"


def googles_layout(flowers, place):
    shutil.copytree(flowers, place / "0001")
    return readable(place), "/tmp/mounted_model"


def googles_layout_version_mounted(flowers, place):
    return flowers, "/tmp/mounted_model/0001"


def zipped(folder, to):
    with zipfile.ZipFile(to, "w") as archive:
        for file in folder.iterdir():
            archive.write(file, file.name)
    to.chmod(0o644)
    return to


@pytest.mark.parametrize(
    "form",
    [
        export_folder, zip_in_a_folder, zip_itself, zip_as_the_mount_point,
        repository, numbered_version,
        googles_layout, googles_layout_version_mounted,
    ],
    ids=lambda form: form.__name__,
)  # fmt: skip
def test_an_export_serves_in_whatever_form_it_is_mounted(
    engine, lite, flowers, sunflower, tmp_path, form
):
    tmp_path.chmod(0o755)
    source, target = form(flowers, tmp_path)
    with engine.run(lite, *HARDENED, "-v", f"{source}:{target}:ro") as container:
        status, answer = container.wait_ready().ask("/predict", sunflower)
        assert (status, top(answer)) == (200, "sunflowers")
        instance = {"image_bytes": {"b64": base64.b64encode(sunflower).decode()}, "key": "1"}
        status, reply = container.ask(
            "/v1/models/default:predict", json.dumps({"instances": [instance]})
        )
        assert (status, reply["predictions"][0]["key"]) == (200, "1")


def test_an_empty_mount_is_live_and_says_why_it_is_not_ready(engine, lite, tmp_path, coffee):
    readable(tmp_path)
    with engine.run(
        lite, *HARDENED, "--restart", "on-failure", "-v", f"{tmp_path}:/models:ro"
    ) as container:
        container.wait(lambda: "serves no model" in container.logs, "serving nothing")
        container.wait(lambda: live(container), "live")
        status, reply = container.ask("/health/ready")
        assert (status, reply["reason"]) == (503, "no model was found in /models")
        status, reply = container.ask("/predict", coffee)
        assert (status, reply["error"]["code"]) == (503, "model_unavailable")
        assert "/models holds no export" in reply["error"]["message"]
        assert "no model was found in /models" in container.execute("edge", "health", check=False)
        assert container.inspect(".RestartCount") == 0


def test_a_mount_with_a_wrong_name_is_named_and_no_other_model_answers(
    engine, lite, flowers, sunflower
):
    with engine.run(lite, *HARDENED, "-v", f"{flowers}:/model:ro") as container:
        container.wait(lambda: live(container), "live")
        status, reply = container.ask("/health/ready")
        assert (status, "Mount it at /models" in reply["models"]["model"]) == (503, True)
        assert container.ask("/predict", sunflower)[0] == 503
        assert "no model is served: /model: it is mounted" in container.logs


def test_an_empty_mount_does_not_hide_one_at_googles_path(
    engine, lite, flowers, sunflower, tmp_path
):
    mounts = ("-v", f"{readable(tmp_path)}:/models:ro", "-v", f"{flowers}:/tmp/mounted_model:ro")
    with engine.run(lite, *HARDENED, *mounts) as container:
        status, answer = container.wait_ready().ask("/predict", sunflower)
        assert (status, top(answer)) == (200, "sunflowers")
        assert "notice" not in answer


def test_without_a_mount_every_answer_says_whose_model_it_is(engine, lite, coffee):
    with engine.run(lite, *HARDENED) as container:
        _, answer = container.wait_ready().ask("/predict", coffee)
        assert answer["notice"] == "built-in demonstration model"
        assert "built-in demonstration models imagenet" in container.logs
    with engine.run(lite, *HARDENED, "-e", "EDGE_BUILTIN=off") as container:
        container.wait(lambda: live(container), "live")
        assert container.ask("/predict", coffee)[0] == 503


def test_a_mount_that_its_user_may_not_read_is_named_in_one_line(engine, lite, flowers, tmp_path):
    """It does not end the container, which a restart policy would start again and again."""
    shutil.copytree(flowers, tmp_path / "secret")
    (tmp_path / "secret").chmod(0o700)
    mount = f"{tmp_path / 'secret'}:/models:ro"
    with engine.run(lite, *HARDENED, "--restart", "on-failure", "-v", mount) as container:
        container.wait(lambda: "served" in container.logs, "serving nothing")
        container.wait(lambda: live(container), "live")
        (line,) = [line for line in container.logs.splitlines() if "no model is served" in line]
        assert "/models" in line
        assert "read" in line
        assert "Traceback" not in container.logs
        status, reply = container.ask("/health/ready")
        assert (status, "read" in reply["models"]["models"]) == (503, True)
        assert container.inspect(".RestartCount") == 0


def test_a_corrupt_export_is_live_and_says_why_it_is_not_ready(engine, lite, flowers, tmp_path):
    shutil.copytree(flowers, tmp_path / "corrupt")
    model = tmp_path / "corrupt/model.tflite"
    model.write_bytes(model.read_bytes()[:5000])
    mount = f"{readable(tmp_path / 'corrupt')}:/models:ro"
    with engine.run(lite, *HARDENED, "--restart", "on-failure", "-v", mount) as container:
        container.wait(lambda: "is not served" in container.logs, "refused")
        container.wait(lambda: live(container), "live")
        status, reply = container.ask("/health/ready")
        assert (status, "model.tflite" in reply["models"]["models"]) == (503, True)
        assert "model.tflite" in container.execute("edge", "health", check=False)
        assert container.inspect(".RestartCount") == 0


def test_a_corrupt_export_that_the_command_names_ends_with_one_line(
    engine, lite, flowers, tmp_path
):
    shutil.copytree(flowers, tmp_path / "corrupt")
    model = tmp_path / "corrupt/model.tflite"
    model.write_bytes(model.read_bytes()[:5000])
    mount = f"{readable(tmp_path / 'corrupt')}:/mine:ro"
    code, said = engine.once(lite, "-v", mount, command=("serve", "--models", "/mine"))
    assert code == 2
    assert "model.tflite" in said
    assert "Traceback" not in said


def test_a_saved_model_on_lite_is_refused_with_the_words_that_help(
    engine, lite, saved_model, coffee
):
    with engine.run(lite, *HARDENED, "-v", f"{saved_model}:/models:ro") as container:
        container.wait(lambda: "is not served" in container.logs, "refused")
        container.wait(lambda: live(container), "live")
        status, reply = container.ask("/predict", coffee)
        assert (status, reply["error"]["code"]) == (503, "model_unavailable")
        for words in ("SavedModel", "TensorFlow is not installed", "full image", '"TFLite"'):
            assert words in reply["error"]["message"]
        assert container.ask("/health/ready")[0] == 503


def test_a_saved_model_in_googles_layout_serves_on_the_full_image(
    engine, full, saved_model, coffee
):
    with engine.run(full, *HARDENED, "-v", f"{saved_model}:/tmp/mounted_model:ro") as container:
        instance = {"image_bytes": {"b64": base64.b64encode(coffee).decode()}, "key": "cup"}
        status, reply = container.wait_ready().ask(
            "/v1/models/default:predict", json.dumps({"instances": [instance]})
        )
        assert status == 200
        (prediction,) = reply["predictions"]
        assert prediction["key"] == "cup"
        assert dict(zip(prediction["labels"], prediction["scores"], strict=True))["red"] > 0.9


def live(container):
    try:
        return container.ask("/health/live")[0] == 200
    except OSError:
        return False

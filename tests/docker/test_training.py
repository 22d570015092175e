"""From a folder of pictures to a served model, on the small image, without a network."""

import pytest
from answers import readable, top
from builders.parts import part, put_parts
from docker_engine import HARDENED

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

_OWNER = ("--user", "1234:1234")


def _mounted(folder):
    return ("-v", f"{folder}:/work", "-w", "/work")


@pytest.fixture
def work(tmp_path):
    """A folder of pictures of two labels, which anyone may write to."""
    put_parts(tmp_path / "work/pictures/good", 20)
    put_parts(tmp_path / "work/pictures/blob", 20, "blob", seed=100)
    folder = readable(tmp_path / "work")
    folder.chmod(0o777)
    return folder


def test_four_commands_lead_from_pictures_to_a_served_model(engine, lite, work):
    mount = _mounted(work)

    def edge(*command):
        code, output = engine.once(lite, *_OWNER, *mount, command=command)
        assert code == 0, output
        assert "Traceback" not in output
        return output

    assert "40 pictures, 2 labels" in edge("data", "inspect", "pictures")
    assert "right on" in edge("train", "pictures", "--out", "my-model")
    assert "Right answers" in edge("evaluate", "my-model", "pictures")
    assert (work / "my-model").stat().st_uid == 1234
    serve = ("serve", "--models", "my-model")
    with engine.run(lite, *HARDENED, *_OWNER, *mount, command=serve) as container:
        container.wait_ready()
        answers = [container.ask("/predict", part(seed, "blob"))[1] for seed in range(500, 510)]
        found = [top(answer) for answer in answers].count("blob")
    assert found >= 9


def test_good_parts_are_learnt_there_as_well(engine, lite, work):
    command = ("train", "--good", "pictures/good", "--out", "good-parts")
    code, output = engine.once(lite, *_OWNER, *_mounted(work), command=command)
    assert code == 0, output
    assert "20 pictures of good parts" in output


def test_a_folder_that_the_user_of_the_container_cannot_write_to_is_named(engine, lite, work):
    work.chmod(0o755)
    command = ("train", "pictures", "--out", "my-model")
    code, output = engine.once(lite, *_OWNER, *_mounted(work), command=command)
    assert code == 2
    assert "my-model cannot be written: /work is not writable" in output
    assert "Traceback" not in output

"""The pinned lists of the images agree with `pyproject.toml`: no engine is needed to see that."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from edge import __version__

ROOT = Path(__file__).resolve().parents[2]


def load_lock():
    specification = importlib.util.spec_from_file_location("lock", ROOT / "docker/lock.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


lock = load_lock()


def pins(name):
    """Name to version."""
    text = (ROOT / "docker" / name).read_text()
    return dict(re.findall(r"^([\w-]+)==([\w.]+)", text, re.MULTILINE))


def allows(requirement, version):
    """Whether a version lies within a requirement such as `x>=1.2,<3`."""

    def number(text):
        return [int(part) for part in re.findall(r"\d+", text)]

    bounds = re.findall(r"(>=|<)([\d.]+)", requirement)
    assert bounds, requirement
    return all(
        number(version) >= number(b) if sign == ">=" else number(version) < number(b)
        for sign, b in bounds
    )


@pytest.mark.parametrize(
    ("name", "lite"), [("requirements.txt", False), ("requirements-lite.txt", True)]
)
def test_every_dependency_is_pinned_to_a_version_that_the_project_allows(name, lite):
    pinned = pins(name)
    for requirement in lock.dependencies(lite=lite):
        assert allows(requirement, pinned[lock.name_of(requirement)]), requirement


def test_lite_is_the_full_list_without_the_two_large_packages_and_what_only_they_need():
    full, lite = pins("requirements.txt"), pins("requirements-lite.txt")
    assert lite.items() < full.items()
    assert not {"tensorflow", "google-cloud-aiplatform", "keras", "grpcio"} & set(lite)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-lite.txt"])
def test_every_pin_has_the_hash_of_its_wheels(name):
    text = (ROOT / "docker" / name).read_text()
    pinned = re.split(r"^(?=\w)", text.split("\n", 1)[1], flags=re.MULTILINE)[1:]
    assert len(pinned) >= len(pins(name))
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", one) for one in pinned)


def test_on_x86_64_the_full_image_has_tensorflow_without_its_part_for_gpus():
    text = (ROOT / "docker/requirements.txt").read_text()
    version = pins("requirements.txt")["tensorflow"]
    assert f'tensorflow-cpu=={version} ; platform_machine == "x86_64"' in text
    assert f'tensorflow=={version} ; platform_machine != "x86_64"' in text


def test_the_classic_builder_reaches_lite_before_anything_that_only_full_needs():
    """It builds every stage that stands above its target."""
    text = (ROOT / "Dockerfile").read_text()
    assert text.index(" AS lite") < text.index(" AS packages\n") < text.index(" AS full")


def test_the_version_in_the_labels_is_the_project_s():
    text = (ROOT / "Dockerfile").read_text()
    assert re.findall(r"^ARG VERSION=(\S+)", text, re.MULTILINE) == [__version__] * 2


def test_a_plain_install_brings_every_package_of_the_brief():
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    names = {lock.name_of(each) for each in dependencies}
    assert names >= {
        "tensorflow",
        "fastapi",
        "uvicorn",
        "pillow",
        "numpy",
        "google-cloud-aiplatform",
    }


def test_the_dockerfile_names_no_frontend_and_starts_from_the_python_that_the_lists_are_for():
    text = (ROOT / "Dockerfile").read_text()
    assert not text.startswith("# syntax=")
    bases = set(re.findall(r"^FROM (\S+:\S+)", text, re.MULTILINE))
    assert bases == {"python:3.13-slim"}
    assert "(3, 13)" in (ROOT / "docker/lock.py").read_text()

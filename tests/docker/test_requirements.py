"""The pinned lists of the images agree with `pyproject.toml`: no engine is needed to see that."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def load_lock():
    specification = importlib.util.spec_from_file_location("lock", ROOT / "docker/lock.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


lock = load_lock()


def pins(name):
    lines = (ROOT / "docker" / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if not line.startswith("#"))


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

"""Writes the lists of packages from the dependencies in `pyproject.toml`.

    python3.13 docker/lock.py

* `requirements.txt` and `requirements-lite.txt` pin what the two images install, with the hashes of
  the wheels for x86-64 and arm64; lite leaves out the two large packages. Run this with the Python
  of the image, on x86-64: markers and wheels depend on it.
* On x86-64 the full image has `tensorflow-cpu`: the same without the part for GPUs, 0.4 GB less.
* `requirements-tflite.txt` is the unpinned list for a small install.

Nothing is installed; pip only resolves.
"""

from __future__ import annotations

import json
import platform
import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

HERE = Path(__file__).parent

Pins = dict[str, tuple[str, set[str]]]
"""Name to version and the SHA-256 of its wheels."""

WORDS = "# Written by docker/lock.py from pyproject.toml. Do not edit.\n"

CPU_BUILD = "tensorflow-cpu"

ARM_PLATFORMS = (
    *(f"manylinux_2_{minor}_aarch64" for minor in range(41, 16, -1)),
    "manylinux2014_aarch64",
)
"""Wheels that Debian 13, with glibc 2.41, runs; 2_17 is also called manylinux2014."""

LEFT_OUT_OF_LITE = ("tensorflow", "google-cloud-aiplatform")
"""Imported by `edge` only if a SavedModel or a cloud endpoint needs them."""


def name_of(requirement: str) -> str:
    """Return the normalised name of a requirement (PEP 503)."""
    return re.sub(r"[-_.]+", "-", re.split(r"[\s<>=!~;\[]", requirement, maxsplit=1)[0]).lower()


def dependencies(*, lite: bool) -> list[str]:
    """Return the project's own list; for lite without the two large packages."""
    project = tomllib.loads((HERE.parent / "pyproject.toml").read_text("utf-8"))["project"]
    return [
        each for each in project["dependencies"] if not (lite and name_of(each) in LEFT_OUT_OF_LITE)
    ]


def for_this_image(requirement: str) -> str:
    """A requirement as the full image takes it: TensorFlow without its GPU part, on x86-64."""
    return re.sub(r"^tensorflow\b", CPU_BUILD, requirement)


def resolve(requirements: list[str], pins: Path | None = None) -> Pins:
    """Everything that pip would install for them, with its hash, sorted by name."""
    constraint = ["--constraint", str(pins)] if pins else []
    return _report([*constraint, *requirements])


def add_hashes_of_arm(found: Pins) -> Pins:
    """Add the hashes of the wheels that an arm64 image takes, in the same versions."""
    names = {name: ("tensorflow" if name == CPU_BUILD else name) for name in found}
    wanted = [f"{names[name]}=={version}" for name, (version, _) in found.items()]
    platforms = [word for one in ARM_PLATFORMS for word in ("--platform", one)]
    nowhere = ["--target", "nowhere", "--no-deps", "--only-binary", ":all:"]
    arm = _report([*nowhere, *platforms, *wanted])
    return {
        name: (version, hashes | arm[names[name]][1]) for name, (version, hashes) in found.items()
    }


def _report(arguments: list[str]) -> Pins:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--dry-run", "--ignore-installed"]
    command = [*pip, "--report", "-", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603 -- all our own
    report = json.loads(done.stdout)
    found = {}
    for each in report["install"]:
        digest = each["download_info"]["archive_info"]["hashes"]["sha256"]
        found[name_of(each["metadata"]["name"])] = each["metadata"]["version"], {digest}
    return dict(sorted(found.items()))


def lines(found: Pins) -> str:
    """The pins as pip reads them; TensorFlow's build depends on the machine."""
    text = WORDS
    for name, (version, hashes) in found.items():
        hashed = "".join(f" \\\n    --hash=sha256:{one}" for one in sorted(hashes))
        if name == CPU_BUILD:
            text += f'{name}=={version} ; platform_machine == "x86_64"{hashed}\n'
            text += f'tensorflow=={version} ; platform_machine != "x86_64"{hashed}\n'
        else:
            text += f"{name}=={version}{hashed}\n"
    return text


def main() -> None:
    """Write the three files; lite's versions are those of the full one."""
    if sys.version_info[:2] != (3, 13) or platform.machine() != "x86_64":
        raise SystemExit("Run this with Python 3.13, which the image has, on x86-64.")
    full, lite = HERE / "requirements.txt", HERE / "requirements-lite.txt"
    wanted = [for_this_image(each) for each in dependencies(lite=False)]
    found = resolve(wanted)
    full.write_text(lines(add_hashes_of_arm(found)))
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as pins:
        pins.write("".join(f"{name}=={version}\n" for name, (version, _) in found.items()))
        pins.flush()
        small = resolve(dependencies(lite=True), Path(pins.name))
    lite.write_text(lines(add_hashes_of_arm(small)))
    unpinned = HERE / "requirements-tflite.txt"
    unpinned.write_text(WORDS + "\n".join(dependencies(lite=True)) + "\n")


if __name__ == "__main__":
    main()

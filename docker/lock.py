"""Writes the lists of packages from the dependencies in `pyproject.toml`.

    python3.13 docker/lock.py

* `requirements.txt` and `requirements-lite.txt` pin what the two images install; lite leaves out
  the two large packages. Run this with the Python of the image: markers and wheels depend on it.
* `requirements-tflite.txt` is the unpinned list for a small install.

Nothing is installed; pip only resolves.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).parent

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


def resolve(requirements: list[str], pins: Path | None = None) -> list[str]:
    """Return everything that pip would install for them, pinned, sorted by name."""
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--dry-run",
        "--ignore-installed",
        "--report",
        "-",
    ]
    constraint = ["--constraint", str(pins)] if pins else []
    command = [*pip, *constraint, *requirements]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)  # noqa: S603 -- all our own
    report = json.loads(done.stdout)
    chosen = (each["metadata"] for each in report["install"])
    return sorted(f"{name_of(each['name'])}=={each['version']}" for each in chosen)


def main() -> None:
    """Write the three files; lite's versions are those of the full one."""
    if sys.version_info[:2] != (3, 13):
        raise SystemExit("Run this with Python 3.13, which the image has.")
    full, lite = HERE / "requirements.txt", HERE / "requirements-lite.txt"
    words = "# Written by docker/lock.py from pyproject.toml. Do not edit.\n"
    full.write_text(words + "\n".join(resolve(dependencies(lite=False))) + "\n")
    lite.write_text(words + "\n".join(resolve(dependencies(lite=True), full)) + "\n")
    unpinned = HERE / "requirements-tflite.txt"
    unpinned.write_text(words + "\n".join(dependencies(lite=True)) + "\n")


if __name__ == "__main__":
    main()

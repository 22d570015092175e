"""Rebuilds the built-in model repository (two models, three photos) from its packages.

Usage: python models/make/make.py [--only imagenet|objects|photos] [--out DIR] [--packages DIR]
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import efficientnet_lite
import ssd_detector
from export_folder import write_checksums
from packages import PackageReader
from photos import write_photos

Maker = Callable[[Path, PackageReader], None]

MAKERS: Final[dict[str, Maker]] = {
    "imagenet": lambda folder, packages: efficientnet_lite.make_export(packages).write(folder),
    "objects": lambda folder, packages: ssd_detector.make_export(packages).write(folder),
    "photos": write_photos,
}


def main() -> None:
    """Reads the command line and makes what it asks for."""
    parser = argparse.ArgumentParser(
        description="Makes the models and photos again from their packages."
    )
    parser.add_argument("--only", choices=MAKERS, help="make this folder alone")
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parents[1], help="where the folders go"
    )
    parser.add_argument(
        "--packages", type=Path, help="keep the fetched packages here, and use those that are"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        packages = PackageReader(arguments.packages or Path(scratch))
        for name in [arguments.only] if arguments.only else MAKERS:
            MAKERS[name](arguments.out / name, packages)
            print(f"made {arguments.out / name}")
    write_checksums(arguments.out, tuple(MAKERS))


if __name__ == "__main__":
    main()

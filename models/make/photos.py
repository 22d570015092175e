"""Photos in the scikit-image and scikit-learn wheels, and crops to calibrate and compare models."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from packages import SCIKIT_IMAGE, SCIKIT_LEARN, Package, PackageReader
from PIL import Image, ImageOps

Pixels = npt.NDArray[np.uint8]

JPEG_QUALITY: Final = 92


@dataclass(frozen=True)
class Photo:
    """A photo by the package and the member that hold it."""

    package: Package
    member: str

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return Path(self.member).stem

    def open(self, packages: PackageReader) -> Image.Image:
        """The photo decoded, as RGB."""
        return Image.open(io.BytesIO(packages.read(self.package, self.member))).convert("RGB")


@dataclass(frozen=True)
class Crop:
    """A square crop: its side as a share of the short side, its offsets as shares of the rest."""

    side: float
    left: float
    top: float
    mirror: bool = False

    def of(self, image: Image.Image, size: int) -> Pixels:
        """The part resized to size x size with antialiased bilinear filtering."""
        side = self.side * min(image.size)
        left, top = self.left * (image.width - side), self.top * (image.height - side)
        part = image.resize(
            (size, size), Image.Resampling.BILINEAR, box=(left, top, left + side, top + side)
        )
        return np.asarray(ImageOps.mirror(part) if self.mirror else part)


def _skimage(file_name: str) -> Photo:
    return Photo(SCIKIT_IMAGE, f"skimage/data/{file_name}")


def _sklearn(file_name: str) -> Photo:
    return Photo(SCIKIT_LEARN, f"sklearn/datasets/images/{file_name}")


SHIPPED: Final = tuple(_skimage(f"{name}.png") for name in ("coffee", "chelsea", "astronaut"))
CALIBRATION: Final = (
    *SHIPPED,
    *(_skimage(name) for name in ("camera.png", "motorcycle_left.png", "rocket.jpg")),
    *(_skimage(name) for name in ("brick.png", "grass.png", "coins.png")),
    *(_sklearn(name) for name in ("china.jpg", "flower.jpg")),
)
HELD_OUT: Final = tuple(
    _skimage(name)
    for name in (
        "motorcycle_right.png",
        "gravel.png",
        "moon.png",
        "hubble_deep_field.jpg",
        "retina.jpg",
        "ihc.png",
    )
)

CENTRE_CROP: Final = Crop(0.875, 0.5, 0.5)
CALIBRATION_CROPS: Final = (
    CENTRE_CROP,
    Crop(1.0, 0.0, 0.0),
    Crop(1.0, 0.5, 0.5, mirror=True),
    Crop(1.0, 1.0, 1.0),
    Crop(0.7, 0.0, 0.0),
    Crop(0.7, 1.0, 0.0, mirror=True),
    Crop(0.7, 0.0, 1.0, mirror=True),
    Crop(0.7, 1.0, 1.0),
    Crop(0.45, 0.5, 0.5),
    Crop(0.45, 0.3, 0.6, mirror=True),
)
COMPARISON_CROPS: Final = (
    Crop(0.95, 0.5, 0.5),
    Crop(0.875, 0.5, 0.5, mirror=True),
    *(Crop(0.8, left, top) for left in (0.2, 0.8) for top in (0.2, 0.8)),
    *(Crop(0.6, left, top, mirror=True) for left in (0.25, 0.75) for top in (0.25, 0.75)),
)


def stretch(image: Image.Image, size: int) -> Pixels:
    """The whole image resized to size x size with antialiased bilinear filtering."""
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def crops(
    photos: tuple[Photo, ...], parts: tuple[Crop, ...], size: int, packages: PackageReader
) -> Iterator[Pixels]:
    """Every part of every photo, photo by photo."""
    for photo in photos:
        image = photo.open(packages)
        for part in parts:
            yield part.of(image, size)


def write_photos(folder: Path, packages: PackageReader) -> None:
    """Writes the photos that ship, as JPEGs of their own size."""
    folder.mkdir(parents=True, exist_ok=True)
    for photo in SHIPPED:
        photo.open(packages).save(folder / f"{photo.name}.jpg", quality=JPEG_QUALITY, optimize=True)

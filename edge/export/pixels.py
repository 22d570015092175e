"""Decides how pixels are fed: by `model.toml`, by what the export states, and never by a guess."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.model_toml import FILE_NAME
from edge.export.pixel_range import (
    Scaling,
    order_contradicts,
    quantization_contradicts,
    range_words,
    scaling_contradicts,
    scaling_supports,
)
from edge.model.contract import ChannelOrder, Normalization, PixelInput

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.contract import Quantization, Tuning

FLOAT: Final = "float32"

SET_RANGE: Final = (
    f"Set mean and std in {FILE_NAME} next to it, as the model was trained: "
    "mean = 127.5 and std = 127.5 for -1..1, 0 and 255 for 0..1, 0 and 1 for 0..255; "
    'and channel_order = "bgr" if it takes blue first'
)


@dataclass(frozen=True, slots=True)
class ImageTensor:
    """The tensor that takes the image, [1, height, width, 3], of a model of either format.

    Attributes:
        index: of a TFLite model's tensor; 0 for a SavedModel.
        quantization: of a quantised tensor.
        signature: of a SavedModel.
    """

    name: str
    index: int
    dtype: str
    height: int
    width: int
    quantization: Quantization | None = None
    signature: str | None = None


@dataclass(frozen=True, slots=True)
class StatedPixels:
    """What an export, or the tool that made it, says of its pixels.

    Attributes:
        normalization: ``None`` for a quantised input that takes the bytes as they are.
        origin: where that was read.
        check_quantization: whether a quantised input must store the stated range.
        doubt: why the stated range is only believed if the graph's own scaling fits it; empty if it
            is believed.
    """

    normalization: Normalization | None
    channel_order: ChannelOrder
    origin: str
    check_quantization: bool = False
    doubt: str = ""


def pixel_input(
    model: Path,
    image: ImageTensor,
    stated: StatedPixels | None,
    tuning: Tuning,
    scaling: Scaling = Scaling(),  # noqa: B008 -- immutable
) -> tuple[PixelInput, str]:
    """The contract's input, and where its pixels' range and order were read.

    Args:
        model: for errors.
        stated: ``None`` if neither the export nor its family says anything.
        scaling: what the graph does to its input first.

    Raises:
        ExportError: nothing says which range a float input takes; or the graph contradicts what is
            stated, and `model.toml` does not decide.
    """
    own = tuning.normalization
    if own is None and stated is None:
        reason = f"nothing says which pixels its {image.dtype} input {image.name} takes"
        raise ExportError(model, reason, SET_RANGE)
    if own is not None and image.dtype != FLOAT and image.quantization is None:
        reason = f"its {image.dtype} input {image.name} has no quantisation, so that it takes bytes"
        raise ExportError(model, reason, f"Remove mean and std from {FILE_NAME}")
    order = tuning.channel_order or (stated.channel_order if stated else ChannelOrder.RGB)
    if stated is not None:
        range_doubt = None if own is not None else _range_doubt(stated, image, scaling)
        order_doubt = None if tuning.channel_order else order_contradicts(order, scaling)
        _refuse(model, stated, range_doubt, order_doubt)
    normalization = own if own is not None or stated is None else stated.normalization
    if own is None and stated is not None and image.dtype != FLOAT:
        normalization = None  # the quantisation includes it
    origins = []
    if stated is not None and (own is None or tuning.channel_order is None):
        origins.append(stated.origin)
    if own is not None or tuning.channel_order is not None:
        origins.append(FILE_NAME)
    pixels = PixelInput(
        name=image.name,
        tensor=image.index,
        dtype=image.dtype,
        height=image.height,
        width=image.width,
        normalization=normalization,
        channel_order=order,
        quantization=image.quantization if normalization is not None else None,
        signature=image.signature,
    )
    return pixels, "; ".join(origins)


def _range_doubt(stated: StatedPixels, image: ImageTensor, scaling: Scaling) -> str | None:
    if stated.normalization is None:
        return None
    if image.dtype == FLOAT:
        found = scaling_contradicts(stated.normalization, scaling)
        is_proven = scaling_supports(stated.normalization, scaling)
        return found if found or is_proven else stated.doubt or None
    if not stated.check_quantization:
        return None
    if image.quantization is None:
        return f"its {image.dtype} input has no quantisation"
    return quantization_contradicts(stated.normalization, image.quantization, image.dtype)


def _refuse(
    model: Path, stated: StatedPixels, range_doubt: str | None, order_doubt: str | None
) -> None:
    if range_doubt is not None and stated.normalization is not None:
        said = f"pixels in {range_words(stated.normalization)} ({stated.origin})"
        raise ExportError(model, f"it is to get {said}, but {range_doubt}", SET_RANGE)
    if order_doubt is not None:
        said = f"{stated.channel_order.upper()} ({stated.origin})"
        remedy = f'Set channel_order = "rgb" or "bgr" in {FILE_NAME} next to it'
        raise ExportError(model, f"it is to get {said}, but {order_doubt}", remedy)

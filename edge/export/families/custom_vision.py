"""Azure Custom Vision: a `cvexport.manifest` next to a TFLite file or a SavedModel.

How pixels are fed differs by version. Since the end of 2020 a `metadata_properties.json` states it.
Exports of 2019 and before have none; how they are fed is known from Microsoft's sample code.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from edge.errors import ExportError
from edge.export.custom_vision_metadata import CropRule, Properties
from edge.export.family_rules import FamilyRules, Labels
from edge.export.folder import SAVED_MODEL, is_tflite, tflite_models
from edge.export.labels import match_classes, read_label_file
from edge.export.model_toml import FILE_NAME, read_model_toml, stated_keys
from edge.export.pixel_range import UNIT
from edge.export.pixels import SET_RANGE, StatedPixels
from edge.export.saved_model_pixels import PixelSavedModel
from edge.export.text_file import read_json
from edge.export.tflite_graph import refuse_if_broken
from edge.export.tflite_model import TFLiteModel
from edge.model.contract import ChannelOrder, Normalization, Resize, Tuning

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.contract import Contract

NAME = "Azure Custom Vision"
HOW_TO_EXPORT = 'from Azure Custom Vision as TensorFlow, "TensorFlow Lite" or "SavedModel"'

MANIFEST: Final = "cvexport.manifest"
_PROPERTIES: Final = "metadata_properties.json"
_FROZEN_GRAPH: Final = "model.pb"

_LAST_YEAR_WITHOUT_PROPERTIES: Final = 2019
_OLD_INPUT: Final = "Placeholder"
_OLD_MEAN_BGR: Final = (105.0, 117.0, 124.0)
"""Microsoft's sample code has 124 for red, 117 for green, 105 for blue, and feeds blue first: so
these stand in the model's channel order, as every mean of three values does here."""

_OLD_SIDES: Final = (224, 227)
_OLD_RESIZED_SIDE: Final = 256
"""The centred square was resized to 256, and 224 or 227 pixels cut from its centre."""

_UNIT_DOUBT: Final = (
    "Microsoft's sample code feeds such exports 0..255, and its graph does not tell which is right"
)
"""In every export seen that states 0..1, from 2020 to 2024."""

_PIXELS_DECIDED: Final = {"mean", "std", "channel_order"}
_DECIDED: Final = {*_PIXELS_DECIDED, "resize"}
"""The keys of `model.toml` that together state all that the metadata could."""


def find(path: Path) -> list[Path]:
    """The model that a folder's manifest names, or the only TFLite file if that was renamed.

    Raises:
        ExportError: the manifest cannot be read, or names a model that is missing or not served.
    """
    folder = path if path.is_dir() else path.parent
    manifest = _read_manifest(folder)
    if manifest is None:
        return []
    model = _model(folder, manifest)
    if path in {folder, folder / MANIFEST}:
        return [model] if model is not None else _refuse_model(folder, manifest)
    is_model = model is not None and path in {model, model / SAVED_MODEL}
    return [model] if model is not None and is_model else []


def read(model: Path) -> Contract:
    """The contract of a classifier.

    Raises:
        ExportError: a detector; broken; does not state its pixels; or contradicted by its graph.
    """
    folder = model if model.is_dir() else model.parent
    manifest = _read_manifest(folder)
    if manifest is None:
        reason = f"it was changed while the export was read: {MANIFEST} is gone"
        raise ExportError(folder, reason, "Try again")
    _refuse_other_tasks(folder / MANIFEST, manifest.get("DomainType"))
    if model.is_dir():
        saved_model = PixelSavedModel(model)
        image = saved_model.image()
        return saved_model.contract(_rules(folder, manifest, image.name, image.width))
    with refuse_if_broken(model):
        file = TFLiteModel(model)
        tensor = file.image()
        return file.contract(_rules(folder, manifest, tensor.name, tensor.shape[2]))


def _read_manifest(folder: Path) -> dict[str, Any] | None:
    file = folder / MANIFEST
    if not file.is_file():
        return None
    manifest = read_json(file)
    if not isinstance(manifest, dict):
        raise ExportError(file, "it is no JSON object", "Copy it from the export again")
    return manifest


def _model(folder: Path, manifest: dict[str, Any]) -> Path | None:
    name = manifest.get("ModelFileName")
    if isinstance(name, str) and name and "/" not in name and (folder / name).is_file():
        if name == SAVED_MODEL:
            return folder
        return folder / name if is_tflite(folder / name) else None
    renamed = tflite_models(folder)
    if len(renamed) == 1:
        return renamed[0]
    has_graph = not renamed and (folder / SAVED_MODEL).is_file()
    return folder if has_graph else None


def _refuse_model(folder: Path, manifest: dict[str, Any]) -> list[Path]:
    """Say why there is no model to serve."""
    name, flavor = manifest.get("ModelFileName"), manifest.get("Flavor")
    if name == _FROZEN_GRAPH or (folder / _FROZEN_GRAPH).is_file():
        reason = "it is a frozen graph of TensorFlow 1, without signature, which is not served here"
        raise ExportError(folder / _FROZEN_GRAPH, reason, f"Export the model again {HOW_TO_EXPORT}")
    kind = f"{manifest.get('Platform')}, {flavor}" if flavor else f"{manifest.get('Platform')}"
    reason = f"it is of an export for {kind} with the model {name!r}: there is nothing to serve"
    raise ExportError(folder / MANIFEST, reason, f"Export the model again {HOW_TO_EXPORT}")


def _refuse_other_tasks(file: Path, domain: object) -> None:
    if domain == "Classification":
        return
    if domain == "ObjectDetection":
        raise ExportError(
            file,
            "it is of an object detector, whose raw YOLO outputs are not served here",
            "Serve a classification project of Azure Custom Vision, or a detector that ends in "
            "TFLite_Detection_PostProcess",
        )
    reason = f"its DomainType is {domain!r}, not Classification"
    raise ExportError(file, reason, f"Export a classification project {HOW_TO_EXPORT}")


def _rules(folder: Path, manifest: dict[str, Any], image: str, side: int) -> FamilyRules:
    labels = partial(_labels, folder, manifest)
    properties = _properties(folder, manifest)
    stated_here = stated_keys(folder)
    if properties is None:
        return _rules_without_properties(folder, manifest, image, side, labels)
    _refuse_detector(properties)
    if not stated_here >= _DECIDED:
        properties.refuse_unknown()
    if not manifest.get("MetadataPropsFileName") and not stated_here >= _PIXELS_DECIDED:
        reason = (
            f"it lies next to a {MANIFEST} that does not name it: exports without such a file took "
            "other pixels than it states"
        )
        raise ExportError(properties.file, reason, SET_RANGE)
    crop = CropRule(Resize.STRETCH) if "resize" in stated_here else properties.crop(side)
    defaults = Tuning(resize=crop.resize, crop_fraction=crop.crop_fraction)
    tuning = read_model_toml(folder, defaults)
    stated = None
    if tuning.normalization is None or tuning.channel_order is None:
        order = tuning.channel_order or _channel_order(properties)
        stated_range = tuning.normalization or properties.normalization()
        doubt = _UNIT_DOUBT if stated_range == UNIT and tuning.normalization is None else ""
        origin = properties.file.name
        stated = StatedPixels(stated_range, order, origin, check_quantization=True, doubt=doubt)
    return FamilyRules(
        stated,
        labels,
        tuning,
        defaults,
        resize_origin=properties.file.name,
        recognised=MANIFEST,
    )


def _channel_order(properties: Properties) -> ChannelOrder:
    """The stated order, unless it is one that Microsoft's own code does not keep to."""
    order = properties.channel_order()
    if order is ChannelOrder.RGB and properties.is_general_compact:
        reason = (
            "it states RGB, but Microsoft's sample code for such exports, of the domain General "
            "(compact), feeds blue first"
        )
        remedy = f'Set channel_order = "bgr" in {FILE_NAME}, or "rgb" if answers are wrong then'
        raise ExportError(properties.file, reason, remedy)
    return order


def _rules_without_properties(
    folder: Path, manifest: dict[str, Any], image: str, side: int, labels: Any
) -> FamilyRules:
    is_old = _is_old(manifest, image, side)
    fraction = side / _OLD_RESIZED_SIDE if side in _OLD_SIDES else 1.0
    defaults = Tuning(resize=Resize.CENTER_CROP, crop_fraction=fraction) if is_old else Tuning()
    tuning = read_model_toml(folder, defaults)
    stated = None
    if is_old:
        origin = "as exports of 2019, which state nothing themselves"
        pixels = Normalization(_OLD_MEAN_BGR, (1.0,))
        stated = StatedPixels(pixels, ChannelOrder.BGR, origin, check_quantization=True)
    elif tuning.normalization is None:
        reason = f"it has no {_PROPERTIES}, and nothing else says which pixels the model takes"
        raise ExportError(folder / MANIFEST, reason, SET_RANGE)
    return FamilyRules(
        stated,
        labels,
        tuning,
        defaults,
        resize_origin="as exports of 2019" if is_old else "default",
        recognised=MANIFEST,
    )


def _properties(folder: Path, manifest: dict[str, Any]) -> Properties | None:
    name = manifest.get("MetadataPropsFileName")
    file = folder / (name if isinstance(name, str) and name and "/" not in name else _PROPERTIES)
    if file.is_file():
        return Properties(file)
    if name:
        reason = f"it names {name!r}, which is not next to it"
        if not stated_keys(folder) >= {"mean", "std"}:
            raise ExportError(folder / MANIFEST, reason, f"Put it there. {SET_RANGE}")
    return None


def _refuse_detector(properties: Properties) -> None:
    method = properties.method
    if method and not method.startswith("Classification"):
        reason = f"its method is {method}: raw outputs of a detector are not served here"
        raise ExportError(properties.file, reason, "Serve a classification project")


def _is_old(manifest: dict[str, Any], image: str, side: int) -> bool:
    """Whether an export without metadata is of 2019 or before; by its input if it has no date."""
    if manifest.get("MetadataPropsFileName"):
        return False
    date = manifest.get("ExportedDate")
    if date is None:
        return _OLD_INPUT in image or side == _OLD_SIDES[1]
    year = str(date)[:4]
    return year.isdecimal() and int(year) <= _LAST_YEAR_WITHOUT_PROPERTIES


def _labels(folder: Path, manifest: dict[str, Any], classes: int | None) -> Labels:
    name = manifest.get("LabelFileName")
    if not isinstance(name, str) or not name or "/" in name:
        name = "labels.txt"
    file = folder / name
    if not file.is_file():
        reason = f"it names the label file {name!r}, which is not next to it"
        raise ExportError(folder / MANIFEST, reason, "Put it there")
    return Labels(match_classes(read_label_file(file), classes, file), name)

"""A SavedModel that takes pixels, as Teachable Machine, Lobe and Custom Vision export them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.folder import SAVED_MODEL
from edge.export.pixels import ImageTensor, pixel_input
from edge.export.regular_file import MAX_MODEL_BYTES, read_bounded
from edge.export.saved_model_graph import operator_behind
from edge.export.saved_model_safety import unsafe_operators
from edge.export.saved_model_scaling import input_scaling
from edge.export.saved_model_signatures import find_serving_graph, read_signatures
from edge.model.contract import Contract, Format, TensorOutput
from edge.model.tasks.classification import CLASSIFICATION

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.export.family_rules import FamilyRules
    from edge.model.contract import SignatureInfo

_DTYPES: Final = {"DT_FLOAT": "float32"}
_SINGLE_LABEL: Final = "Softmax"
_MULTI_LABEL: Final = "Sigmoid"
_OTHER_FORMS: Final = ("saved_model.cpb", "saved_model.pbtxt")
_IMAGE_RANK: Final = 4
_RGB: Final = 3
_SERVED: Final = "Export an image classifier, or export the model as TFLite"


def refuse_other_forms(folder: Path) -> None:
    """Refuse a folder that holds the model twice: TensorFlow might run what was not read here."""
    for name in _OTHER_FORMS:
        if (folder / name).exists():
            reason = f"it lies next to {SAVED_MODEL}, and only one of them is read here"
            raise ExportError(folder / name, reason, "Remove it, or export the model again")


def truncated(file: Path, error: ValueError) -> ExportError:
    """The refusal of a `saved_model.pb` that cannot be read."""
    reason = f"it is truncated or not a SavedModel ({error})"
    return ExportError(file, reason, "Download or copy the export again.")


def peek_inputs(folder: Path) -> tuple[str, ...]:
    """The inputs' names of every signature, to recognise the family by; empty if unreadable.

    Raises:
        OSError: the file cannot be read.
    """
    try:
        saved_model = memoryview(read_bounded(folder / SAVED_MODEL, MAX_MODEL_BYTES))
        signatures = read_signatures(find_serving_graph(saved_model))
    except (ValueError, ExportError):
        return ()
    return tuple(name for signature in signatures.values() for name in signature.inputs)


class PixelSavedModel:
    """One SavedModel, read without TensorFlow."""

    def __init__(self, folder: Path) -> None:
        """Read it.

        Raises:
            ExportError: truncated, or not a SavedModel.
        """
        refuse_other_forms(folder)
        self.folder = folder
        self._file = folder / SAVED_MODEL
        saved_model = memoryview(read_bounded(self._file, MAX_MODEL_BYTES))
        try:
            self._unsafe = unsafe_operators(saved_model)
            self._meta_graph = find_serving_graph(saved_model)
            self._signatures = read_signatures(self._meta_graph)
        except ValueError as error:
            raise truncated(self._file, error) from error

    def image(self) -> ImageTensor:
        """The only input, an image; raises ``ExportError`` if it is of another kind."""
        image, _ = self._image(*self._signature())
        return image

    def contract(self, rules: FamilyRules) -> Contract:
        """The contract of a classifier.

        Raises:
            ExportError: of another kind, or inconsistent with its labels or stated pixels.
        """
        try:
            return self._contract(rules)
        except ValueError as error:
            raise truncated(self._file, error) from error

    def _contract(self, rules: FamilyRules) -> Contract:
        name, signature = self._signature()
        image, tensor = self._image(name, signature)
        output, classes, scores = self._scores(signature, rules.scores)
        activation = operator_behind(self._meta_graph, scores)
        if activation not in {None, _SINGLE_LABEL, _MULTI_LABEL}:
            reason = f"its output {output} is computed by {activation}, not by Softmax or Sigmoid"
            raise ExportError(self._file, f"{reason}: it is not an image classifier", _SERVED)
        labels = rules.labels(classes)
        scaling = input_scaling(self._meta_graph, tensor)
        pixels, origin = pixel_input(self._file, image, rules.stated, rules.tuning, scaling)
        return Contract(
            format=Format.SAVED_MODEL,
            task=CLASSIFICATION,
            input=pixels,
            labels=labels.names,
            multi_label=activation == _MULTI_LABEL,
            outputs={"scores": TensorOutput(output, 0, "float32")},
            tuning=rules.tuning,
            origins=rules.origins(
                labels,
                task=f"outputs of signature {name}",
                image=f"signature {name}",
                pixels=origin,
                outputs=f"signature {name}",
            ),
            notes=labels.notes,
            unsafe_operators=self._unsafe,
        )

    def _signature(self) -> tuple[str, SignatureInfo]:
        """The signature to serve: `serving_default`, or the only one."""
        named = {name: one for name, one in self._signatures.items() if not name.startswith("__")}
        if "serving_default" in named:
            return "serving_default", named["serving_default"]
        if len(named) == 1:
            return next(iter(named.items()))
        found = ", ".join(named) or "none"
        reason = f"it has no signature serving_default (it has {found})"
        raise ExportError(self._file, reason, _SERVED)

    def _image(self, name: str, signature: SignatureInfo) -> tuple[ImageTensor, str]:
        """The only input, an image, and its tensor."""
        if len(signature.inputs) == 1:
            ((argument, (dtype, shape, tensor)),) = signature.inputs.items()
            is_image = len(shape) == _IMAGE_RANK and shape[3] == _RGB and min(shape[1:]) > 0
            if is_image and shape[0] in {-1, 1} and dtype in _DTYPES:
                image = ImageTensor(argument, 0, _DTYPES[dtype], shape[1], shape[2], signature=name)
                return image, tensor
        inputs = _describe(signature.inputs)
        reason = f"it takes {inputs}, not one RGB image of floats [n, height, width, 3]"
        raise ExportError(self._file, reason, _SERVED)

    def _scores(self, signature: SignatureInfo, stated: str) -> tuple[str, int, str]:
        """Name, number of classes and tensor of the output with the scores."""
        outputs = signature.outputs
        names = [stated] if stated in outputs else list(outputs)
        if len(names) == 1:
            dtype, shape, tensor = outputs[names[0]]
            if dtype == "DT_FLOAT" and len(shape) == 2 and shape[1] > 0:  # noqa: PLR2004 -- [n, N]
                return names[0], shape[1], tensor
        reason = f"its outputs are {_describe(outputs)}, not one score for each class"
        raise ExportError(self._file, reason, _SERVED)


def _describe(tensors: Mapping[str, tuple[str, tuple[int, ...], str]]) -> str:
    described = [f"{name} {dtype} {list(shape)}" for name, (dtype, shape, _) in tensors.items()]
    return ", ".join(described) or "nothing"

"""AutoML Vision and Vertex AI, exported as a container: a SavedModel that decodes images itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from edge.errors import ExportError
from edge.export.folder import SAVED_MODEL
from edge.export.label_files import labels_beside
from edge.export.model_toml import read_model_toml, tuning_origins
from edge.export.regular_file import MAX_MODEL_BYTES, read_bounded
from edge.export.saved_model_graph import operator_behind
from edge.export.saved_model_pixels import refuse_other_forms, truncated
from edge.export.saved_model_safety import unsafe_operators
from edge.export.saved_model_signatures import find_serving_graph, read_signatures
from edge.model.contract import Contract, EncodedInput, Format, SignatureInfo, Tuning
from edge.model.tasks.registry import TASKS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from edge.model.tasks.task import Task

NAME = "AutoML container"
HOW_TO_EXPORT = 'from Vertex AI as "Container"'

IMAGE_INPUTS: Final = ("image_bytes", "encoded_image")
"""What AutoML's exports call the encoded images, older and newer."""

KEY_INPUT: Final = "key"
"""The input that is echoed as an output of the same name."""

DEFAULTS: Final = Tuning()

_MULTI_LABEL: Final = "Sigmoid"


def find(path: Path) -> list[Path]:
    """The folder of the SavedModel that a folder or a `saved_model.pb` is."""
    if path.is_dir():
        return [path] if (path / SAVED_MODEL).is_file() else []
    return [path.parent] if path.name == SAVED_MODEL else []


def read(model: Path) -> Contract:
    """The contract of the SavedModel in a folder.

    Raises:
        ExportError: truncated, foreign, without a known signature, or with labels that do not fit.
    """
    file = model / SAVED_MODEL
    refuse_other_forms(model)
    tuning = read_model_toml(model, DEFAULTS)
    try:
        saved_model = memoryview(read_bounded(file, MAX_MODEL_BYTES))
        unsafe = unsafe_operators(saved_model)
        meta_graph = find_serving_graph(saved_model)
        signatures = read_signatures(meta_graph)
        name, signature, task = _choose_signature(file, signatures)
        scores = signature.outputs.get("scores")
        activation = operator_behind(meta_graph, scores[2]) if scores else None
    except ValueError as error:
        raise truncated(file, error) from error
    labels, labels_origin = _labels(file, signature, task)
    return Contract(
        format=Format.SAVED_MODEL,
        task=task,
        input=_encoded_input(name, signature),
        labels=labels,
        multi_label=activation == _MULTI_LABEL,
        outputs={},
        tuning=tuning,
        signature=signature,
        origins={
            "task": f"outputs of signature {name}",
            "input": f"signature {name}",
            "pixels": "the graph decodes and resizes by itself",
            "labels": labels_origin,
            "outputs": f"signature {name}",
            **tuning_origins(tuning, DEFAULTS),
        },
        notes=_notes(tuning, unsafe),
        unsafe_operators=unsafe,
    )


def _choose_signature(
    file: Path,
    signatures: Mapping[str, SignatureInfo],
) -> tuple[str, SignatureInfo, Task]:
    """The signature to serve: `serving_default` first, one with a key before its twin without."""

    def rank(name: str) -> tuple[bool, bool, str]:
        return name != "serving_default", name.endswith("_without_key"), name

    for name in sorted(signatures, key=rank):
        task = _task_of(signatures[name])
        if task is not None:
            return name, signatures[name], task
    inputs = " or ".join(IMAGE_INPUTS)
    raise ExportError(
        file,
        f"none of its signatures is of an AutoML image export ({_describe(signatures)})",
        f'A signature with the input {inputs} is needed: export the model as "Container"',
    )


def _task_of(signature: SignatureInfo) -> Task | None:
    """The task that a signature serves; ``None`` if its inputs or outputs are other ones."""
    images = [name for name in IMAGE_INPUTS if name in signature.inputs]
    if len(images) != 1 or not set(signature.inputs) <= {*images, KEY_INPUT}:
        return None
    for task in TASKS.values():
        if task.signature_outputs <= set(signature.outputs):
            return task
    return None


def _describe(signatures: Mapping[str, SignatureInfo]) -> str:
    described = []
    for name, signature in signatures.items():
        if not name.startswith("__"):  # such as __saved_model_init_op
            inputs, outputs = ", ".join(signature.inputs), ", ".join(signature.outputs)
            described.append(f"{name}: {inputs} -> {outputs}")
    return "; ".join(described) or "it has none"


def _encoded_input(name: str, signature: SignatureInfo) -> EncodedInput:
    image = next(image for image in IMAGE_INPUTS if image in signature.inputs)
    key = KEY_INPUT if KEY_INPUT in signature.inputs else None
    return EncodedInput(signature=name, name=image, key=key)


def _labels(file: Path, signature: SignatureInfo, task: Task) -> tuple[tuple[str, ...] | None, str]:
    """The labels and where they were read; ``None`` if the graph answers with its own."""
    output = task.signature_labels
    if output in signature.outputs:
        return None, f"the model's own output {output}"
    beside = labels_beside(file.parent, _count_classes(signature))
    if beside is None:
        reason = f"it has no output {output}, and there is no label file next to it"
        raise ExportError(file, reason, "Put the export's dict.txt next to it.")
    return beside.labels, beside.file.name


def _count_classes(signature: SignatureInfo) -> int | None:
    """How many classes the model has; ``None`` if the signature does not say."""
    if "scores" not in signature.outputs:
        return None
    _, shape, _ = signature.outputs["scores"]
    return shape[-1] if shape and shape[-1] > 0 else None


def _notes(tuning: Tuning, unsafe: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    if (tuning.resize, tuning.kernel) != (DEFAULTS.resize, DEFAULTS.kernel):
        notes.append("resize and kernel of model.toml do not apply: the graph resizes by itself")
    if unsafe:
        notes.append(f"its graph may reach outside of the model, with {', '.join(unsafe)}")
    return tuple(notes)

"""Describes a contract: as JSON for programs, as rows of a table for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from edge.export.pixel_range import range_of, range_words
from edge.model.contract import Format, PixelInput, Resize

if TYPE_CHECKING:
    from collections.abc import Iterable

    from edge.export.read import Export
    from edge.model.contract import Contract, TensorOutput

_MAX_SHOWN_LABELS: Final = 12


def contract_json(contract: Contract, labels: tuple[str, ...] | None = None) -> dict[str, Any]:
    """The contract for programs.

    Args:
        labels: those learned at the warm-up, for an export that does not name its labels itself.
    """
    selected = contract.selection()
    all_labels = contract.labels or labels
    return {
        "display_name": contract.tuning.display_name,
        "format": contract.format,
        "task": contract.task.name,
        "multi_label": contract.multi_label,
        "input": _input_json(contract),
        "preprocessing": _preprocessing_json(contract),
        "labels": list(all_labels) if all_labels is not None else None,
        "display_names": {
            name: dict(words) for name, words in contract.tuning.display_names.items()
        },
        "score_threshold": selected.threshold,
        "label_thresholds": dict(selected.label_thresholds),
        "top_k": selected.top_k,
    }


def export_json(export: Export, labels: tuple[str, ...] | None = None) -> dict[str, Any]:
    """What `edge inspect --json` prints."""
    contract = export.contract
    return {
        "export": str(export.path),
        "model": export.model.name,
        "family": export.family,
        "digest": export.digest,
        **contract_json(contract, labels),
        "outputs": {role: _output_json(output) for role, output in contract.outputs.items()},
        "signature_outputs": sorted(contract.signature.outputs) if contract.signature else None,
        "origins": dict(contract.origins),
        "notes": list(contract.notes),
    }


def export_rows(
    export: Export,
    labels: tuple[str, ...] | None = None,
) -> list[tuple[str, str, str]]:
    """Rows of a table for people: a fact, its value, and where it was read."""
    contract, origins = export.contract, export.contract.origins
    task = f"{contract.task}, multi-label" if contract.multi_label else str(contract.task)
    rows = [
        ("Model", f"{export.model.name}, {_FORMAT_WORDS[contract.format]}", str(export.path)),
        ("Family", export.family, origins.get("family", "")),
        ("Digest", f"sha256 {export.digest}", "the model file"),
        ("Task", task, origins["task"]),
        ("Input", _input_words(contract), origins["input"]),
        ("Pixels", _pixel_words(contract), origins["pixels"]),
        ("Resize", _resize_words(contract), origins["resize"]),
        ("Labels", _label_words(contract.labels or labels), origins["labels"]),
        ("Outputs", _output_words(contract), origins["outputs"]),
        ("Shown", _shown_words(contract), origins["selection"]),
    ]
    if contract.tuning.display_name:
        rows.insert(0, ("Name", contract.tuning.display_name, "model.toml"))
    return rows + [("Note", note, "") for note in contract.notes]


_FORMAT_WORDS = {Format.TFLITE: "TFLite", Format.SAVED_MODEL: "SavedModel"}


def _input_json(contract: Contract) -> dict[str, Any]:
    spec = contract.input
    if isinstance(spec, PixelInput):
        return {"name": spec.name, "dtype": spec.dtype, "shape": list(spec.shape)}
    return {
        "name": spec.name,
        "dtype": "string",
        "shape": [-1],
        "key": spec.key,
        "signature": spec.signature,
    }


def _preprocessing_json(contract: Contract) -> dict[str, Any]:
    if not isinstance(contract.input, PixelInput):
        return {"by": "graph"}
    tuning = contract.tuning
    is_cropped = tuning.resize is Resize.CENTER_CROP
    normalization = None
    stated = contract.input.normalization
    if stated is not None:
        normalization = {
            "mean": list(stated.mean),
            "std": list(stated.std),
            "range": list(range_of(stated)),
        }
    return {
        "by": "edge",
        "resize": tuning.resize,
        "crop_fraction": tuning.crop_fraction if is_cropped else None,
        "kernel": tuning.kernel,
        "normalization": normalization,
        "channel_order": contract.input.channel_order,
        "layout": contract.input.layout,
    }


def _output_json(output: TensorOutput) -> dict[str, Any]:
    quantization = None
    if output.quantization is not None:
        quantization = {
            "scale": output.quantization.scale,
            "zero_point": output.quantization.zero_point,
        }
    return {"name": output.name, "dtype": output.dtype, "quantization": quantization}


def _input_words(contract: Contract) -> str:
    spec = contract.input
    if isinstance(spec, PixelInput):
        return f"{spec.name}: {spec.dtype} {list(spec.shape)}"
    echoed = f", echoing {spec.key}" if spec.key else ""
    return f"{spec.name}: encoded images{echoed}"


def _pixel_words(contract: Contract) -> str:
    spec = contract.input
    if not isinstance(spec, PixelInput):
        return "decoded by the graph"
    order = spec.channel_order.upper()
    if spec.normalization is None:
        as_stored = "bytes 0..255 as they are" if spec.dtype == "uint8" else "bytes minus 128"
        return f"{order}, {as_stored}"
    mean, std = (_numbers(numbers) for numbers in (spec.normalization.mean, spec.normalization.std))
    stored = "" if spec.dtype == "float32" else ", quantised"
    return f"{order}, (byte - {mean}) / {std}: {range_words(spec.normalization)}{stored}"


def _numbers(values: tuple[float, ...]) -> str:
    """One number, or one for each channel in brackets."""
    words = [f"{value:.6g}" for value in values]
    return words[0] if len(words) == 1 else f"[{', '.join(words)}]"


def _resize_words(contract: Contract) -> str:
    if not isinstance(contract.input, PixelInput):
        return "by the graph"
    tuning = contract.tuning
    if tuning.resize is Resize.CENTER_CROP:
        side = f"{tuning.crop_fraction:.1%} of the shorter side"
        return f"centred square of {side}, {tuning.kernel}"
    return f"whole image stretched, {tuning.kernel}"


def _label_words(labels: tuple[str, ...] | None) -> str:
    if labels is None:
        return "the model names only what it sees"
    shown = ", ".join(labels[:_MAX_SHOWN_LABELS])
    if len(labels) > _MAX_SHOWN_LABELS:
        return f"{shown}, ... ({len(labels)} in all)"
    return f"{shown} ({len(labels)})"


def _shown_words(contract: Contract) -> str:
    selected = contract.selection()
    words = f"at most {selected.top_k} with a score from {selected.threshold}"
    for label, threshold in selected.label_thresholds.items():
        words += f", {label} from {threshold}"
    return words


def _output_words(contract: Contract) -> str:
    names: Iterable[str] = contract.outputs
    if contract.signature is not None:
        names = sorted(contract.signature.outputs)
    return ", ".join(names)

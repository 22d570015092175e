"""A contract as JSON and as a person reads it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.model.contract import Format, PixelInput, Resize
from edge.model.prediction import selection

if TYPE_CHECKING:
    from edge.export.read import Export
    from edge.model.contract import Contract

_SHOWN_LABELS = 12


def contract_json(contract: Contract, labels: tuple[str, ...] | None = None) -> dict[str, Any]:
    """The contract for programs; ``labels`` are those learned at the warm-up where the export itself tells none."""
    shown = selection(contract)
    known = contract.labels or labels
    return {
        "display_name": contract.tuning.display_name,
        "format": contract.format,
        "task": contract.task,
        "multi_label": contract.multi_label,
        "input": _input_json(contract),
        "preprocessing": _preprocessing_json(contract),
        "labels": list(known) if known is not None else None,
        "score_threshold": shown.threshold,
        "label_thresholds": dict(shown.label_thresholds),
        "top_k": shown.top_k,
    }


def export_json(export: Export, labels: tuple[str, ...] | None = None) -> dict[str, Any]:
    """All that `edge inspect --json` prints."""
    contract = export.contract
    return {
        "export": str(export.path),
        "model": export.model.name,
        "family": export.family,
        "digest": export.digest,
        **contract_json(contract, labels),
        "outputs": {
            role: {"name": output.name, "dtype": output.dtype, "quantization": _quantization_json(output.quantization)}
            for role, output in contract.outputs.items()
        },
        "signature_outputs": sorted(contract.signature.outputs) if contract.signature else None,
        "origins": dict(contract.origins),
        "notes": list(contract.notes),
    }


def export_rows(export: Export, labels: tuple[str, ...] | None = None) -> list[tuple[str, str, str]]:
    """What is known, its value, and where it was read: rows of a table for people."""
    contract, origins = export.contract, export.contract.origins
    task = f"{contract.task}{', multi-label' if contract.multi_label else ''}"
    rows = [
        ("Model", f"{export.model.name}, {_FORMAT_WORDS[contract.format]}", str(export.path)),
        ("Digest", f"sha256 {export.digest}", "the model file"),
        ("Task", task, origins["task"]),
        ("Input", _input_words(contract), origins["input"]),
        ("Pixels", _pixel_words(contract), origins["pixels"]),
        ("Resize", _resize_words(contract), origins["resize"]),
        ("Labels", _label_words(contract.labels or labels), origins["labels"]),
        ("Outputs", ", ".join(contract.outputs) or ", ".join(sorted(_signature_outputs(contract))), origins["outputs"]),
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
    return {"name": spec.name, "dtype": "string", "shape": [-1], "key": spec.key, "signature": spec.signature}


def _preprocessing_json(contract: Contract) -> dict[str, Any]:
    if not isinstance(contract.input, PixelInput):
        return {"by": "graph"}
    tuning, scaled = contract.tuning, contract.input.normalization
    cropped = tuning.resize is Resize.CENTER_CROP
    normalization = None
    if contract.input.dtype == "float32":
        normalization = {"mean": list(scaled.mean), "std": list(scaled.std)}
    return {
        "by": "edge",
        "resize": tuning.resize,
        "crop_fraction": tuning.crop_fraction if cropped else None,
        "kernel": tuning.kernel,
        "normalization": normalization,
        "channel_order": contract.input.channel_order,
        "layout": contract.input.layout,
    }


def _quantization_json(quantization: Any) -> dict[str, Any] | None:
    return {"scale": quantization.scale, "zero_point": quantization.zero_point} if quantization else None


def _input_words(contract: Contract) -> str:
    spec = contract.input
    if isinstance(spec, PixelInput):
        return f"{spec.name}: {spec.dtype} {list(spec.shape)}, {spec.channel_order.upper()}"
    return f"{spec.name}: encoded images{f', echoing {spec.key}' if spec.key else ''}"


def _pixel_words(contract: Contract) -> str:
    spec = contract.input
    if not isinstance(spec, PixelInput):
        return "decoded by the graph"
    if spec.dtype == "uint8":
        return "bytes 0..255 as they are"
    if spec.dtype == "int8":
        return "bytes less 128"
    return f"(byte - {list(spec.normalization.mean)}) / {list(spec.normalization.std)}"


def _resize_words(contract: Contract) -> str:
    if not isinstance(contract.input, PixelInput):
        return "by the graph"
    tuning = contract.tuning
    if tuning.resize is Resize.CENTER_CROP:
        return f"centred square of {tuning.crop_fraction:.1%} of the shorter side, {tuning.kernel}"
    return f"whole image stretched, {tuning.kernel}"


def _label_words(labels: tuple[str, ...] | None) -> str:
    if labels is None:
        return "the model names only what it sees"
    more = f", ... ({len(labels)} in all)" if len(labels) > _SHOWN_LABELS else f" ({len(labels)})"
    return ", ".join(labels[:_SHOWN_LABELS]) + more


def _shown_words(contract: Contract) -> str:
    shown = selection(contract)
    own = "".join(f", {label} from {limit}" for label, limit in shown.label_thresholds.items())
    return f"at most {shown.top_k} with a score from {shown.threshold}{own}"


def _signature_outputs(contract: Contract) -> list[str]:
    return list(contract.signature.outputs) if contract.signature else []

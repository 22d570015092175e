"""The files of an AutoML export: dict.txt, tflite_metadata.json, and our own next to them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from edge.model.contract import PixelInput

MODEL_FILE: Final = "model.tflite"


def write_labels(folder: Path, labels: Sequence[str]) -> None:
    """Write dict.txt, one label a line."""
    (folder / "dict.txt").write_text("".join(f"{label}\n" for label in labels), "utf-8")


def write_metadata(folder: Path, image: PixelInput, output: str) -> None:
    """Write tflite_metadata.json with AutoML's keys."""
    content = {
        "batchSize": 1,
        "imageChannels": 3,
        "imageHeight": image.height,
        "imageWidth": image.width,
        "inferenceType": "QUANTIZED_UINT8",
        "inputTensor": image.name,
        "inputType": "QUANTIZED_UINT8",
        "outputTensor": output,
        "supportedTfVersions": ["2.20"],
    }
    text = json.dumps(content, indent=4)
    (folder / "tflite_metadata.json").write_text(f"{text}\n", "utf-8")


def write_settings(
    folder: Path,
    *,
    certain_threshold: float | None = None,
    thresholds: Mapping[str, float] | None = None,
) -> None:
    """Write model.toml.

    It sets no name: that of the folder follows when the export is moved into a model repository.

    Args:
        certain_threshold: best score from which on an answer is certain.
        thresholds: of single labels, for a multi-label model.
    """
    lines = [
        "# The whole picture, as AutoML's exports take it: a defect at its edge must be seen.",
        'resize = "stretch"',
    ]
    if thresholds is not None:
        lines += ["score_threshold = 0.5", "", "[label_thresholds]  # best F1 in validation"]
        lines += [f"{toml_text(label)} = {number}" for label, number in thresholds.items()]
    if certain_threshold is not None:
        lines += [
            "",
            "[fallback]",
            "# From this score on 99 of 100 answers in validation were right.",
            f"threshold = {certain_threshold}",
        ]
    (folder / "model.toml").write_text("\n".join(lines) + "\n", "utf-8")


def toml_text(text: str) -> str:
    """A TOML basic string: JSON's, without its pairs of surrogates, and with DEL escaped."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")

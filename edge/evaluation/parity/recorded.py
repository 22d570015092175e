"""Reads answers that were recorded elsewhere: JSON, or a line of JSON for each picture.

Each answer is an object that names its picture (``file``, ``image`` or ``imageGcsUri``, or, as
Vertex AI's batch predictions do, ``instance.content``), and has one of the shapes that
`edge.fallback.response` reads, itself or under ``prediction``: Vertex AI's (``displayNames``,
``confidences``), TensorFlow Serving's (``labels``, ``scores`` or ``detection_...``), or what
``edge predict --json`` prints (``predictions``). A JSON file is a list of them, or an object with
that list as ``pictures``, as `edge train` writes it.
"""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from edge.errors import CloudNonsense, EdgeError, InputError
from edge.evaluation.parity.difference import Expected
from edge.export.regular_file import read_bounded
from edge.fallback.response import read_response
from edge.printable import escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from edge.model.tasks.task import Task

MAX_FILE_BYTES: Final = 512 << 20
"""Of a file of answers: 20,000 answers with 1,000 labels each have about 400 MB."""

_NAMES: Final = ("file", "image", "imageGcsUri")


class RecordedAnswers:
    """Answers by the name of their picture.

    Attributes:
        name: of the source, for people.
    """

    def __init__(self, file: Path) -> None:
        """Read the file; what each answer says is looked at when it is asked for.

        Raises:
            InputError: it cannot be read, is not JSON, or an answer names no picture.
        """
        self.name = f"the answers in {file}"
        self._file = file
        self._values: dict[str, Any] = {}
        self._by_short_name: dict[str, list[str]] = {}
        for place, value in _entries(file):
            name = _picture_name(value, place)
            if name not in self._values:
                self._by_short_name.setdefault(PurePosixPath(name).name, []).append(name)
            self._values[name] = value

    def __len__(self) -> int:
        return len(self._values)

    def find(
        self, picture: str, task: Task, labels: Sequence[str], renamed: Mapping[str, str]
    ) -> Expected | None:
        """The answer for a picture: by its whole name, else by the last part of it.

        Args:
            labels: of the export, in its order.
            renamed: the recorded label to the export's.

        Returns:
            ``None`` if there is none, or it is an error.

        Raises:
            EdgeError: the answer makes no sense, or two pictures have the same last part.
        """
        name = picture
        if picture not in self._values:
            same = self._by_short_name.get(PurePosixPath(picture).name, [])
            if len(same) > 1:
                raise InputError(f"{self._file} has several answers for {escape(picture)}.")
            if not same:
                return None
            name = same[0]
        value = self._values[name]
        if "error" in value and "predictions" not in value:
            return None
        try:
            return read_expected(value, task, labels, renamed)
        except CloudNonsense as error:
            words = error.message.replace("The online model", "The recording")
            raise InputError(words) from error


def read_expected(
    value: Mapping[str, Any], task: Task, labels: Sequence[str], renamed: Mapping[str, str]
) -> Expected:
    """Read one answer of any known shape.

    Raises:
        CloudNonsense: it has none of them, or belongs to another task.
    """
    inner = value.get("prediction", value)
    if isinstance(inner, dict) and "predictions" in inner:
        # Nothing else of it: `labels`, for instance, may say what a person sees.
        inner = {"task": inner.get("task", task.name), "predictions": inner["predictions"]}
    prediction, _ = read_response(inner, task, tuple(labels), renamed)
    return Expected(prediction, frozenset(renamed.get(one, one) for one in _named(inner)))


def _named(value: Mapping[str, Any]) -> list[str]:
    if "displayNames" in value:
        return list(value["displayNames"])
    if "predictions" in value:
        return [one["label"] for one in value["predictions"]]
    return list(value.get("labels", ()))


def _entries(file: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each answer, and where it stands."""
    try:
        text = read_bounded(file, MAX_FILE_BYTES).decode("utf-8-sig")
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}.") from error
    except (EdgeError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read: {error}.") from error
    values = _whole(text)
    if values is not None:
        places = [f"{file}, answer {number}" for number in range(1, len(values) + 1)]
        entries = list(zip(places, values, strict=True))
    else:
        entries = [
            (f"{file}, line {number}", _parse(line, f"{file}, line {number}"))
            for number, line in enumerate(text.split("\n"), 1)
            if line.strip()
        ]
    for place, value in entries:
        if not isinstance(value, dict):
            raise InputError(f"{place}: an answer is a JSON object.")
        yield place, value


def _whole(text: str) -> list[Any] | None:
    """The answers of a file that is one JSON value; ``None`` if it has one on each line."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if isinstance(value, dict) and isinstance(value.get("pictures"), list):
        value = value["pictures"]
    return value if isinstance(value, list) else None


def _parse(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{place} is not JSON: {error}.") from error


def _picture_name(value: Mapping[str, Any], place: str) -> str:
    found: Any = next((value[key] for key in _NAMES if isinstance(value.get(key), str)), None)
    instance = value.get("instance")
    if found is None and isinstance(instance, dict):
        found = instance.get("content")
    if not isinstance(found, str) or not found:
        raise InputError(f"{place} names no picture: add its name as {_NAMES[0]}.")
    return found

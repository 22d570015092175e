"""Writes `label_thresholds` into a `model.toml` and leaves every other character as it is.

The text is edited, not written anew: comments and order stay. Before anything is written, the new
text is parsed and must say what the old one said, with the new thresholds in it; otherwise it is
not written.
"""

from __future__ import annotations

import difflib
import json
import re
import tomllib
from typing import TYPE_CHECKING, Any, Final

from edge.durable import replace_file
from edge.errors import OutputError
from edge.export.model_toml import FILE_NAME, read_model_toml
from edge.export.regular_file import MAX_TEXT_BYTES, read_bounded
from edge.model.contract import Tuning

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_TABLE: Final = "label_thresholds"
_HEADER: Final = re.compile(rf"""\s*\[\s*(?:{_TABLE}|"{_TABLE}"|'{_TABLE}')\s*\]\s*(?:\#.*)?""")
_ANY_HEADER: Final = re.compile(r"\s*\[")
_INLINE: Final = re.compile(rf"\s*{_TABLE}\s*=\s*\{{.*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
_LINE: Final = re.compile(r"[^\n]*\n|[^\n]+")
"""As TOML counts them; `str.splitlines` would also divide texts at other characters."""
_BOM: Final = "\ufeff"


class TomlEdit:
    """A `model.toml` as it is and as it would be.

    Attributes:
        file: of the settings; may not exist yet.
        old: its text; empty if there is none.
        new: its text with the thresholds.
    """

    def __init__(self, folder: Path, thresholds: Mapping[str, float]) -> None:
        """Read the file and edit its text; nothing is written yet.

        Raises:
            ExportError: the file is not valid.
            OutputError: it writes its thresholds in a way that cannot be edited safely.
        """
        self.file = (folder / FILE_NAME).resolve()
        self.old = ""
        if self.file.exists():
            read_model_toml(folder, Tuning())  # refuses what is not valid
            self.old = read_bounded(self.file, MAX_TEXT_BYTES).decode("utf-8")
        self.new = _edit(self.old, thresholds)
        if _parse(self.new) != _expected(self.old, thresholds):
            lines = "\n".join(threshold_lines(thresholds))
            raise OutputError(
                f"{self.file} writes its thresholds in a way that is not edited here. "
                f"Nothing was changed. Set these yourself:\n{lines}"
            )

    def diff(self) -> str:
        """A unified diff; empty if nothing changes."""
        before, after = self.old.splitlines(), self.new.splitlines()
        if before == after:
            return ""
        before_name = str(self.file) if self.old else "/dev/null"
        lines = difflib.unified_diff(before, after, before_name, str(self.file), lineterm="")
        return "\n".join(lines)

    def write(self) -> None:
        """Replace the file as a whole, or leave it as it was; its permissions stay.

        Raises:
            OutputError: it cannot be written.
        """
        try:
            mode = self.file.stat().st_mode & 0o777 if self.file.exists() else 0o644
            replace_file(self.file, self.new.encode("utf-8"), mode)
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"{self.file} cannot be written: {reason}.") from error


def threshold_lines(thresholds: Mapping[str, float]) -> list[str]:
    """The table as lines of TOML."""
    return [f"[{_TABLE}]", *(_line(label, value) for label, value in thresholds.items())]


def _edit(text: str, thresholds: Mapping[str, float]) -> str:
    lines = _LINE.findall(text)
    end = "\r\n" if "\r\n" in text else "\n"
    for number, line in enumerate(lines):
        bare = line.removeprefix(_BOM).rstrip("\r\n")
        if _HEADER.fullmatch(bare):
            return _edit_table(lines, number + 1, thresholds, end)
        if _INLINE.fullmatch(bare):
            lines[number] = _edit_inline(line, thresholds, end)
            return "".join(lines)
    if text and not text.endswith("\n"):
        text += end
    blank = end if text.strip(_BOM + "\r\n") else ""
    return text + blank + end.join(threshold_lines(thresholds)) + end


def _edit_table(lines: list[str], start: int, thresholds: Mapping[str, float], end: str) -> str:
    """Replace the lines of labels that are there, and add the others after the last one."""
    stop = next((n for n in range(start, len(lines)) if _ANY_HEADER.match(lines[n])), len(lines))
    rest = dict(thresholds)
    last = start
    for number in range(start, stop):
        label = _label_of(lines[number])
        if label is None:
            continue
        last = number + 1
        if label in rest:
            value = rest.pop(label)
            lines[number] = _line(label, value) + _comment_of(lines[number]) + end
    if last and not lines[last - 1].endswith("\n"):
        lines[last - 1] += end
    lines[last:last] = [_line(label, value) + end for label, value in rest.items()]
    return "".join(lines)


def _edit_inline(line: str, thresholds: Mapping[str, float], end: str) -> str:
    values = _parse(line)
    if values is None:  # it is not what it looks like: within a text, for instance
        return line
    merged = {**values[_TABLE], **thresholds}
    pairs = ", ".join(_line(label, value) for label, value in merged.items())
    bom = _BOM if line.startswith(_BOM) else ""
    return f"{bom}{_TABLE} = {{ {pairs} }}{_comment_of(line)}{end}"


def _label_of(line: str) -> str | None:
    """The one key that a line sets; ``None`` if it sets none."""
    try:
        keys = list(tomllib.loads(line))
    except tomllib.TOMLDecodeError:
        return None
    return keys[0] if len(keys) == 1 else None


def _comment_of(line: str) -> str:
    """The comment at the end of a line, with the blanks before it; empty if it has none."""
    bare = line.rstrip("\r\n")
    for found in re.finditer(r"\s*#", bare):
        try:
            tomllib.loads(bare[: found.start()].removeprefix(_BOM))
        except tomllib.TOMLDecodeError:
            continue  # the # is within a text
        return bare[found.start() :]
    return ""


def _line(label: str, value: float) -> str:
    # JSON's escapes are those of TOML's basic strings, except that of DEL.
    quoted = json.dumps(label, ensure_ascii=False).replace("\x7f", "\\u007f")
    key = label if _BARE_KEY.fullmatch(label) else quoted
    return f"{key} = {float(value)!r}"


def _expected(old: str, thresholds: Mapping[str, float]) -> dict[str, Any]:
    values = _parse(old) or {}
    return {**values, _TABLE: {**values.get(_TABLE, {}), **thresholds}}


def _parse(text: str) -> dict[str, Any] | None:
    """The file's values; ``None`` if the text is not TOML."""
    try:
        return tomllib.loads(text.removeprefix(_BOM))
    except tomllib.TOMLDecodeError:
        return None

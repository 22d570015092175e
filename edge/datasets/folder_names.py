"""Lists a folder of a data set."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from edge.errors import DataSetError
from edge.printable import escape
from edge.vision.picture_files import is_left_behind

if TYPE_CHECKING:
    from pathlib import Path


def list_names(folder: Path) -> list[str]:
    """The names in a folder, sorted, without those that a system left behind.

    Raises:
        DataSetError: it cannot be read.
    """
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 -- names, to be sorted as such
    except OSError as error:
        shown = escape(str(folder))
        raise DataSetError(f"{shown} cannot be read: {error.strerror}.") from error
    return [name for name in names if not is_left_behind(name)]

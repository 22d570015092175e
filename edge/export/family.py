"""What a module in `edge.export.families` offers, and all of them in the order they are tried.

To add a family, write its module and name it in `FAMILIES`, before any family that would claim the
same models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from edge.export.families import (
    automl_saved_model,
    automl_tflite,
    custom_vision,
    good_parts,
    lobe,
    other_tflite,
    teachable_machine,
)

if TYPE_CHECKING:
    from pathlib import Path

    from edge.model.contract import Contract


class Family(Protocol):
    """The exports of one tool in one format.

    A family knows its tool's rules: how to recognise its exports, where the labels are, which pixel
    values the model takes, which part of the image it sees, and how to tell one label from several.
    It opens files through the readers of `edge.export`, and knows no other family.

    Attributes:
        NAME: the tool and the format, as ``edge inspect`` shows them.
        HOW_TO_EXPORT: completes "Export the model again ..." in remedies.
    """

    NAME: str
    HOW_TO_EXPORT: str

    def find(self, path: Path) -> list[Path]:
        """The models of this family at a path that exists, empty if there are none.

        Args:
            path: a folder to look in, or a single file that is a model or part of one.

        Returns:
            TFLite files, and folders of SavedModels.

        Raises:
            ExportError: the export is this family's, but a file that it names is missing.
            OSError: the path cannot be read.
        """
        ...

    def read(self, model: Path) -> Contract:
        """Read the contract of a model that `find` returned, and the files next to it.

        Raises:
            ExportError: broken, of a kind that is not served, or with labels that do not fit.
            OSError: a file cannot be read.
        """
        ...


FAMILIES: tuple[Family, ...] = (
    good_parts,
    custom_vision,
    lobe,
    teachable_machine,
    other_tflite,
    automl_tflite,
    automl_saved_model,
)

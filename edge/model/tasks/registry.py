"""All tasks. A new task is added to `TASKS`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.model.tasks.anomaly import ANOMALY
from edge.model.tasks.classification import CLASSIFICATION
from edge.model.tasks.detection import DETECTION

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge.model.tasks.task import Task

TASKS: Mapping[str, Task] = {task.name: task for task in (CLASSIFICATION, DETECTION, ANOMALY)}
"""Every task by its name."""

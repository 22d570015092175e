"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_exports() -> Path:
    """The folder of real exports that lies beside a clone; its tests are skipped where it does not."""
    folder = Path(os.environ.get("EDGE_SHARED", ROOT.parent / "shared")) / "exports"  # noqa: TID251 -- no setting of the service
    if not folder.is_dir():
        pytest.skip("the shared exports are not here; EDGE_SHARED may name their folder")
    return folder

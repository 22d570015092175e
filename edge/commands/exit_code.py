"""Exit codes that several commands share."""

from __future__ import annotations

from typing import Final

INTERRUPTED: Final = 130
"""After Ctrl-C: 128 and the number of SIGINT, as shells have it."""

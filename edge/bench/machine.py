"""Describes the machine on which figures were measured."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from edge import __version__
from edge.runtime.cpus import usable_cpus

_PACKAGES = (
    "ai-edge-litert",
    "pillow",
    "numpy",
    "fastapi",
    "uvicorn",
    "uvloop",
    "httptools",
    "tensorflow",
)


def machine_facts() -> dict[str, str | int]:
    """Return CPU, cores, memory and the versions of the relevant packages, in JSON types."""
    return {
        "cpu": _cpu_name(),
        "cores": os.cpu_count() or 1,
        "usable_cpus": usable_cpus(),
        "memory_mib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20,
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "edge": __version__,
        **{name: found for name in _PACKAGES if (found := _version(name))},
    }


def _cpu_name() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None

"""Writes what is in the image as a CycloneDX 1.5 document, to standard output.

    python sbom.py /opt/edge/lib/python3.13/site-packages

Run at the end of the build, in the image: Python packages from their metadata, Debian's from dpkg.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

_STATUS = Path("/var/lib/dpkg/status")


def python_components(folder: str) -> list[dict[str, Any]]:
    """The Python packages in a folder, sorted by name."""
    found = {_name(one): one for one in distributions(path=[folder])}
    return [_python_component(name, found[name]) for name in sorted(found)]


def debian_components(status: str, release: str) -> list[dict[str, Any]]:
    """The installed packages of dpkg's status file.

    Args:
        release: such as ``debian-13``, for the package's URL.
    """
    components = []
    for paragraph in status.split("\n\n"):
        fields = dict(re.findall(r"^([\w-]+): (.*)$", paragraph, re.MULTILINE))
        if not fields.get("Status", "").endswith(" installed"):
            continue
        name, version = fields["Package"], fields["Version"]
        arch = fields["Architecture"]
        purl = f"pkg:deb/debian/{name}@{quote(version)}?arch={arch}&distro={release}"
        components.append(_component(name, version, purl))
    return components


def _name(one: Distribution) -> str:
    return re.sub(r"[-_.]+", "-", one.metadata["Name"]).lower()


def _python_component(name: str, one: Distribution) -> dict[str, Any]:
    component = _component(name, one.version, f"pkg:pypi/{name}@{quote(one.version)}")
    licence = one.metadata.get("License-Expression")
    if licence:
        component["licenses"] = [{"expression": licence}]
    return component


def _component(name: str, version: str, purl: str) -> dict[str, Any]:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _release() -> str:
    text = Path("/etc/os-release").read_text("utf-8")
    fields = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', text, re.MULTILINE))
    return f"{fields.get('ID', 'debian')}-{fields.get('VERSION_ID', '')}"


def document(folder: str) -> dict[str, Any]:
    """The whole document; without a time, so that the same image gives the same one."""
    python = python_components(folder)
    edge = [one for one in python if one["name"] == "edge"]
    debian = []
    if _STATUS.exists():
        debian = debian_components(_STATUS.read_text("utf-8"), _release())
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {**edge[0], "type": "application"}} if edge else {},
        "components": [one for one in python if one["name"] != "edge"] + debian,
    }


if __name__ == "__main__":
    json.dump(document(sys.argv[1]), sys.stdout, indent=1)

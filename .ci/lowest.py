"""Prints the lowest version that pyproject.toml allows of every direct dependency, for pip."""

import re
import tomllib
from pathlib import Path

project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8"))[
    "project"
]
for requirement in (*project["dependencies"], *project["optional-dependencies"]["test"]):
    name, lowest = re.match(r"([\w.-]+)>=([\w.]+)", requirement).groups()
    print(f"{name}=={lowest}")

"""Every module of the package imports on the Python that runs the tests."""

import subprocess
import sys

import pytest

IMPORT_ALL = """
import importlib, pkgutil, edge
for module in pkgutil.walk_packages(edge.__path__, "edge."):
    if module.name != "edge.__main__":  # it runs the command line
        importlib.import_module(module.name)
        print(module.name)
"""


@pytest.mark.slow  # TensorFlow and Google's client alone take ten seconds
def test_every_module_imports():
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert {"edge.web.cloud_routes", "edge.runtime.tensorflow"} <= set(done.stdout.split())

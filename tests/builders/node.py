"""Runs a function of the pages' scripts in node, for tests that hold it against Python's."""

import json
import shutil
import subprocess

import pytest


def ask_node(folder, script, name, expression, asked):
    """The value of an expression of ``asked`` and the script's function ``name``.

    Args:
        folder: an empty one.
        asked: goes there as JSON, and the value comes back as JSON.
    """
    if shutil.which("node") is None:
        pytest.skip("node is not there, to run the pages' rule (apt-get install nodejs)")
    shutil.copy(script, folder / "script.mjs")
    (folder / "run.mjs").write_text(
        'import { readFileSync } from "node:fs";\n'
        f'import {{ {name} }} from "./script.mjs";\n'
        'const asked = JSON.parse(readFileSync(0, "utf8"));\n'
        f"console.log(JSON.stringify({expression}));\n"
    )
    run = subprocess.run(
        ["node", str(folder / "run.mjs")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(run.stdout)

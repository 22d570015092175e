"""The pages' modules, tried by node's own test runner; `tests/browser/` tries them in a browser."""

import os  # tests stand outside the service: they hand node an environment
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPTS = sorted((Path(__file__).parent / "javascript").glob("*.test.mjs"))
_MIN_MAJOR = 18  # Debian 12's
_PATIENCE_S = 60


@pytest.fixture(scope="module")
def node() -> str:
    program = shutil.which("node")
    if program is None:
        pytest.skip(
            "node is not there, to run the tests of the pages' scripts (apt-get install nodejs)"
        )
    version = subprocess.run(
        [program, "--version"], capture_output=True, text=True, check=True, timeout=_PATIENCE_S
    )
    if int(re.match(r"v(\d+)", version.stdout)[1]) < _MIN_MAJOR:
        pytest.skip(f"node {version.stdout.strip()} is older than {_MIN_MAJOR}")
    return program


def run_script(node: str, script: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TMPDIR": str(folder)}
    command = [node, "--test", "--test-reporter=tap", str(script)]
    return subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_PATIENCE_S,
        check=False,
    )


def assert_all_passed(run: subprocess.CompletedProcess[str]) -> None:
    counts = dict(re.findall(r"^# (tests|pass) (\d+)$", run.stdout, re.MULTILINE))
    failed = [
        part
        for part in re.split(r"^\s*# Subtest: ", run.stdout, flags=re.MULTILINE)
        if "not ok" in part
    ]
    assert run.returncode == 0, "\n".join(failed) or run.stdout + run.stderr
    assert int(counts["tests"]) > 1, "it has no test"
    assert counts["pass"] == counts["tests"], "tests were skipped"


@pytest.mark.parametrize(
    "script", SCRIPTS, ids=lambda script: script.name.removesuffix(".test.mjs")
)
def test_the_pages_scripts_do_what_their_tests_say(node, script, tmp_path):
    assert_all_passed(run_script(node, script, tmp_path))


@pytest.mark.parametrize(
    "body", ["throw new Error('broken')", "", "test('one', { skip: true }, () => {})"]
)
def test_a_script_that_fails_tests_nothing_or_skips_is_noticed(node, tmp_path, body):
    script = tmp_path / "broken.test.mjs"
    script.write_text(
        f"import {{ test }} from 'node:test';\ntest('sound', () => {{}});\n{body}\n" if body else ""
    )
    with pytest.raises(AssertionError):
        assert_all_passed(run_script(node, script, tmp_path))


def test_every_module_of_the_pages_has_a_test():
    tried = "".join(script.read_text() for script in SCRIPTS)
    pages = Path(__file__).parents[1].joinpath("edge", "web", "pages", "static")
    modules = {file.stem for file in pages.glob("*.js")}
    assert "kiosk" in modules
    tried_alone = set(re.findall(r'(?:load|loadTogether|openPage)\("(\w+)', tried))
    # The parts of a page, such as wall_tiles.js, are tried with their page.
    with_their_page = {name for name in modules if name.partition("_")[0] in tried_alone}
    assert not modules - tried_alone - with_their_page

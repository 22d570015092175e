"""Breaks the code in one place at a time and sees whether the tests notice.

    python tests/mutation/run.py [ROOM ...] [--jobs N] [--only WORDS] [--write]

A room's mutants are in ``<room>.toml`` next to this file. Each names a file, the original text
(``old``, which must occur exactly once), its replacement (``new``), and the tests that should fail
(``tests``: paths or pytest node ids). A mutant is caught if they fail or hang. Survivors are
printed, and ``--write`` updates the table in README.md. Not part of CI, which only checks that
every mutant still applies (`test_mutants.py`).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TIMEOUT_S = 300
RESULTS_BEGIN, RESULTS_END = "<!-- results -->\n", "<!-- /results -->\n"


@dataclass(frozen=True)
class Mutant:
    """One change of the code.

    Attributes:
        room: name of the file in which it stands.
        file: path of the file that is changed, from the checkout.
        what: the fault, in words.
        old: text that occurs exactly once in the file.
        new: what stands in its place.
        tests: what ought to fail.
        survives: why no test catches it, where none does; empty otherwise.
    """

    room: str
    file: str
    what: str
    old: str
    new: str
    tests: tuple[str, ...]
    survives: str = ""

    def changed(self, source: str) -> str:
        """The file's text with the fault in it; raises ``ValueError`` where it does not apply."""
        if source.count(self.old) != 1:
            raise ValueError(
                f"{self.room}.toml, {self.what!r}: `old` occurs {source.count(self.old)} times"
            )
        return source.replace(self.old, self.new)


@dataclass(frozen=True)
class Result:
    """What became of a mutant: ``caught``, ``hung`` (caught as well), ``survived`` or ``error``."""

    mutant: Mutant
    outcome: str
    seconds: float
    output: str

    @property
    def caught(self) -> bool:
        """Whether a test noticed."""
        return self.outcome in {"caught", "hung"}


def read_mutants(rooms: list[str]) -> list[Mutant]:
    """The mutants of the rooms; of all where none is named."""
    files = [HERE / f"{room}.toml" for room in rooms] if rooms else sorted(HERE.glob("*.toml"))
    mutants = []
    for file in files:
        for fields in tomllib.loads(file.read_text())["mutant"]:
            tests = tuple(fields.pop("tests"))
            mutants.append(Mutant(room=file.stem, tests=tests, **fields))
    return mutants


def copy_checkout(to: Path) -> None:
    """The files that git knows or would take, and a link to the shared exports."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)


def try_mutant(mutant: Mutant, checkout: Path) -> Result:
    """Change the copy, run the tests, and change it back."""
    file = checkout / mutant.file
    source = file.read_text()
    started = time.monotonic()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("EDGE_")
    }
    environment |= {"EDGE_SHARED": str(ROOT.parent / "shared"), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-x",
        "-q",
        "-m",
        "",
        "-p",
        "no:cacheprovider",
        *mutant.tests,
    ]
    file.write_text(mutant.changed(source))
    try:
        run = subprocess.run(
            command,
            cwd=checkout,
            env=environment,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        return Result(mutant, "hung", time.monotonic() - started, str(error))
    finally:
        file.write_text(source)
    outcome = {0: "survived", 1: "caught"}.get(run.returncode, "error")
    if outcome == "error" and "ImportError" in run.stdout:
        outcome = "caught"
    return Result(
        mutant, outcome, time.monotonic() - started, run.stdout[-3000:] + run.stderr[-1000:]
    )


def try_all(mutants: list[Mutant], jobs: int) -> list[Result]:
    """Each mutant in a copy of the checkout that nobody else uses meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        copies: Queue[Path] = Queue()
        for number in range(jobs):
            copy = Path(folder) / str(number) / "edge"
            copy_checkout(copy)
            copies.put(copy)

        def attempt(mutant: Mutant) -> Result:
            copy = copies.get()
            try:
                result = try_mutant(mutant, copy)
            finally:
                copies.put(copy)
            print(
                f"{result.outcome:9}{result.seconds:6.1f} s  {mutant.room}: {mutant.what}",
                flush=True,
            )
            if result.outcome == "error":
                print(result.output, flush=True)
            return result

        with ThreadPoolExecutor(jobs) as threads:
            return list(threads.map(attempt, mutants))


def table(results: list[Result]) -> str:
    """The results as Markdown: a row a room, then those that survived."""
    lines = ["| room | mutants | caught |", "|---|---|---|"]
    rooms = sorted({result.mutant.room for result in results})
    for room in [*rooms, "all"]:
        these = [result for result in results if room in {result.mutant.room, "all"}]
        caught = sum(result.caught for result in these)
        lines.append(f"| {room} | {len(these)} | {caught} ({100 * caught / len(these):.0f} %) |")
    survivors = [result.mutant for result in results if not result.caught]
    if survivors:
        lines += ["", "Survivors:", ""]
        lines += [
            f"* `{one.file}`: {one.what}. {one.survives or 'No reason is known.'}"
            for one in survivors
        ]
    return "\n".join(lines) + "\n"


def write_table(text: str) -> None:
    """Put the table into README.md, between its two marks."""
    readme = HERE / "README.md"
    before, _, rest = readme.read_text().partition(RESULTS_BEGIN)
    _, _, after = rest.partition(RESULTS_END)
    readme.write_text(before + RESULTS_BEGIN + text + RESULTS_END + after)


def main() -> int:
    """Exit code 1 where a mutant survived that has no reason to."""
    parser = argparse.ArgumentParser(
        description="Break the code in one place at a time and run its tests."
    )
    parser.add_argument(
        "rooms", nargs="*", help="names of the .toml files; all of them if none is given"
    )
    parser.add_argument(
        "--jobs", type=int, default=1, help="mutants that are tried at the same time"
    )
    parser.add_argument(
        "--only", default="", help="only mutants whose description contains these words"
    )
    parser.add_argument("--write", action="store_true", help="write the table into README.md")
    options = parser.parse_args()
    mutants = [mutant for mutant in read_mutants(options.rooms) if options.only in mutant.what]
    results = try_all(mutants, options.jobs)
    text = table(results)
    print(text)
    if options.write:
        write_table(text)
    return any(not result.caught and not result.mutant.survives for result in results)


if __name__ == "__main__":
    raise SystemExit(main())

"""Opens thousands of mutated TFLite files as the service does, and counts what becomes of them.

    python tests/attacks/mutated_models.py COUNT [SEED] [FILE...]

A mutation changes one to four bytes where the tables are (weights make up most of a file, and any
weight is one). Each file is read by `read_export`, tried as `edge.runtime.proof_child` tries it,
and if it passed, loaded and run as the service does. The last two happen in forks of this process,
which has one thread and is warm: a fresh process for each file would take hours.

Prints one line of JSON: how many were refused when they were read, refused by the trial, crashed in
it, ran too long in it, were served, and how many of those killed their process after all. The last
is a fault.
"""

import json
import os
import random
import signal
import struct
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import edge.runtime.litert  # noqa: F401 -- warm before the forks
from edge.errors import ExportError
from edge.export.read import Export, read_export
from edge.repository.version import ModelVersion
from edge.runtime.pipeline import DecodeOptions
from edge.runtime.proof_child import REFUSED, die_with_parent, try_model

ROOT = Path(__file__).resolve().parents[2]
MODELS = [ROOT / "models/imagenet/model.tflite", ROOT / "models/objects/model.tflite"]
TABLE_BYTES = 60_000
TRIAL_S = 10
KILLED_LATE = "served and killed its process"


def mutated(whole: bytes, chance: random.Random) -> bytes:
    """The file with one to four bytes, or one 32-bit number, changed near its end or start."""
    size = len(whole)
    places = [range(max(0, size - TABLE_BYTES), size), range(8, min(TABLE_BYTES, size))]
    changed = bytearray(whole)
    place = chance.choice([*places, places[0]])
    if chance.random() < 0.3:
        at = chance.choice(place[:-4])
        number = chance.choice([0, 1, 4, 8, 0x80, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF])
        struct.pack_into("<I", changed, at, number)
        return bytes(changed)
    for _ in range(chance.randint(1, 4)):
        changed[chance.choice(place)] = chance.randrange(256)
    return bytes(changed)


def in_fork(work) -> int | None:
    """The exit code of ``work`` in a fork: negative for a signal, ``None`` after the time limit."""
    child = os.fork()
    if child == 0:
        code = 99
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            os.dup2(quiet, 2)
            die_with_parent()
            code = work()
        finally:
            os._exit(code)
    until = time.monotonic() + TRIAL_S
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.001)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def outcome(folder: Path) -> str:
    try:
        export = read_export(folder)
    except ExportError:
        return "refused when it was read"

    def trial() -> int:
        return REFUSED if try_model(export.model, export.contract) else 0

    code = in_fork(trial)
    if code is None:
        return "ran too long in the trial"
    if code < 0:
        return f"crashed in the trial ({signal.Signals(-code).name})"
    if code:
        return "refused by the trial"
    served = in_fork(lambda: load(export))
    if served is None:
        return "served and hung"
    return "served" if served >= 0 else KILLED_LATE


def load(export: Export) -> int:
    """Load as the service does after the proof, and run a few frames."""
    options = DecodeOptions(1_000_000)
    version = ModelVersion("mutated", 1, export)
    try:
        version.load(2, options)
    except ExportError:
        return 1
    photo = (ROOT / "models/photos/coffee.jpg").read_bytes()
    for worker in (0, 1):
        version.predict(worker, photo, options)
    return 0


def run(count: int, seed: int, models: list[Path]) -> Counter[str]:
    chance = random.Random(seed)
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        for number in range(count):
            source = models[number % len(models)]
            whole = source.read_bytes()
            for old in folder.iterdir():
                old.unlink()
            labels = source.with_name("dict.txt")
            if labels.is_file():
                (folder / "dict.txt").write_bytes(labels.read_bytes())
            content = mutated(whole, chance)
            (folder / "model.tflite").write_bytes(content)
            result = outcome(folder)
            counts[result] += 1
            if result in {KILLED_LATE, "served and hung"}:
                kept = Path(tempfile.gettempdir()) / f"mutated-{seed}-{number}.tflite"
                kept.write_bytes(content)
                print(f"{result}: {kept}", file=sys.stderr)
    return counts


if __name__ == "__main__":
    how_many = int(sys.argv[1])
    with_seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    print(json.dumps(run(how_many, with_seed, [Path(p) for p in sys.argv[3:]] or MODELS)))

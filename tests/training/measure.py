"""Measures `edge train`: seconds, peak memory, accuracy in 8 bits, and how many strangers it knows.

    python tests/training/measure.py [--seeds 5] [--folder FOLDER] [--only time accuracy strangers]

Five seeds take some 20 minutes on two cores.

Data sets: drawn parts (800 pictures of 640x480), and those of the packages that are installed:
scikit-image's textures, scikit-learn's digits, elpv-dataset's solar cells (CC-BY-NC-SA: measured
with, never shipped). scikit-learn's logistic regression and a Keras head are fitted to the same
features in float. Strangers are measured twice: between these sets, by which the constants of
`edge/training/distribution_fit.py` were chosen, and with pictures that were not used for that.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring.features import FeatureSet
from measuring.sets import DEVELOPED_WITH, write_sets
from measuring.strangers import print_strangers, spread
from measuring.unseen import UNSEEN

PARTS = ("time", "accuracy", "strangers")
POLL_S = 0.02
TIMED_ROUNDS = 3
TIMED = (
    ("TFLite", ("--no-saved-model",)),
    ("TFLite and SavedModel", ()),
    ("TFLite and SavedModel, --minutes 1", ("--minutes", "1")),
)


def train(data_set, out, *options):
    """Seconds, seconds of processor time, and MiB of `edge train` in a process of its own.

    The peak is read from /proc while it runs: what `wait4` gives is at least this process's own.
    """
    began, used, peak = time.monotonic(), _children_s(), 0.0
    command = [sys.executable, "-m", "edge", "train", str(data_set), "--out", str(out), *options]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while child.poll() is None:
        peak = max(peak, _peak_mib(child.pid))
        time.sleep(POLL_S)
    assert child.returncode == 0, command
    return time.monotonic() - began, _children_s() - used, peak


def _children_s():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _peak_mib(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:  # it has just ended
        return 0.0
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else 0.0


def answers(model, pictures):
    """What `edge predict` says of pictures."""
    command = [sys.executable, "-m", "edge", "predict", "--json", "--model", str(model)]
    done = subprocess.run([*command, *pictures], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def measure_time(folder, rounds):
    """Seconds and memory for the drawn parts, each way in turn."""
    runs = {what: [] for what, _ in TIMED}
    for _ in range(rounds):
        for what, options in TIMED:
            runs[what].append(train(folder / "drawn_parts", folder / ".timed", *options))
    for what, found in runs.items():
        wall, cpu, memory = (list(column) for column in zip(*found, strict=True))
        print(
            f"800 pictures of 640x480, {what}: median {statistics.median(wall):.1f} s, at most "
            f"{max(wall):.1f} s ({statistics.median(cpu):.1f} s of processor time), at most "
            f"{max(memory):.0f} MiB",
            flush=True,
        )


def measure_accuracy(features, folder, seeds):
    """Accuracy of the finished 8-bit file, next to two heads in float on the same features."""
    ours, kept = [], []
    for seed in range(seeds):
        data_set = features.write_csv(seed)
        out = folder / f".{features.root.name}-{seed}"
        train(data_set, out, "--no-saved-model")
        data_set.unlink()
        numbers = np.flatnonzero(features.splits(seed) == 2)
        tested = {
            str(features.files[number]): features.files[number].parent.name for number in numbers
        }
        found = answers(out, tested)
        ours.append(
            statistics.mean(one["predictions"][0]["label"] == tested[one["file"]] for one in found)
        )
        kept.append(statistics.mean(not one["unlike_training"] for one in found))
    theirs = {
        "scikit-learn": logistic_regression(features, seeds),
        "Keras": keras_head(features, seeds),
    }
    print(f"{features.root.name}: 8 bits {spread(ours)}, known pictures kept {spread(kept)}")
    for name, found in theirs.items():
        if isinstance(found, str):
            print(f"    {name} in float: left out, {found}")
            continue
        apart = [our - their for our, their in zip(ours, found, strict=True)]
        print(
            f"    {name} in float {spread(found)}; 8 bits are better by {spread(apart)}", flush=True
        )


def logistic_regression(features, seeds):
    """scikit-learn's accuracy in float for each seed; why not without the package."""
    try:
        from sklearn.linear_model import LogisticRegression
    except ImportError as error:
        return str(error)
    rows, found = features.table.rows(slice(None)), []
    for seed in range(seeds):
        splits = features.splits(seed)
        model = LogisticRegression(max_iter=500)
        model.fit(rows[splits == 0], features.labels[splits == 0])
        found.append(model.score(rows[splits == 2], features.labels[splits == 2]))
    return found


def keras_head(features, seeds):
    """Accuracy of a Keras head in float for each seed; why not without the package."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "features.npz"
        np.savez(
            file,
            features=features.table.rows(slice(None)),
            labels=features.labels,
            splits=np.stack([features.splits(seed) for seed in range(seeds)]),
        )
        command = [sys.executable, str(Path(__file__).parent / "measuring" / "keras_head.py")]
        done = subprocess.run([*command, str(file)], capture_output=True, text=True, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["it ended without a word"])[-1]
    return [float(line) for line in done.stdout.split()]


def measure_strangers(folder, sets, seeds):
    """Strangers between the sets that constants were chosen by, and with others."""
    write_sets(folder / ".unseen", UNSEEN)
    unseen = {root.name: FeatureSet(root) for root in sorted((folder / ".unseen").iterdir())}
    groups = {"sets of the choice": sets, "unseen sets": unseen}
    print("Bounds of the sets that their constants were chosen by:")
    print_strangers(sets, groups, seeds)
    print("Bounds of sets that nothing was chosen by:")
    print_strangers(unseen, groups, seeds)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where the data sets are kept")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="edge-train-"))
    write_sets(folder, DEVELOPED_WITH)
    if "time" in given.only:
        measure_time(folder, TIMED_ROUNDS)
    if set(given.only) == {"time"}:
        return
    names = [make.__name__ for make in DEVELOPED_WITH]
    sets = {name: FeatureSet(folder / name) for name in names if (folder / name).is_dir()}
    if "accuracy" in given.only:
        for features in sets.values():
            measure_accuracy(features, folder, given.seeds)
    if "strangers" in given.only:
        measure_strangers(folder, sets, given.seeds)


if __name__ == "__main__":
    main()

"""Features of a set's pictures, read once, and random splits of it."""

import csv

import numpy as np

from edge.export.read import read_export
from edge.model.contract import Resize
from edge.runtime.features import FeatureReader
from edge.training.feature_table import FeatureTable
from edge.training.tflite_file import ClassifierFile
from edge.wiring.bootstrap import embedded_models

SPLITS = ("training", "validation", "test")


class FeatureSet:
    """Features of a folder per label, stretched as `edge train` does.

    Attributes:
        files: paths of the pictures.
        names: of the labels.
        labels: intp [pictures].
        table: features in 8 bits, as `edge train` keeps them.
    """

    def __init__(self, root):
        self.root = root
        self.files = sorted(root.rglob("*.jpg"))
        self.names = sorted({file.parent.name for file in self.files})
        self.labels = np.array([self.names.index(file.parent.name) for file in self.files])
        export = read_export(embedded_models() / "imagenet")
        contract = export.contract
        object.__setattr__(contract.tuning, "resize", Resize.STRETCH)
        reader = FeatureReader(export.model, contract, max_pixels=10**8, workers=2)
        pictures = ((number, file.read_bytes) for number, file in enumerate(self.files))
        rows = np.stack([found for _, found in reader.read_all(pictures)])
        quantization = ClassifierFile(export.model.read_bytes(), "imagenet").features
        stored = np.rint(rows / quantization.scale + quantization.zero_point).clip(-128, 127)
        self.table = FeatureTable(stored.astype(np.int8), quantization)

    def splits(self, seed):
        """0 training, 1 validation, 2 test: 80, 10 and 10 in a hundred, at random."""
        order = np.random.default_rng(seed).permutation(len(self.files))
        splits = np.empty(len(order), np.intp)
        share = np.arange(len(order)) / len(order)
        splits[order] = (share >= 0.8).astype(np.intp) + (share >= 0.9)
        return splits

    def write_csv(self, seed):
        """A Vertex AI CSV with that split, in the set's folder."""
        file = self.root / f"seed{seed}.csv"
        with file.open("w", newline="") as out:
            rows = csv.writer(out)
            for picture, split in zip(self.files, self.splits(seed), strict=True):
                path = str(picture.relative_to(self.root))
                rows.writerow((SPLITS[split], path, picture.parent.name))
        return file

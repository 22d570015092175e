"""How many strangers a model's bound catches, and how many known pictures it keeps.

The bound is fitted as `edge train` fits it, to the features of the training and the validation
pictures; the test pictures show how many known ones pass. Nothing is chosen by what is printed.
"""

import statistics
from itertools import pairwise

import numpy as np

from edge.training.distribution_fit import fit_distribution


def print_strangers(known, strangers, seeds):
    """Print the shares for each set of ``known``.

    Args:
        known: name to `FeatureSet`; a bound is fitted to each.
        strangers: name to `FeatureSet`; those of another name are strangers.
        seeds: number of random splits.
    """
    kept_all, caught_all, left_out_all = [], [], []
    for name, features in known.items():
        others = {other: found for other, found in strangers.items() if other != name}
        kept, caught = [], {other: [] for other in others}
        for seed in range(seeds):
            bound, tested = _bound(features, features.splits(seed), features.labels >= 0)
            if bound is None:
                continue
            kept.append(1 - _unlike(bound, features.table.subset(np.flatnonzero(tested))))
            for other, found in others.items():
                caught[other].append(_unlike(bound, found.table))
        left_out = [_left_out(features, label) for label in range(len(features.names))]
        kept_all += kept
        caught_all += [statistics.mean(shares) for shares in caught.values() if shares]
        left_out_all += left_out
        print(f"  {name}: known kept {spread(kept)}")
        shares = (f"{other} {spread(found)}" for other, found in caught.items())
        print(f"      other sets caught: {', '.join(shares)}")
        parts = (
            f"{label} {share:.2f}" for label, share in zip(features.names, left_out, strict=True)
        )
        print(f"      a label left out, then caught: {', '.join(parts)}")
    print(f"  all: known kept {_lowest(kept_all)}; other sets caught {_lowest(caught_all)}")
    print(f"      labels left out, then caught: {_lowest(left_out_all)}", flush=True)


def _bound(features, splits, chosen):
    """The bound of what is not test among the chosen pictures, and which are its test."""
    fitted = np.flatnonzero((splits < 2) & chosen)
    numbers = np.unique(features.labels[fitted], return_inverse=True)[1]
    bound = fit_distribution(features.table.subset(fitted), numbers)
    return bound, (splits == 2) & chosen


def _left_out(features, label):
    """The share of a label's pictures that a bound without that label catches."""
    is_left_out = features.labels == label
    bound, _ = _bound(features, features.splits(0), ~is_left_out)
    if bound is None:
        return float("nan")
    return _unlike(bound, features.table.subset(np.flatnonzero(is_left_out)))


def _unlike(bound, table):
    cuts = [*range(0, len(table), 512), len(table)]
    unlike = 0
    for start, end in pairwise(cuts):
        distances = bound.distances(table.rows(slice(start, end)))
        unlike += int((~(distances <= bound.bounds).any(axis=1)).sum())
    return unlike / len(table)


def _lowest(numbers):
    found = [number for number in numbers if not np.isnan(number)]
    return f"{spread(found)}, lowest {min(found):.3f}" if found else "none"


def spread(numbers):
    """Mean and standard deviation."""
    if not numbers:
        return "none"
    deviation = statistics.stdev(numbers) if len(numbers) > 1 else 0
    return f"{statistics.mean(numbers):.3f} +- {deviation:.3f}"

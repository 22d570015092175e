"""How many strangers a model's bound catches, and how many known pictures it keeps.

The bound is fitted as `edge train` fits it, to the features of the training and the validation
pictures; the test pictures show how many known ones pass. Nothing is chosen by what is printed.
"""

import statistics
from itertools import pairwise

import numpy as np

from edge.training.distribution_fit import fit_distribution


def print_strangers(known, groups, seeds):
    """Print the shares for each set of ``known``.

    Args:
        known: name to `FeatureSet`; a bound is fitted to each.
        groups: title to sets by name; those of another name are strangers. Each group has a line.
        seeds: number of random splits.
    """
    kept_all, left_out_all = [], []
    caught_all = {title: [] for title in groups}
    for name, features in known.items():
        caught = {
            title: {other: [] for other in sets if other != name} for title, sets in groups.items()
        }
        kept = []
        for seed in range(seeds):
            bound, tested = _bound(features, features.splits(seed), features.labels >= 0)
            if bound is None:
                continue
            kept.append(1 - _unlike(bound, features.table.subset(np.flatnonzero(tested))))
            for title, others in caught.items():
                for other, shares in others.items():
                    shares.append(_unlike(bound, groups[title][other].table))
        kept_all += kept
        print(f"  {name}: known kept {spread(kept)}")
        for title, others in caught.items():
            caught_all[title] += [statistics.mean(shares) for shares in others.values() if shares]
            parts = (f"{other} {spread(shares)}" for other, shares in others.items())
            print(f"      {title} caught: {', '.join(parts)}")
        left_out = [_left_out(features, label) for label in range(len(features.names))]
        left_out_all += left_out
        named = zip(features.names, left_out, strict=True)
        parts = (f"{label} {share:.2f}" for label, share in named)
        print(f"      a label left out, then caught: {', '.join(parts)}", flush=True)
    print(f"  all: known kept {_lowest(kept_all)}")
    for title, shares in caught_all.items():
        print(f"      {title} caught: {_lowest(shares)}")
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

"""What a rule sees of a prediction: of all that the model answered, by the scores as shown."""

import numpy as np
from builders.alerts import classification, detections

from edge.alerts.sighting import LabelRows, Sighting, sighting


def seen(prediction, label="Person", min_score=0.5):
    rows = LabelRows({label}).find("m", prediction)
    return sighting(prediction, rows.get(label, ()), min_score)


def test_objects_of_the_label_that_reach_the_score_are_counted():
    found = seen(detections(0.9, 0.4, 0.6))
    assert (found.count, round(found.score, 6)) == (2, 0.9)
    assert seen(detections(0.9, label="Cat")) == Sighting(0, 0.0)
    assert seen(detections()) == Sighting(0, 0.0)


def test_a_class_is_there_once_or_not():
    found = seen(classification(Cat=0.1, Person=0.7))
    assert (found.count, round(found.score, 6)) == (1, 0.7)
    assert seen(classification(Cat=0.8, Person=0.2)).count == 0
    assert seen(classification(Cat=0.8)).count == 0


def test_a_score_is_compared_as_people_see_it():
    """0.7 in float32 is a little less than 0.7."""
    assert float(np.float32(0.7)) < 0.7
    assert seen(detections(0.7), min_score=0.7).count == 1


def test_a_broken_score_counts_as_none():
    assert seen(detections(float("nan"), 0.6)).count == 1


def test_rows_are_found_once_for_labels_that_stay_and_each_time_for_those_that_change():
    rows = LabelRows({"Person"})
    first = classification(Cat=0.1, Person=0.7)
    same = type(first)(first.labels, first.scores, False)
    other = classification(Person=0.7, Cat=0.1)
    assert rows.find("m", first) == {"Person": [1]}
    assert rows.find("m", same) is rows.find("m", first)
    assert rows.find("m", other) == {"Person": [0]}
    assert rows.find("n", same) == {"Person": [1]}

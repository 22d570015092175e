"""What a rule sees of a prediction: of all that the model answered, by the scores as shown."""

import numpy as np
from builders.alerts import classification, detections
from hypothesis import given
from hypothesis import strategies as st

from edge.alerts.sighting import LabelScores, Sighting, sighting
from edge.model.rules import judged_score


def seen(prediction, label="Person", min_score=0.5):
    scores = LabelScores({label}).find("m", prediction)
    return sighting(scores.get(label, ()), min_score)


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


def test_labels_that_move_are_found_again_and_those_that_stay_are_not_looked_for():
    scores = LabelScores({"Person"})
    first = classification(Cat=0.25, Person=0.75)
    same = type(first)(first.labels, first.scores[::-1], False)
    other = classification(Person=0.5, Cat=0.25)
    assert scores.find("m", first) == {"Person": [0.75]}
    known = scores._known["m"]
    assert scores.find("m", same) == {"Person": [0.25]}
    assert scores._known["m"] is known
    assert scores.find("m", other) == {"Person": [0.5]}
    assert scores.find("n", same) == {"Person": [0.25]}


@given(st.lists(st.floats(0, 1, width=32)), st.floats(0, 1))
def test_each_score_is_compared_as_it_is_shown(scores, minimum):
    reached = [score for score in map(judged_score, scores) if score >= minimum]
    assert sighting(sorted(scores), minimum) == Sighting(len(reached), max(reached, default=0.0))

"""A rule about a label that no model has is a typing error; its fault says what was meant."""

from builders.alerts import rule

from edge.alerts.labels import ModelLabels, label_fault

OBJECTS = ModelLabels("objects", ("Person", "Cat"), counts_objects=True)
CLASSES = ModelLabels("flowers", ("daisy", "rose"), counts_objects=False)
UNKNOWN = ModelLabels("saved", None, counts_objects=True)


def test_a_label_of_any_model_is_good():
    assert label_fault(rule(label="Cat"), [CLASSES, OBJECTS]) is None
    assert label_fault(rule(label="rose"), [CLASSES, OBJECTS]) is None


def test_another_spelling_is_a_fault_that_names_the_right_one():
    fault = label_fault(rule(label="person"), [CLASSES, OBJECTS])
    assert fault == 'no model has the label "person". Did you mean "Person"?'


def test_a_label_that_resembles_none_is_answered_with_all():
    assert "Labels: Cat, Person, daisy, rose." in label_fault(rule(label="xyz"), [CLASSES, OBJECTS])


def test_a_model_that_names_its_labels_only_when_it_runs_may_have_any():
    assert label_fault(rule(label="xyz"), [CLASSES, UNKNOWN]) is None


def test_a_count_is_for_objects_not_for_classes():
    assert label_fault(rule(label="Cat", count=3), [OBJECTS]) is None
    assert label_fault(rule(label="rose"), [CLASSES]) is None
    assert "Remove count" in label_fault(rule(label="rose", count=2), [CLASSES, OBJECTS])

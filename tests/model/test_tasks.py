"""The tasks: headline, agreement, labels, cloud rows, TF Serving outputs and import lines."""

import json

import numpy as np
import pytest

from edge.model.prediction import Item, Selection
from edge.model.tasks.classification import CLASSIFICATION, Classification
from edge.model.tasks.detection import DETECTION, Detections
from edge.model.tasks.registry import TASKS
from edge.model.tasks.task import Classes, CloudRows, Task, WrongCloudAnswer

LABELS = ("cat", "dog", "cow")
CLASSES = Classes(LABELS)
EVERYTHING = Selection(100, 0.0, {})


def classified(*scores, labels=LABELS, multi_label=False):
    return Classification(labels, np.array(scores, np.float32), multi_label)


def detected(*rows, capacity=None):
    """Rows of (class index, score); the box of row n is at n tenths."""
    boxes = [[n / 10, n / 10 + 0.05, n / 10 + 0.1, 0.9] for n in range(len(rows))]
    return Detections(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        classes=np.array([index for index, _ in rows], np.intp),
        scores=np.array([score for _, score in rows], np.float32),
        labels=tuple(LABELS[index] if index >= 0 else "unknown" for index, _ in rows),
        capacity=len(rows) if capacity is None else capacity,
    )


def cloud_rows(labels, scores, boxes=None, edge_labels=LABELS):
    foreign = dict.fromkeys(label for label in labels if label not in edge_labels)
    return CloudRows(labels, scores, boxes, edge_labels, tuple(foreign))


# Every task


@pytest.mark.parametrize("task", TASKS.values(), ids=str)
def test_every_task_answers_every_question_and_shows_its_name(task):
    assert Task.__abstractmethods__ <= set(dir(task))
    assert TASKS[task.name] is task
    assert (str(task), repr(task)) == (task.name, f"<Task {task.name}>")
    assert 0 <= task.default_threshold < 1 <= task.default_top_k
    assert task.signature_labels not in task.signature_outputs


def test_a_prediction_knows_its_task():
    assert classified(1, 0, 0).task is CLASSIFICATION
    assert detected().task is DETECTION


@pytest.mark.parametrize(("labels", "count"), [(None, 0), ((), 0), (LABELS, 3)])
def test_classes_are_counted_by_their_labels(labels, count):
    assert Classes(labels).count == count


# Headline


ITEMS = [Item("cat", 0, 0.9), Item("dog", 1, 0.8), Item("cat", 0, 0.7)]


@pytest.mark.parametrize(
    ("task", "items", "headline"),
    [
        (CLASSIFICATION, ITEMS, ["cat"]),
        (CLASSIFICATION, [], []),
        (DETECTION, ITEMS, ["cat", "dog", "cat"]),
        (DETECTION, [], []),
    ],
)
def test_a_classification_counts_by_its_best_class_and_a_detection_by_every_object(
    task, items, headline
):
    assert list(task.headline(items)) == headline


# Agreement


@pytest.mark.parametrize(
    ("edge", "cloud", "agree"),
    [
        (classified(0.6, 0.3, 0.1), classified(0.9, 0.1, 0.0), True),
        (classified(0.6, 0.3, 0.1), classified(0.3, 0.6, 0.1), False),
        (classified(0.6, 0.4, 0.0), classified(0.1, 0.9, labels=("bee", "cat")), True),
        (classified(0.6, 0.4, 0.0), classified(0.9, 0.1, labels=("bee", "cat")), False),
    ],
)
def test_classifications_agree_if_the_best_label_is_the_same(edge, cloud, agree):
    assert CLASSIFICATION.agrees(edge, cloud, EVERYTHING) is agree


@pytest.mark.parametrize(
    ("edge", "cloud", "threshold", "agree"),
    [
        (detected((0, 0.9), (1, 0.8)), detected((1, 0.7), (0, 0.6)), 0.5, True),
        (detected((0, 0.9), (0, 0.8)), detected((0, 0.9)), 0.5, False),
        (detected((0, 0.9), (1, 0.4)), detected((0, 0.9)), 0.5, True),
        (detected((0, 0.9), (1, 0.4)), detected((0, 0.9)), 0.3, False),
        (detected(), detected(), 0.5, True),
        (detected(), detected((2, 0.9)), 0.5, False),
    ],
)
def test_detections_agree_if_the_same_objects_are_shown(edge, cloud, threshold, agree):
    assert DETECTION.agrees(edge, cloud, Selection(100, threshold, {})) is agree


# Labels of the classes


def test_a_classifier_names_all_its_classes():
    assert CLASSIFICATION.class_labels(classified(1, 0, 0)) == LABELS


@pytest.mark.parametrize("labels", [("cat", "dog"), (*LABELS, "bee"), ()])
def test_more_or_fewer_scores_than_labels_are_refused_with_both_numbers(labels):
    words = f"3 scores for {len(labels)} labels"
    with pytest.raises(ValueError, match=words):
        CLASSIFICATION.class_labels(classified(1, 0, 0, labels=labels))


def test_a_detector_names_only_what_it_sees():
    assert DETECTION.class_labels(detected((0, 0.9))) is None


# The cloud's rows


def test_a_label_that_the_cloud_leaves_out_has_the_score_nought_and_a_foreign_one_is_added():
    found = CLASSIFICATION.read_cloud(cloud_rows(["bee", "cat"], [0.75, 0.25]))
    assert found.labels == (*LABELS, "bee")
    assert found.scores.tolist() == [0.25, 0.0, 0.0, 0.75]
    assert found.scores.dtype == np.float32


def test_the_better_score_counts_of_a_class_named_twice():
    found = CLASSIFICATION.read_cloud(cloud_rows(["dog", "dog", "bee", "bee"], [0.5, 0.25, 0, 1]))
    assert found.scores.tolist() == [0.0, 0.5, 0.0, 1.0]


@pytest.mark.parametrize(
    ("scores", "multi_label"), [([0.5, 0.5], False), ([0.6, 0.4005], False), ([0.9, 0.8], True)]
)
def test_scores_that_add_up_to_more_than_one_are_of_independent_classes(scores, multi_label):
    found = CLASSIFICATION.read_cloud(cloud_rows(["cat", "dog"], scores))
    assert found.multi_label is multi_label


def test_detections_of_the_cloud_are_clipped_and_indexed_by_the_edges_labels():
    boxes = [[-0.5, 0.25, 0.5, 1.5], [0, 0, 1, 1]]
    found = DETECTION.read_cloud(cloud_rows(["dog", "bee"], [0.9, 0.8], boxes))
    assert found.labels == ("dog", "bee")
    assert found.classes.tolist() == [1, 3]
    assert found.boxes.tolist() == [[0, 0.25, 0.5, 1], [0, 0, 1, 1]]
    assert found.capacity == 2


def test_a_detector_without_labels_of_its_own_gives_the_clouds_objects_no_index():
    rows = cloud_rows(["dog", "bee"], [0.9, 0.8], [[0, 0, 1, 1]] * 2, edge_labels=())
    assert DETECTION.read_cloud(rows).classes.tolist() == [-1, -1]


def test_a_cloud_that_detects_nothing_gives_no_rows():
    found = DETECTION.read_cloud(cloud_rows([], [], []))
    assert (len(found.scores), found.boxes.shape, found.capacity) == (0, (0, 4), 0)


@pytest.mark.parametrize(
    ("task", "rows", "words"),
    [
        (CLASSIFICATION, cloud_rows(["cat"], [1], [[0, 0, 1, 1]]), "it is a detector"),
        (CLASSIFICATION, cloud_rows([], []), "names no class"),
        (DETECTION, cloud_rows(["cat"], [1]), "not a detector"),
        (DETECTION, cloud_rows(["cat"], [1], [[0, 0, float("nan"), 1]]), "not finite"),
        (DETECTION, cloud_rows(["cat"], [1], [[0, 0, float("inf"), 1]]), "not finite"),
    ],
)
def test_an_answer_of_another_task_is_refused_with_the_reason(task, rows, words):
    with pytest.raises(WrongCloudAnswer, match=words):
        task.read_cloud(rows)


# TensorFlow Serving


def test_a_classification_has_the_outputs_of_automls_graph():
    found = CLASSIFICATION.tf_serving_outputs(classified(0.25, 0.5, 0.25), CLASSES, (224, 224))
    assert found == {"labels": list(LABELS), "scores": [0.25, 0.5, 0.25]}
    signature = CLASSIFICATION.tf_serving_signature(CLASSES)
    assert signature == {"labels": ("DT_STRING", (-1, 3)), "scores": ("DT_FLOAT", (-1, 3))}


def test_a_detection_has_the_outputs_of_automls_graph_padded_to_its_capacity():
    found = DETECTION.tf_serving_outputs(
        detected((2, 0.75), (0, 0.5), capacity=3), CLASSES, (192, 320)
    )
    assert found["num_detections"] == 2.0
    assert found["detection_classes"] == [3.0, 1.0, 0.0]
    assert found["detection_scores"] == [0.75, 0.5, 0.0]
    assert found["detection_classes_as_text"] == ["cow", "cat", ""]
    assert found["detection_multiclass_scores"] == [[0, 0, 0, 0.75], [0, 0.5, 0, 0], [0] * 4]
    first, _, padding = found["detection_boxes"]
    np.testing.assert_allclose(first, [0.05, 0.0, 0.9, 0.1], atol=1e-6)  # y before x
    assert padding == [0, 0, 0, 0]
    assert found["image_info"] == [192, 320, 1, 0, 192, 320]


@pytest.mark.parametrize("index", [-1, 3])
def test_an_unknown_class_has_no_column_among_the_scores_of_classes(index):
    found = detected((0, 0.5))
    found = Detections(found.boxes, np.array([index]), found.scores, ("unknown",), 1)
    outputs = DETECTION.tf_serving_outputs(found, CLASSES, (0, 0))
    assert outputs["detection_multiclass_scores"] == [[0, 0, 0, 0]]


@pytest.mark.parametrize(
    ("prediction", "rank"),
    [(classified(1, 0, 0), {"labels": 1, "scores": 1}), (detected((0, 0.5), capacity=2), None)],
)
def test_a_signature_describes_the_outputs(prediction, rank):
    task = prediction.task
    outputs = task.tf_serving_outputs(prediction, CLASSES, (4, 4))
    signature = task.tf_serving_signature(CLASSES)
    assert signature.keys() == outputs.keys()
    for name, (_, shape) in signature.items():
        one = np.shape(outputs[name])
        assert len(one) == len(shape) - 1, name
        fixed = [(has, says) for has, says in zip(one, shape[1:], strict=True) if says >= 0]
        assert all(has == says for has, says in fixed), name
    assert rank is None or {name: np.ndim(value) for name, value in outputs.items()} == rank


@pytest.mark.parametrize("prediction", [classified(1, 0, 0), detected((0, 0.5), capacity=2)])
def test_the_outputs_are_json_values(prediction):
    json.dumps(prediction.task.tf_serving_outputs(prediction, CLASSES, (4, 4)))


# Import files


def item(label, score, **more):
    return {"label": label, "score": score, **more}


BOX = {"x_min": 0.1, "y_min": 0.2, "x_max": 0.3, "y_max": 0.4}


@pytest.mark.parametrize(
    ("task", "multi_label", "file"),
    [
        (CLASSIFICATION, False, "classification"),
        (CLASSIFICATION, True, "classification_multi_label"),
        (DETECTION, False, "detection"),
        (DETECTION, True, "detection"),
    ],
)
def test_an_import_file_is_named_after_its_schema(task, multi_label, file):
    assert task.import_file(multi_label=multi_label) == file


@pytest.mark.parametrize(
    ("task", "multi_label", "items", "annotations"),
    [
        (CLASSIFICATION, False, [], {}),
        (
            CLASSIFICATION,
            False,
            [item("cat", 0.4), item("dog", 0.3)],
            {"classificationAnnotation": {"displayName": "cat"}},
        ),
        (CLASSIFICATION, True, [], {}),
        (CLASSIFICATION, True, [item("cat", 0.49)], {}),
        (
            CLASSIFICATION,
            True,
            [item("cat", 0.9), item("dog", 0.5), item("cow", 0.49)],
            {"classificationAnnotations": [{"displayName": "cat"}, {"displayName": "dog"}]},
        ),
        (DETECTION, False, [], {}),
        (
            DETECTION,
            False,
            [item("cat", 0.4, box=BOX)],
            {
                "boundingBoxAnnotations": [
                    {"displayName": "cat", "xMin": 0.1, "yMin": 0.2, "xMax": 0.3, "yMax": 0.4}
                ]
            },
        ),
    ],
)
def test_the_annotations_of_an_import_line_are_those_of_the_task(
    task, multi_label, items, annotations
):
    assert task.import_annotations(items, multi_label=multi_label) == annotations

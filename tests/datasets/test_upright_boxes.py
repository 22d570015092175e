"""Boxes in pixels of COCO and Pascal VOC lie where the upright picture shows their objects."""

from __future__ import annotations

import io

import numpy as np
import pytest
from builders.datasets import put, put_lines
from PIL import Image

from edge.datasets.read import read_data_set, read_with_faults
from edge.errors import DataSetError
from edge.vision.decode import decode

TURNED = range(5, 9)
ALL = range(1, 9)
WIDE = (80, 48)
SQUARE = (64, 64)
LEFT, TOP, RIGHT, BOTTOM = 8, 4, 28, 12
"""Pixels of the one object on the stored picture."""


def stored_picture(size, orientation):
    """A red object on grey, with an EXIF orientation."""
    image = Image.new("RGB", size, (90, 90, 90))
    image.paste((255, 0, 0), (LEFT, TOP, RIGHT, BOTTOM))
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    return file.getvalue()


def object_in_upright(content):
    """Where the object is seen in the upright picture, relative."""
    frame = decode(content, max_pixels=10_000)
    pixels = np.asarray(frame.pixels)
    rows, columns = np.nonzero(pixels[:, :, 1] < 40)
    height, width = pixels.shape[:2]
    sides = columns.min() / width, rows.min() / height
    return (*sides, (columns.max() + 1) / width, (rows.max() + 1) / height)


def pixels_of(box, size):
    return [side * size[index % 2] for index, side in enumerate(box)]


def put_coco(root, *pictures):
    """A COCO set; of each picture the content, the stated size, and the box in its pixels."""
    images, annotations = [], []
    for number, (content, (width, height), (left, top, right, bottom)) in enumerate(pictures, 1):
        put(root, f"{number}.png", content=content)
        images.append(
            {"id": number, "file_name": f"{number}.png", "width": width, "height": height}
        )
        box = [left, top, right - left, bottom - top]
        annotations.append({"image_id": number, "category_id": 1, "bbox": box})
    categories = [{"id": 1, "name": "part"}]
    content = {"images": images, "annotations": annotations, "categories": categories}
    put_lines(root / "instances.json", content)
    return root


def put_voc(root, *pictures):
    """The same as Pascal VOC, whose pixels count from 1."""
    for number, (content, (width, height), (left, top, right, bottom)) in enumerate(pictures, 1):
        put(root, f"{number}.png", content=content)
        put_lines(
            root / f"{number}.xml",
            f"<annotation><size><width>{width:g}</width><height>{height:g}</height></size>"
            f"<object><name>part</name><bndbox><xmin>{left + 1:g}</xmin><ymin>{top + 1:g}</ymin>"
            f"<xmax>{right:g}</xmax><ymax>{bottom:g}</ymax></bndbox></object></annotation>",
        )
    return root


def on_stored(size, orientation):
    return stored_picture(size, orientation), size, (LEFT, TOP, RIGHT, BOTTOM)


def on_upright(size, orientation):
    content = stored_picture(size, orientation)
    shown = size[::-1] if orientation in TURNED else size
    return content, shown, pixels_of(object_in_upright(content), shown)


def assert_right(data_set):
    for example in data_set.examples:
        (box,) = example.boxes
        assert box.box == pytest.approx(object_in_upright(example.image.read_bytes()), abs=1e-6)


@pytest.mark.parametrize("put_set", [put_coco, put_voc])
@pytest.mark.parametrize("draw", [on_stored, on_upright])
def test_the_sides_tell_what_boxes_were_drawn_on(tmp_path, put_set, draw):
    pictures = [draw(WIDE, orientation) for orientation in ALL]
    pictures += [draw(SQUARE, orientation) for orientation in ALL]  # these alone would not tell
    data_set = read_data_set(put_set(tmp_path, *pictures))
    assert len(data_set.examples) == 16
    assert data_set.notes == ()
    assert_right(data_set)


@pytest.mark.parametrize("draw", [on_stored, on_upright])
def test_a_picture_that_was_made_smaller_since_keeps_its_boxes(tmp_path, draw):
    pictures = []
    for orientation in ALL:
        content, (width, height), box = draw(WIDE, orientation)
        pictures.append((content, (width * 10, height * 10), [10 * side for side in box]))
    assert_right(read_data_set(put_coco(tmp_path, *pictures)))


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_where_nothing_tells_the_upright_picture_is_assumed_and_that_is_said(tmp_path, orientation):
    data_set = read_data_set(put_coco(tmp_path, on_upright(WIDE, orientation)))
    assert_right(data_set)
    (note,) = data_set.notes
    assert "1 picture is turned or mirrored by EXIF" in note


def test_two_tools_in_one_set_tell_nothing_of_the_third_picture(tmp_path):
    pictures = on_stored(WIDE, 6), on_upright(WIDE, 8), on_upright(WIDE, 3)
    data_set = read_data_set(put_coco(tmp_path, *pictures))
    assert len(data_set.notes) == 1
    assert_right(data_set)


@pytest.mark.parametrize(
    ("orientation", "stated"), [(1, WIDE[::-1]), (6, (100, 100)), (3, WIDE[::-1])]
)
def test_a_picture_that_was_turned_after_its_boxes_were_drawn_is_refused(
    tmp_path, orientation, stated
):
    root = put_coco(tmp_path, (stored_picture(WIDE, orientation), stated, (8, 4, 28, 12)))
    with pytest.raises(DataSetError) as refused:
        read_data_set(root)
    (fault,) = refused.value.faults
    assert fault.startswith("instances.json, image 1: The boxes were drawn on a picture of")
    assert "80 x 48" in fault


def test_a_picture_that_was_stretched_since_keeps_its_boxes(tmp_path):
    root = put_coco(tmp_path, (stored_picture(SQUARE, 1), (640, 480), (64, 48, 128, 96)))
    (example,) = read_data_set(root).examples
    assert example.boxes[0].box == pytest.approx((0.1, 0.1, 0.2, 0.2))


def test_a_broken_picture_is_left_to_those_who_decode_it(tmp_path):
    root = put_coco(tmp_path, (b"no picture", WIDE, (8, 4, 28, 12)))
    assert len(read_with_faults(root).data_set.examples) == 1

"""The part of a SavedModel's graph that decodes and stretches pictures, one by one.

Pictures of a batch may have different sizes, so each is stretched before they are stacked. What is
computed is what `tf.map_fn` does with `tf.io.decode_image(channels=3, expand_animations=False)`,
`tf.image.resize(antialias=True)`, and (x - mean) / std. A picture that cannot be decoded fails its
whole batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from edge.export.saved_model_schema import DataType
from edge.training.graph_builder import FunctionBuilder

if TYPE_CHECKING:
    from edge.training.graph_builder import GraphBuilder

_CHANNELS: Final = 3
_LOOP: Final = {
    "index": DataType.INT32,
    "count": DataType.INT32,
    "images": DataType.STRING,
    "pixels": DataType.VARIANT,
}
"""What goes through the loop: the picture's number, how many there are, all encoded pictures, and
the list of their pixels, which grows."""


def add_picture_loop(
    graph: GraphBuilder,
    images: str,
    count: str,
    size: tuple[int, int],
    normalisation: tuple[float, float],
) -> str:
    """Add the loop to a graph.

    Args:
        images: encoded, string [N].
        count: N, int32.
        size: height and width in pixels.
        normalisation: mean and std: pixels become (byte - mean) / std.

    Returns:
        Pixels float32 [N, height, width, 3].
    """
    first = graph.constant("pictures/first", np.int32(0))
    shape = graph.constant("pictures/shape", np.array([*size, _CHANNELS], np.int32))
    empty = graph.node(
        "pictures/empty",
        "TensorListReserve",
        [shape, count],
        element_dtype=DataType.FLOAT,
        shape_type=DataType.INT32,
    )
    graph.node(
        "pictures",
        "StatelessWhile",
        [first, count, images, empty],
        T=tuple(_LOOP.values()),
        cond=graph.add_function(_condition()),
        body=graph.add_function(_body(size, normalisation)),
        _lower_using_switch_merge=True,  # as TensorFlow writes loops: pictures decode in parallel
    )
    filled = f"pictures:{list(_LOOP).index('pixels')}"
    return graph.node("pixels", "TensorListStack", [filled, shape], element_dtype=DataType.FLOAT)


def _condition() -> FunctionBuilder:
    function = FunctionBuilder("is_picture_left", _LOOP)
    is_left = function.node("is_left", "Less", ["index", "count"], T=DataType.INT32)
    function.add_result("result", DataType.BOOL, is_left)
    return function


def _body(size: tuple[int, int], normalisation: tuple[float, float]) -> FunctionBuilder:
    function = FunctionBuilder("read_picture", _LOOP)
    axis = function.constant("axis", np.int32(0))
    encoded = function.node(
        "encoded",
        "GatherV2",
        ["images", "index", axis],
        Tparams=DataType.STRING,
        Tindices=DataType.INT32,
        Taxis=DataType.INT32,
    )
    decoded = function.node(
        "decoded", "DecodeImage", [encoded], channels=_CHANNELS, expand_animations=False
    )
    stretched = _add_stretch(function, decoded, size)
    mean, std = (
        function.constant(name, np.float32(value))
        for name, value in zip(("mean", "std"), normalisation, strict=True)
    )
    centred = function.node("centred", "Sub", [stretched, mean], T=DataType.FLOAT)
    normalised = function.node("normalised", "RealDiv", [centred, std], T=DataType.FLOAT)
    longer = function.node(
        "longer",
        "TensorListSetItem",
        ["pixels", "index", normalised],
        element_dtype=DataType.FLOAT,
    )
    one = function.constant("one", np.int32(1))
    following = function.node("following", "AddV2", ["index", one], T=DataType.INT32)
    results = {"index": following, "count": "count", "images": "images", "pixels": longer}
    for name, dtype in _LOOP.items():
        function.add_result(f"{name}_out", dtype, results[name])
    return function


def _add_stretch(function: FunctionBuilder, decoded: str, size: tuple[int, int]) -> str:
    """Stretch uint8 pixels, as `tf.image.resize(antialias=True)` does.

    Returns:
        float32 [height, width, 3].
    """
    axis = function.constant("batch_axis", np.int32(0))
    batch = function.node("batch", "ExpandDims", [decoded, axis], T=DataType.UINT8)
    wanted = function.constant("wanted", np.array(size, np.int32))
    shape = function.node("batch_shape", "Shape", [batch], T=DataType.UINT8)
    begin, end, step = (
        function.constant(f"given_{name}", np.array([value], np.int32))
        for name, value in (("begin", 1), ("end", 3), ("step", 1))
    )
    given = function.node(
        "given",
        "StridedSlice",
        [shape, begin, end, step],
        T=DataType.INT32,
        Index=DataType.INT32,
    )
    wanted_sides, given_sides = (
        function.node(f"{name}_sides", "Cast", [tensor], SrcT=DataType.INT32, DstT=DataType.FLOAT)
        for name, tensor in (("wanted", wanted), ("given", given))
    )
    scale = function.node("scale", "RealDiv", [wanted_sides, given_sides], T=DataType.FLOAT)
    nowhere = function.constant("translation", np.zeros(2, np.float32))
    resized = function.node(
        "resized",
        "ScaleAndTranslate",
        [batch, wanted, scale, nowhere],
        T=DataType.UINT8,
        kernel_type="triangle",
        antialias=True,
    )
    return function.node("stretched", "Squeeze", [resized], T=DataType.FLOAT, squeeze_dims=(0,))

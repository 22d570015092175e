"""The part of a SavedModel's graph that computes: normalised pixels to scores."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edge.export.saved_model_schema import DataType
from edge.training.float_layers import Addition, Convolution

if TYPE_CHECKING:
    from edge.training.float_layers import FloatLayers
    from edge.training.graph_builder import GraphBuilder
    from edge.training.head import Head


def add_backbone(graph: GraphBuilder, pixels: str, backbone: FloatLayers) -> str:
    """Add the layers.

    Args:
        pixels: normalised, float32 [N, height, width, 3].

    Returns:
        Features float32 [N, features].
    """
    tensors = {backbone.image: pixels}
    axes = graph.constant("height_and_width", np.array([1, 2], np.int32))
    for number, layer in enumerate(backbone.layers):
        name = f"layer_{number}"
        if isinstance(layer, Convolution):
            result = _add_convolution(graph, name, layer, tensors[layer.source])
        elif isinstance(layer, Addition):
            sources = [tensors[source] for source in layer.sources]
            result = graph.node(f"{name}/sum", "AddV2", sources, T=DataType.FLOAT)
            result = _add_activation(graph, name, layer.activation, result)
        else:
            inputs = [tensors[layer.source], axes]
            result = graph.node(f"{name}/mean", "Mean", inputs, T=DataType.FLOAT)
        tensors[layer.target] = result
    return tensors[backbone.features]


def add_head(graph: GraphBuilder, features: str, head: Head) -> str:
    """Add the last layer; returns scores float32 [N, labels]."""
    weights = graph.constant("head/weights", head.weights.T)
    bias = graph.constant("head/bias", head.bias)
    product = graph.node("head/product", "MatMul", [features, weights], T=DataType.FLOAT)
    logits = graph.node("head/logits", "BiasAdd", [product, bias], T=DataType.FLOAT)
    activation = "Sigmoid" if head.multi_label else "Softmax"
    return graph.node("scores", activation, [logits], T=DataType.FLOAT)


def _add_convolution(graph: GraphBuilder, name: str, layer: Convolution, source: str) -> str:
    kernel = graph.constant(f"{name}/kernel", layer.kernel)
    bias = graph.constant(f"{name}/bias", layer.bias)
    convolved = graph.node(
        f"{name}/convolution",
        "DepthwiseConv2dNative" if layer.is_depthwise else "Conv2D",
        [source, kernel],
        T=DataType.FLOAT,
        strides=(1, *layer.strides, 1),
        padding=layer.padding,
    )
    result = graph.node(f"{name}/sum", "BiasAdd", [convolved, bias], T=DataType.FLOAT)
    return _add_activation(graph, name, layer.activation, result)


def _add_activation(graph: GraphBuilder, name: str, activation: str, source: str) -> str:
    if not activation:
        return source
    return graph.node(f"{name}/activation", activation, [source], T=DataType.FLOAT)

"""The model as an ONNX graph: EfficientNet-Lite0 up to its features, and a logistic regression on them.

The graph takes pictures as they are decoded (`uint8`, 224 x 224, RGB), so that a server needs only ONNX Runtime.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 224
FEATURES = 1280
# What the weights were trained with.
_MEAN, _SCALE, _EPSILON = 127.0, 128.0, 1e-3
# EfficientNet-Lite0's stages: blocks, stride of the first block, and size of the kernel.
_STAGES = ((1, 1, 3), (2, 2, 3), (2, 2, 5), (3, 2, 3), (3, 1, 5), (4, 2, 5), (1, 1, 3))
_OPSET = 17


@dataclass(frozen=True)
class Classifier:
    """A logistic regression on scaled features: `sigmoid((features - mean) / scale @ weights + bias)`."""

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: float

    def folded(self) -> tuple[np.ndarray, np.ndarray]:
        """Return weights and bias for features that are not scaled."""
        weights = self.weights / self.scale
        return weights, self.bias - float(self.mean @ weights)


def build(weights: dict[str, np.ndarray], classifier: Classifier | None = None) -> onnx.ModelProto:
    """Return the graph of the features (`features`) or, with a classifier, of the probability (`probability`)."""
    graph = _Graph(weights)
    value = graph.node("Cast", ["image"], to=TensorProto.FLOAT)
    value = graph.node("Transpose", [value], perm=[0, 3, 1, 2])
    value = graph.node("Sub", [value, graph.constant("mean", np.float32(_MEAN))])
    value = graph.node("Div", [value, graph.constant("scale", np.float32(_SCALE))])
    value = graph.convolution(value, "_conv_stem", "_bn0", stride=2)
    for block, stride, kernel in _blocks():
        value = _block(graph, value, f"_blocks.{block}", stride, kernel)
    value = graph.convolution(value, "_conv_head", "_bn1")
    value = graph.node("GlobalAveragePool", [value])
    output, shape = "features", ["count", FEATURES]
    if classifier is None:
        graph.node("Flatten", [value], output)
    else:
        output, shape = "probability", ["count"]
        folded, bias = classifier.folded()
        value = graph.node("Flatten", [value])
        value = graph.node("MatMul", [value, graph.constant("head", folded.astype(np.float32))])
        value = graph.node("Add", [value, graph.constant("bias", np.float32(bias))])
        graph.node("Sigmoid", [value], output)
    return graph.model(output, shape)


def _blocks() -> Iterator[tuple[int, int, int]]:
    """Yield the number, stride and kernel size of each block."""
    number = 0
    for count, stride, kernel in _STAGES:
        for position in range(count):
            yield number, stride if position == 0 else 1, kernel
            number += 1


def _block(graph: "_Graph", value: str, name: str, stride: int, kernel: int) -> str:
    """Add an inverted residual block: expand, filter each channel, project, and add the input if the shapes agree."""
    start, channels = value, 0
    if f"{name}._expand_conv.weight" in graph.weights:
        channels = graph.weights[f"{name}._expand_conv.weight"].shape[1]
        value = graph.convolution(value, f"{name}._expand_conv", f"{name}._bn0")
    value = graph.convolution(value, f"{name}._depthwise_conv", f"{name}._bn1", stride=stride, per_channel=True)
    value = graph.convolution(value, f"{name}._project_conv", f"{name}._bn2", activate=False)
    if stride == 1 and graph.weights[f"{name}._project_conv.weight"].shape[0] == channels:
        value = graph.node("Add", [value, start])
    return value


class _Graph:
    """A graph under construction. Its methods return the name of the value that they add."""

    def __init__(self, weights: dict[str, np.ndarray]) -> None:
        self.weights = weights
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []

    def node(self, kind: str, inputs: list[str], output: str = "", **attributes: object) -> str:
        output = output or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def convolution(
        self, value: str, name: str, norm: str, *, stride: int = 1, per_channel: bool = False, activate: bool = True
    ) -> str:
        """Add a convolution into which its batch normalisation is folded, and ReLU6."""
        kernel = self.weights[f"{name}.weight"]
        factor = self.weights[f"{norm}.weight"] / np.sqrt(self.weights[f"{norm}.running_var"] + _EPSILON)
        bias = self.weights[f"{norm}.bias"] - self.weights[f"{norm}.running_mean"] * factor
        inputs = [
            value,
            self.constant(f"{name}.weight", (kernel * factor[:, None, None, None]).astype(np.float32)),
            self.constant(f"{name}.bias", bias.astype(np.float32)),
        ]
        value = self.node(
            "Conv", inputs, auto_pad="SAME_UPPER", strides=[stride, stride], group=len(kernel) if per_channel else 1
        )
        if not activate:
            return value
        if not any(each.name == "six" for each in self._constants):
            self.constant("zero", np.float32(0))
            self.constant("six", np.float32(6))
        return self.node("Clip", [value, "zero", "six"])

    def model(self, output: str, shape: list[object]) -> onnx.ModelProto:
        picture = helper.make_tensor_value_info("image", TensorProto.UINT8, ["count", SIDE, SIDE, 3])
        found = helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self._nodes, "tacos-burritos", [picture], [found], self._constants)
        opset = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, opset_imports=opset, ir_version=9, producer_name="tacos-burritos")
        onnx.checker.check_model(model)
        return model

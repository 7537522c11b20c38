"""The open liveness models as teachers: the minivision pair to compare with, and its 2.7 half, which sees the student's very crop, to learn from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper

from .crops import scaled_box
from .data import SHARED
from .measuring import session

HALVES = (("pad_minifasnet_v2_2.7_80x80.onnx", 2.7), ("pad_minifasnet_v1se_4.0_80x80.onnx", 4.0))
LIVE = 1
HINTS = 128  # the width of its last layer but one
FEATURES = "/bn/BatchNormalization_output_0"


def probability(logits: np.ndarray) -> np.ndarray:
    """P(live) of rows of logits."""
    e = np.exp(logits - logits.max(1, keepdims=True))
    return e[:, LIVE] / e.sum(1)


class Pair:
    """The mean P(live) of both halves, as the open pack runs them."""

    def __init__(self, shared: Path = SHARED):
        self.nets = [(session(shared / "models" / "open" / f), s) for f, s in HALVES]

    def __call__(self, frame: np.ndarray, box: np.ndarray) -> float:
        total = 0.0
        for net, scale in self.nets:
            crop = scaled_box(frame, box, scale, 80).transpose(2, 0, 1)[None].astype(np.float32)
            total += float(probability(net.run(None, {net.get_inputs()[0].name: crop})[0])[0]) / len(self.nets)
        return total


class Teacher:
    """P(live) and features of a batch of 2.7 crops."""

    def __init__(self, shared: Path = SHARED):
        model = onnx.load(shared / "models" / "open" / HALVES[0][0])
        for value in (model.graph.input[0], model.graph.output[0]):
            value.type.tensor_type.shape.dim[0].dim_param = "n"
        # The file flattens to one row, whatever comes in.
        shapes = {n.input[1] for n in model.graph.node if n.op_type == "Reshape"}
        for node in model.graph.node:
            if node.op_type == "Constant" and node.output[0] in shapes:
                node.attribute[0].t.CopyFrom(numpy_helper.from_array(np.array([-1, 512], np.int64)))
        model.graph.output.append(onnx.helper.make_tensor_value_info(FEATURES, onnx.TensorProto.FLOAT, ["n", HINTS]))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.net = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def __call__(self, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x = np.ascontiguousarray(crops.transpose(0, 3, 1, 2)).astype(np.float32)
        logits, features = self.net.run(["logits", FEATURES], {"input": x})
        return probability(logits), features

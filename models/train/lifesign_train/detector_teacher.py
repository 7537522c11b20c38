"""YuNet as a teacher: its raw maps and its neck's features for a batch of any size, and the hints that a student learns from them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

from .data import SHARED
from .detector_net import STRIDES

FILE = "face_detection_yunet_2023mar.onnx"
WIDTH = 64  # channels of YuNet's neck
# How much a cell away from every face counts in the hints against one on a face.
ELSEWHERE = 0.1


def cut(model: onnx.ModelProto) -> tuple[onnx.ModelProto, list[str]]:
    """The net up to its head's convolutions, for any batch and size; outputs cls, obj, bbox, kps per stride, then the neck's features.

    The published file flattens its maps with fixed shapes; what lies behind the last convolutions goes.
    """
    graph = model.graph
    made = {name: node for node in graph.node for name in node.output}

    def source(name: str, kind: str) -> onnx.NodeProto:
        """The nearest node of a kind at or before an output."""
        node = made[name]
        while node.op_type != kind:
            node = made[node.input[0]]
        return node

    last = {f"{kind}_{s}": source(f"{kind}_{s}", "Conv") for kind in ("cls", "obj", "bbox", "kps") for s in STRIDES}
    names = [node.output[0] for node in last.values()]
    # A head is two convolutions, 1x1 and depthwise, on the neck's map.
    names += [made[last[f"cls_{s}"].input[0]].input[0] for s in STRIDES]
    wanted, kept = set(names), []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            kept.insert(0, node)
            wanted |= set(node.input)
    initial = [i for i in graph.initializer if i.name in wanted]
    for field, items in ((graph.node, kept), (graph.initializer, initial), (graph.value_info, []),
                         (graph.output, [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in names])):
        del field[:]
        field.extend(items)
    for axis, name in ((0, "n"), (2, "h"), (3, "w")):
        dim = graph.input[0].type.tensor_type.shape.dim[axis]
        dim.ClearField("dim_value")
        dim.dim_param = name
    return model, names


class Teacher:
    """Called with pictures [n, 3, size, size], BGR 0..255: scores [n, cells, 2], boxes [n, cells, 4] as cx, cy, w, h in pixels, features per stride."""

    def __init__(self, shared: Path = SHARED):
        model, self.names = cut(onnx.load(shared / "models" / "open" / FILE))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 3
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.net = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])

    def __call__(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
        maps = self.net.run(self.names, {"input": pictures.cpu().numpy().astype(np.float32)})
        flat = [m.transpose(0, 2, 3, 1).reshape(len(m), -1, m.shape[1]) for m in maps[:12]]
        scores, boxes = [], []
        for level, stride in enumerate(STRIDES):
            n = maps[level].shape[-1]
            cells = np.arange(maps[level].shape[-2] * n)
            corner = np.stack([cells % n, cells // n], 1)
            logits = np.concatenate([flat[level], flat[3 + level]], 2)
            scores.append(1 / (1 + np.exp(-logits)))
            box = flat[6 + level]
            boxes.append(np.concatenate([(corner + box[..., :2]) * stride, np.exp(np.minimum(box[..., 2:], 6)) * stride], 2))
        device = pictures.device
        to = lambda a: torch.from_numpy(np.ascontiguousarray(a, np.float32)).to(device)
        return to(np.concatenate(scores, 1)), to(np.concatenate(boxes, 1)), [to(m) for m in maps[12:]]


def as_detector(teacher: Teacher) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """The teacher as `yunet.detect` calls a net, for one picture of any size."""

    def run(x: np.ndarray) -> dict[str, np.ndarray]:
        maps = teacher.net.run(teacher.names, {"input": x})[:12]
        flat = [m.transpose(0, 2, 3, 1).reshape(1, -1, m.shape[1]) for m in maps]
        names = [f"{kind}_{s}" for kind in ("cls", "obj", "bbox", "kps") for s in STRIDES]
        return {name: 1 / (1 + np.exp(-m)) if name[:3] in ("cls", "obj") else m for name, m in zip(names, flat)}

    return run


class Hinted(nn.Module):
    """The student with adapters to the teacher's features (FitNets: Romero et al., ICLR 2015). Only the student is exported."""

    def __init__(self, student: nn.Module, width: int = 64):
        super().__init__()
        self.student = student
        self.adapt = nn.ModuleList([nn.Conv2d(width, WIDTH, 1) for _ in STRIDES])

    def forward(self, x: torch.Tensor) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        features = self.student.features(x)
        return self.student.head(features), [a(f) for a, f in zip(self.adapt, features)]


def hint_loss(mine: list[torch.Tensor], theirs: list[torch.Tensor], on_face: torch.Tensor) -> torch.Tensor:
    """Squared distance of the features over their variance; `on_face` [n, cells] says which cells lie on a face."""
    total, begin = torch.zeros((), device=on_face.device), 0
    for m, t in zip(mine, theirs):
        n, _, h, w = m.shape
        weight = on_face[:, begin:begin + h * w].reshape(n, 1, h, w).float() * (1 - ELSEWHERE) + ELSEWHERE
        begin += h * w
        spread = t.var(dim=(0, 2, 3), keepdim=True).mean() + 1e-6
        total = total + ((m.float() - t).square() * weight).sum() / (weight.sum() * m.shape[1]) / spread
    return total / len(mine)

"""ONNX export: batch norm folded, static shapes, opset 13, weights inline; then checked against PyTorch."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

OPSET = 13
TOLERANCE = 2e-4
# What ONNX Runtime and rten both run, and nothing more.
OPERATORS = {"Conv", "Relu", "Clip", "Sigmoid", "Add", "Mul", "Concat", "Resize", "MaxPool", "AveragePool", "GlobalAveragePool",
             "Reshape", "Transpose", "Softmax", "Gemm", "Flatten", "Slice", "Constant"}


def folded(net: nn.Module) -> nn.Module:
    """A copy in which every convolution followed by a batch norm is one convolution."""
    net = copy.deepcopy(net).eval()

    def fold(module: nn.Module) -> None:
        for child in module.children():
            fold(child)
        if isinstance(module, nn.Sequential):
            layers = list(module.named_children())
            for (_, first), (name, second) in zip(layers, layers[1:]):
                if isinstance(first, nn.Conv2d) and isinstance(second, nn.BatchNorm2d):
                    fused = fuse_conv_bn_eval(first, second)
                    first.weight, first.bias = fused.weight, fused.bias
                    module._modules[name] = nn.Identity()
    fold(net)
    return net


def without_identities(model: onnx.ModelProto) -> None:
    """Removes the Identity nodes by which the exporter shares equal initialisers; readers take the shared one directly."""
    alias = {n.output[0]: n.input[0] for n in model.graph.node if n.op_type == "Identity"}
    outputs = {o.name for o in model.graph.output}
    if outputs & alias.keys():
        raise ValueError("an output is an Identity")
    kept = [n for n in model.graph.node if n.op_type != "Identity"]
    for node in kept:
        for k, name in enumerate(node.input):
            while name in alias:
                name = alias[name]
            node.input[k] = name
    del model.graph.node[:]
    model.graph.node.extend(kept)


def parameters(path: Path) -> int:
    """Numbers in the file's initialisers."""
    return sum(int(np.prod(t.dims)) for t in onnx.load(path).graph.initializer)


def export(net: nn.Module, path: Path, size: int, outputs: list[str]) -> float:
    """Writes the net and returns the greatest difference between ONNX Runtime and PyTorch, relative to the outputs' range."""
    path.parent.mkdir(parents=True, exist_ok=True)
    x = torch.from_numpy(np.random.default_rng(3).uniform(-2, 2, (1, 3, size, size)).astype(np.float32))
    torch.onnx.export(net, (x,), str(path), input_names=["input"], output_names=outputs, opset_version=OPSET, dynamo=False, do_constant_folding=True)
    model = onnx.load(path)
    without_identities(model)
    for node in model.graph.node:
        node.doc_string = ""
    # Scratch names of the exporter would make the file, and so its hash, differ between runs of one net.
    model.producer_version = ""
    onnx.checker.check_model(model)
    onnx.save(model, path)
    used = {node.op_type for node in model.graph.node}
    if used - OPERATORS:
        raise ValueError(f"{path.name} needs operators outside the agreed set: {sorted(used - OPERATORS)}")
    if model.ir_version > 10:
        raise ValueError(f"{path.name} has IR version {model.ir_version}, at most 10 is agreed")
    with torch.no_grad():
        want = net(x)
    want = list(want) if isinstance(want, tuple) else [want]
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    worst = 0.0
    for got, w in zip(session.run(outputs, {"input": x.numpy()}), want):
        if list(got.shape) != list(w.shape):
            raise ValueError(f"{path.name}: shape {got.shape} against {tuple(w.shape)}")
        worst = max(worst, float(np.abs(got - w.numpy()).max()) / max(1.0, float(np.abs(w.numpy()).max())))
    if worst > TOLERANCE:
        raise ValueError(f"{path.name}: ONNX Runtime differs from PyTorch by {worst:.2e}, at most {TOLERANCE:.0e} is allowed")
    print(f"{path.name}: {parameters(path)} parameters, {path.stat().st_size} bytes, differs from PyTorch by {worst:.1e}; operators {sorted(used)}", flush=True)
    return worst

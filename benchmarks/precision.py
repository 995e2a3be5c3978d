"""`make bench-choices`: float64 in the graph: the error of float32, and the cost of float64 and of the gate.

Compares the probabilities of the official test images, in float32 by torch, in float32 by onnxruntime, and by the
published graph, with an exact computation; and times the graphs on one thread, and the published one without its gate.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import torch
from numpy.typing import NDArray
from onnx import TensorProto, numpy_helper

from training.data.encoders import ImageEncoder
from training.data.sources import fashion_mnist
from training.data.sources.fetch import fetch, locate
from training.fitting.regression import SoftmaxRegression

ROUNDS = 7
Run = Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def narrowed(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with every float64 step in float32."""
    narrow = onnx.ModelProto()
    narrow.CopyFrom(proto)
    for tensor in narrow.graph.initializer:
        if tensor.data_type == TensorProto.DOUBLE:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), tensor.name))
    for node in narrow.graph.node:
        for attribute in node.attribute:
            if node.op_type == "Cast" and attribute.name == "to":
                attribute.i = TensorProto.FLOAT
    return narrow


def ungated(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph without `ood_score` and the nodes behind it."""
    return onnx.utils.Extractor(proto).extract_model(["images"], ["probabilities", "confidence"])


def session(proto: onnx.ModelProto) -> Run:
    """The graph on one thread, as a function from images to probabilities. Each call computes all outputs."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    loaded = ort.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda images: loaded.run(None, {"images": images})[0]


def seconds(run: Run, images: NDArray[np.uint8], repeats: int) -> float:
    """Mean time of a call."""
    start = time.perf_counter()
    for _ in range(repeats):
        run(images)
    return (time.perf_counter() - start) / repeats


def main(path: Path) -> None:
    """Measure and print."""
    images = fashion_mnist.load(locate(None) or fetch(print)).test.inputs
    encoder = ImageEncoder(fashion_mnist.INPUT)
    proto = onnx.load(path)
    stored = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in proto.graph.initializer}
    weights = stored["columns"].double() @ stored["logit_parts"] * encoder.full_scale  # divided by the temperature
    wide = SoftmaxRegression(weights, stored["biases"].double() / stored["temperature"])
    model = wide.to(dtype=torch.float32)
    exact = wide.probabilities(encoder.features(images, torch.float64)).numpy()
    graphs = {
        "float32": session(narrowed(proto)),
        "float64": session(proto),
        "float64 without the gate": session(ungated(proto)),
    }

    print("largest difference in a probability from the exact one, 10,000 official test images:")
    single = model.probabilities(encoder.features(images)).numpy()
    print(f"  torch, float32        {np.abs(single - exact).max():.1e}")
    for name in ("float32", "float64"):
        run = graphs[name]
        print(f"  onnxruntime, {name}  {np.abs(run(images) - exact).max():.1e}")
    print(f"time of a call, one thread, median of {ROUNDS} rounds in turn:")
    for count, repeats in ((1, 5000), (1024, 50)):
        times: dict[str, list[float]] = {name: [] for name in graphs}
        for _ in range(ROUNDS):
            for name, run in graphs.items():
                times[name].append(seconds(run, images[:count], repeats))
        shown = ", ".join(f"{name} {statistics.median(values) * 1e6:.1f} us" for name, values in times.items())
        print(f"  {count} images: {shown}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

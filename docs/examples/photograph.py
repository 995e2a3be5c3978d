"""Draw what a model sees of a photograph: `python -m docs.examples.photograph MODEL [PICTURE]`.

The photograph is made of Fashion-MNIST's first test image, an ankle boot: enlarged, dark on light, with a
margin. Beside it is what the model is given with `resize`, and with `resize` and `invert`, and what it answers.
"""

import io
import sys
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from service.contract.errors import InvalidValue
from service.contract.inputs import ImageInput
from service.inference.classifier import Classifier
from service.inference.readers.images import ImageReader
from service.inference.readers.picture_options import PictureOptions
from training.data.sources import fashion_mnist
from training.data.sources.fetch import fetch, locate

OPTIONS: tuple[dict[str, bool], ...] = ({}, {"resize": True}, {"resize": True, "invert": True})


def photograph() -> Image.Image:
    """262 x 262, RGB: the table is light grey, and lighter to the right."""
    boot = fashion_mnist.load(locate(None) or fetch(sys.stderr.write)).test.inputs[0]
    light = np.array(Image.fromarray(boot).resize((250, 250), Image.Resampling.BICUBIC), np.float64)
    table = np.tile(np.linspace(240, 252, 262), (262, 1))
    table[6:256, 6:256] *= 1 - 0.9 * light / 255
    return Image.fromarray(np.rint(table).astype(np.uint8)).convert("RGB")


def draw(model: Path, picture: Path) -> None:
    """Write the picture and print the answers."""
    classifier = Classifier.load(model)
    kind = classifier.manifest.input
    assert isinstance(kind, ImageInput)
    sent = photograph()
    stream = io.BytesIO()
    sent.save(stream, "PNG")
    figure = Figure(figsize=(9, 2.9), layout="constrained")
    left, *others = figure.subplots(1, 1 + len(OPTIONS))
    left.imshow(sent)
    left.set_title("sent", fontsize=9)
    for axes, options in zip(others, OPTIONS, strict=True):
        axes.set_title("&".join(f"{name}=true" for name in options) or "without options", fontsize=9)
        try:
            reader = ImageReader(kind, 1, 1_000_000, PictureOptions(**options))
            seen = reader.from_body(stream.getvalue(), "image/png")
        except InvalidValue as error:
            axes.text(0.5, 0.5, "422: refused", ha="center", transform=axes.transAxes, fontsize=9)
            sys.stdout.write(f"{options}: {error}\n")
            continue
        scores = classifier.scores(seen)
        label = classifier.manifest.labels[int(scores.probabilities[0].argmax())]
        answer = f"{label} {scores.confidence[0]:.3f}, ood_score {scores.ood_score[0]:.3g}"
        axes.imshow(seen[0], cmap="gray", vmin=0, vmax=255)
        axes.set_xlabel(answer.replace(", ", "\n"), fontsize=9)
        sys.stdout.write(f"{options}: {answer}\n")
    for axes in (left, *others):
        axes.set_xticks([])
        axes.set_yticks([])
    figure.savefig(picture, dpi=110)


if __name__ == "__main__":
    draw(Path(sys.argv[1]), Path(sys.argv[2] if len(sys.argv) > 2 else "docs/pictures/photograph.png"))

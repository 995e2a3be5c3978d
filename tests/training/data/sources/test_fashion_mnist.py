"""Fashion-MNIST: its content, and the message for a wrong file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.server import ROOT
from training.data.dataset import Dataset
from training.data.sources import fashion_mnist
from training.errors import DataError


def test_data_match_the_paper(dataset: Dataset) -> None:
    assert (dataset.train.inputs.shape, dataset.test.inputs.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert dataset.train.inputs.dtype == np.uint8
    assert dataset.train.labels.dtype == np.int64
    assert np.bincount(dataset.train.labels).tolist() == [6000] * 10
    assert np.bincount(dataset.test.labels).tolist() == [1000] * 10
    assert dataset.classes[dataset.test.labels[0]] == "Ankle boot"


def test_picture_in_the_docs_is_the_first_official_test_image(dataset: Dataset) -> None:
    with Image.open(ROOT / "docs" / "ankle-boot.png") as picture:
        np.testing.assert_array_equal(np.asarray(picture), dataset.test.inputs[0])


@pytest.mark.parametrize("broken", fashion_mnist.FILES, ids=lambda file: file.name)
def test_wrong_file_is_named_with_a_remedy(data_folder: Path, tmp_path: Path, broken: object) -> None:
    for file in fashion_mnist.FILES:
        source = file.find(data_folder)
        assert source is not None
        if file is broken:
            (tmp_path / source.name).write_bytes(source.read_bytes()[:-100])
        else:
            (tmp_path / source.name).symlink_to(source)
    with pytest.raises(DataError, match=r"expected a complete gzip file.*`demur fetch --data-dir FOLDER`") as caught:
        fashion_mnist.load(tmp_path)
    assert str(getattr(broken, "name", "")) in str(caught.value)


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz is missing\. Get the data by `demur"):
        fashion_mnist.load(tmp_path)

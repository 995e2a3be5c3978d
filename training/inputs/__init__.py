"""How inputs become features: one encoder for each kind of input, and nothing of the kinds anywhere else."""

from service.inputs import FeaturesInput, ImageInput
from training.data.dataset import Labelled
from training.inputs.encoder import Encoder
from training.inputs.features import FeatureEncoder
from training.inputs.images import ImageEncoder

__all__ = ["Encoder", "FeatureEncoder", "ImageEncoder", "encoder_for"]


def encoder_for(kind: ImageInput | FeaturesInput, train: Labelled) -> Encoder:
    """The encoder of a kind, fitted on the training split where it has anything to fit."""
    match kind:
        case ImageInput():
            return ImageEncoder(kind)
        case FeaturesInput():
            return FeatureEncoder.fit(kind, train.blocks())

"""How inputs become features: one encoder for each kind of input, and nothing of the kinds anywhere else."""

from service.contract.inputs import FeaturesInput, ImageInput, Kind, TokensInput
from training.data.dataset import Labelled
from training.data.encoders.encoder import Encoder
from training.data.encoders.features import FeatureEncoder
from training.data.encoders.images import ImageEncoder
from training.data.encoders.tokens import TokenEncoder

__all__ = ["Encoder", "FeatureEncoder", "ImageEncoder", "TokenEncoder", "encoder_for"]


def encoder_for(kind: Kind, train: Labelled) -> Encoder:
    """The encoder of a kind, fitted on the training split where it has anything to fit."""
    match kind:
        case ImageInput():
            return ImageEncoder(kind)
        case FeaturesInput():
            return FeatureEncoder.fit(kind, train.blocks())
        case TokensInput():
            raise TypeError("the embeddings of tokens are learnt with the weights: they have no encoder beforehand")

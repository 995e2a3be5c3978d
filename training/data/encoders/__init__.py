"""Encoders from inputs to features: one for each kind of input. Only this package distinguishes the kinds."""

from service.contract.inputs import FeaturesInput, ImageInput, Kind, TokensInput
from training.data.dataset import Labelled
from training.data.encoders.encoder import Encoder
from training.data.encoders.features import FeatureEncoder, Scaling
from training.data.encoders.images import ImageEncoder
from training.data.encoders.tokens import TokenEncoder

__all__ = ["Encoder", "FeatureEncoder", "ImageEncoder", "Scaling", "TokenEncoder", "encoder_for"]


def encoder_for(kind: Kind, train: Labelled, scaling: Scaling = "each") -> Encoder:
    """The encoder of a kind, fitted on the training split if it has parameters; `scaling` is that of numbers."""
    match kind:
        case ImageInput():
            return ImageEncoder(kind)
        case FeaturesInput():
            return FeatureEncoder.fit(kind, train.blocks(), scaling)
        case TokensInput():
            raise TypeError("tokens have no encoder before the fit: their embeddings are learnt with the weights")

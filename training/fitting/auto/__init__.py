"""The recipe `auto`: chooses weight decay, lift and augmentation by the loss on examples that a fit has not seen."""

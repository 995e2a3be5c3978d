"""The recipe `auto`: chooses the weight decay, the lift and the augmentation of a fit on data that it is not fitted to."""

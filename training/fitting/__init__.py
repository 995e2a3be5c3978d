"""Fits a softmax regression from scratch: model, gradient, minibatches, checkpoints and worker processes."""

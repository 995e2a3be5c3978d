"""The fit: softmax regression from scratch, its gradient, its minibatches and its workers."""

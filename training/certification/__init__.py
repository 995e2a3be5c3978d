"""When the model may answer: decided on held-out data, with a guarantee for a finite sample."""

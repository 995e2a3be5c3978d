"""The offline half: data -> fit -> export -> proof -> one published `model.onnx`."""

"""The online half: proves one `model.onnx`, then answers over HTTP. Imports neither torch nor `training`."""

__version__ = "0.1.0"

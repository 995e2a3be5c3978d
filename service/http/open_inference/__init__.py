"""The Open Inference Protocol (V2): from the bytes of a request to those of its answer."""

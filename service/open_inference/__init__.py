"""The Open Inference Protocol (V2), without HTTP: from the bytes of a request to those of its answer.

`tensors` are the values on the wire, `request` is what was asked, `outputs` what the model has to say, `infer` the
whole way, `metadata` what the model is.
"""

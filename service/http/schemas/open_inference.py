"""The bodies of `/v2`, for `/openapi.json`; `open_inference/` reads and writes them."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, RootModel


class ServerMetadata(BaseModel):
    """The server."""

    name: str = Field(description="Name of the server.")
    version: str = Field(description="Version of the server.")
    extensions: list[str] = Field(description="The protocol extensions that it supports.")


class Live(BaseModel):
    """Whether the server is live."""

    live: bool = Field(description="The process answers.")


class Ready(Live):
    """Whether the server is ready. `live` is the key of the protocol's text, `ready` the one that clients read."""

    ready: bool = Field(description="A model has passed its proof.")


class ModelReady(BaseModel):
    """Whether a model is ready."""

    name: str = Field(description="Name of the model.")
    ready: bool = Field(description="It has passed its proof.")


class TensorMetadata(BaseModel):
    """An input or output tensor of a model."""

    name: str = Field(description="Name of the tensor.")
    datatype: str = Field(description="The protocol's name of the element type: UINT8, FP32, BOOL, BYTES, ...")
    shape: list[int] = Field(description="-1 is the batch.")


class ModelMetadata(BaseModel):
    """The inputs and outputs of a model."""

    name: str = Field(description="Name of the model.")
    versions: list[str] = Field(description="Its only version.")
    platform: str = Field(description="onnx_onnxv1")
    inputs: list[TensorMetadata] = Field(description="Its only input.")
    outputs: list[TensorMetadata] = Field(description="All outputs that a request may name.")
    properties: dict[str, str] = Field(description="`kind` of the input, and `labels`, one per line.")


class InferInput(BaseModel):
    """A tensor of a request."""

    name: str = Field(description="As in the model's metadata.")
    datatype: str = Field(description="As in the model's metadata.")
    shape: list[Annotated[int, Field(ge=0)]] = Field(description="The batch first.", min_length=1, max_length=8)
    data: list[Any] | None = Field(None, description="The numbers, flat or nested, in row-major order.")
    parameters: dict[str, Any] | None = Field(
        None, description="`binary_data_size`: the number of this tensor's bytes after the JSON, instead of `data`."
    )


class RequestedOutput(BaseModel):
    """A requested output."""

    name: str = Field(description="As in the model's metadata.")
    parameters: dict[str, Any] | None = Field(
        None,
        description="`binary_data`: as bytes after the JSON. `classification`: the k most probable classes, as text.",
    )


class InferRequest(BaseModel):
    """The JSON of an inference request."""

    id: str | None = Field(None, description="Repeated in the answer.")
    parameters: dict[str, Any] | None = Field(
        None,
        description="A policy: `threshold`, `selective_risk`, `reject_cost` or `never_abstain`. `binary_data_output`: "
        "all outputs as bytes after the JSON.",
    )
    inputs: list[InferInput] = Field(description="The model's only input.", min_length=1, max_length=1)
    outputs: list[RequestedOutput] | None = Field(None, description="The requested outputs; all if left out.")


class InferOutput(BaseModel):
    """A tensor of an answer."""

    name: str = Field(description="As in the request.")
    datatype: str = Field(description="As in the model's metadata.")
    shape: list[int] = Field(description="The batch first.")
    data: list[Any] | None = Field(None, description="The values, flat, in row-major order.")
    parameters: dict[str, Any] | None = Field(
        None, description="`binary_data_size`: the number of this tensor's bytes after the JSON, instead of `data`."
    )


class InferResponse(BaseModel):
    """The JSON of an answer to an inference request."""

    model_name: str = Field(description="Name of the model.")
    model_version: str = Field(description="Version of the model.")
    id: str | None = Field(None, description="The id of the request.")
    parameters: dict[str, Any] = Field(description="The policy that was applied.")
    outputs: list[InferOutput] = Field(description="In the order of the request.")


class IndexEntry(BaseModel):
    """A model in the repository."""

    name: str = Field(description="Name of the model.")
    version: str = Field(description="Empty if the model is not ready.")
    state: str = Field(description="READY or UNAVAILABLE.")
    reason: str | None = Field(None, description="Why it is not ready.")


class RepositoryIndex(RootModel[list[IndexEntry]]):
    """Every model, with its state."""


class ProtocolError(BaseModel):
    """An error of the protocol."""

    error: str = Field(description="The value that was sent, and what is allowed.")

"""The wire of `/v2` as `/openapi.json` describes it; `open_inference/` reads and writes it."""

from typing import Annotated, Any

from pydantic import BaseModel, Field, RootModel


class ServerMetadata(BaseModel):
    """What the server is."""

    name: str = Field(description="Of the server.")
    version: str = Field(description="Of the server.")
    extensions: list[str] = Field(description="Which extensions of the protocol it has.")


class Live(BaseModel):
    """Whether the server is live."""

    live: bool = Field(description="The process answers.")


class Ready(Live):
    """Whether the server is ready. `live` is what the protocol's text says, `ready` what clients read."""

    ready: bool = Field(description="A proven model is loaded.")


class ModelReady(BaseModel):
    """Whether a model is ready."""

    name: str = Field(description="Of the model.")
    ready: bool = Field(description="It is proven and answers.")


class TensorMetadata(BaseModel):
    """A tensor that a model takes or gives."""

    name: str = Field(description="Of the tensor.")
    datatype: str = Field(description="As the protocol names it: UINT8, FP32, BOOL, BYTES, ...")
    shape: list[int] = Field(description="-1 is the batch.")


class ModelMetadata(BaseModel):
    """What a model takes and gives."""

    name: str = Field(description="Of the model.")
    versions: list[str] = Field(description="The one that there is.")
    platform: str = Field(description="onnx_onnxv1")
    inputs: list[TensorMetadata] = Field(description="The one that there is.")
    outputs: list[TensorMetadata] = Field(description="All that can be asked for.")
    properties: dict[str, str] = Field(description="`kind` of the input, and `labels`, one a line.")


class InferInput(BaseModel):
    """A tensor of a request."""

    name: str = Field(description="As the model's metadata names it.")
    datatype: str = Field(description="As the model's metadata names it.")
    shape: list[Annotated[int, Field(ge=0)]] = Field(description="The batch first.", min_length=1, max_length=8)
    data: list[Any] | None = Field(None, description="The numbers, flat or nested, in row-major order.")
    parameters: dict[str, Any] | None = Field(
        None, description="`binary_data_size`: how many bytes after the JSON are this tensor's, instead of `data`."
    )


class AskedOutput(BaseModel):
    """An output that is asked for."""

    name: str = Field(description="As the model's metadata names it.")
    parameters: dict[str, Any] | None = Field(
        None, description="`binary_data`: in bytes after the JSON. `classification`: the k likeliest as text."
    )


class InferRequest(BaseModel):
    """The JSON of an inference request."""

    id: str | None = Field(None, description="Comes back in the answer.")
    parameters: dict[str, Any] | None = Field(
        None,
        description="A policy: `threshold`, `selective_risk`, `reject_cost` or `never_abstain`. `binary_data_output`: "
        "all outputs in bytes after the JSON.",
    )
    inputs: list[InferInput] = Field(description="The model's one.", min_length=1, max_length=1)
    outputs: list[AskedOutput] | None = Field(None, description="All of them unless named.")


class InferOutput(BaseModel):
    """A tensor of an answer."""

    name: str = Field(description="As it was asked for.")
    datatype: str = Field(description="As the model's metadata names it.")
    shape: list[int] = Field(description="The batch first.")
    data: list[Any] | None = Field(None, description="The values, flat, in row-major order.")
    parameters: dict[str, Any] | None = Field(
        None, description="`binary_data_size`: how many bytes after the JSON are this tensor's, instead of `data`."
    )


class InferResponse(BaseModel):
    """The JSON of an answer to an inference request."""

    model_name: str = Field(description="Of the model.")
    model_version: str = Field(description="Of the model.")
    id: str | None = Field(None, description="The request's.")
    parameters: dict[str, Any] = Field(description="The policy that decided.")
    outputs: list[InferOutput] = Field(description="In the order that they were asked for.")


class IndexEntry(BaseModel):
    """A model in the repository."""

    name: str = Field(description="Of the model.")
    version: str = Field(description="Empty where it is not ready.")
    state: str = Field(description="READY or UNAVAILABLE.")
    reason: str | None = Field(None, description="Why it is not ready.")


class RepositoryIndex(RootModel[list[IndexEntry]]):
    """Every model, with its state."""


class ProtocolError(BaseModel):
    """Every error of the protocol."""

    error: str = Field(description="What came and what is allowed.")

"""The wire of every error (RFC 9457)."""

from pydantic import BaseModel, Field


class FieldError(BaseModel):
    """One field that is wrong."""

    field: str = Field(description="As the client writes it.")
    detail: str = Field(description="What came and what is allowed.")


class ProblemDetails(BaseModel):
    """Every error's body (RFC 9457)."""

    type: str = Field("about:blank", description="Always this: the status says what kind of error it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What came and what is allowed.")
    request_id: str = Field(description="As in the header X-Request-ID, and in the log.")
    errors: list[FieldError] | None = Field(None, description="The fields that are wrong, where there are any.")

"""The body of every error (RFC 9457)."""

from pydantic import BaseModel, Field


class FieldError(BaseModel):
    """One invalid field."""

    field: str = Field(description="The field, as the client writes it.")
    detail: str = Field(description="The value that was sent, and what is allowed.")


class ProblemDetails(BaseModel):
    """The body of every error (RFC 9457)."""

    type: str = Field("about:blank", description="Always `about:blank`: the status tells the kind of error.")
    title: str = Field(description="The phrase of the status.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="The value that was sent, and what is allowed.")
    request_id: str = Field(description="As in the header X-Request-ID and in the log.")
    errors: list[FieldError] | None = Field(None, description="The invalid fields, if any.")

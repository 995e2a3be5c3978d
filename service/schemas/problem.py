"""The wire of every error (RFC 9457)."""

from pydantic import BaseModel, Field


class FieldError(BaseModel):
    """One field that is wrong."""

    field: str
    detail: str


class ProblemDetails(BaseModel):
    """Every error's body (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str = Field(description="What came and what is allowed.")
    request_id: str
    errors: list[FieldError] | None = Field(None, description="The fields that are wrong, where there are any.")

"""Rules that a schema cannot express, by which the service may refuse a request that its description allows.

Loaded into schemathesis, which reports every refusal of an allowed request. Refusals by these rules are left out,
recognised by the service's message; any other is a fault of the description, or of the service.
"""

import re

import schemathesis
from schemathesis.core.failures import Failure

JSON = "application/json"
# Of JSON bodies, and of all requests.
_RULES = re.compile(
    "|".join(
        (
            "with a JSON body the options belong in the body|a policy is exactly one of",
            # Of this model only.
            "is of model .*, and this is|is not the id of a prediction|is not one of|outputs names",
            "is out of range: 1 to|is certified|are certified|is not certified",
            # JSON Schema's integers include 1.0, and its strings have no meaning.
            "a pixel is an integer from 0 to 255|a pixel is three integers|should be a valid integer",
            "a token is a string, or its number",
            "is not base64|holds [0-9]+ bytes: it must be|is not a readable|is an image of",
            # Numbers in bytes, and options of the standard protocols in `parameters`.
            "binary_data_size|no such field|inputs\\[0\\].(shape|data)",
        )
    )
)


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext,
    failure: Failure,
    case: schemathesis.Case,
    response: schemathesis.Response,
) -> bool:
    """Whether a failure counts."""
    del context
    if type(failure).__name__ == "AcceptedNegativeData" and response.status_code == 413:
        return False  # a refusal too, which schemathesis does not recognise
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    if case.media_type not in (None, JSON) and response.status_code in (400, 413, 415, 422):
        return False  # a schema describes a file as a string of bytes
    return not _RULES.search(response.text)

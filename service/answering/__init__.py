"""From a body to an answer: `predict` reads, scores, decides and writes.

`gathering` scores requests together that come together; `json_answer` and `binary_answer` are the forms of an answer,
`prediction_id` the id that each prediction has. Nothing here knows HTTP but the names of content types.
"""

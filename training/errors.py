"""Errors that stop a training job before it publishes. Each message is one line, for the user."""

from service.contract.errors import DemurError


class TrainingError(DemurError):
    """Base: the job failed, and nothing was published."""


class DataError(TrainingError):
    """The data are missing or wrong. The message names the file, what was expected and how to get it."""


class DivergedError(TrainingError):
    """The loss is NaN or infinite, or too large for any temperature to mend."""


class WorkersError(TrainingError):
    """The processes of one fit do not match, or one of them is lost."""


class CheckpointError(TrainingError):
    """A checkpoint is damaged, belongs to another fit, or cannot be written."""


class ProofError(TrainingError):
    """The exported file does not compute what was trained."""


class GateError(TrainingError):
    """The model is not good enough to be published."""

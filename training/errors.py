"""Why a training job stops without publishing. The text of each is one line, fit to be shown to a user."""

from service.contract.errors import DemurError


class TrainingError(DemurError):
    """Base: the job failed, and nothing was published."""


class DataError(TrainingError):
    """The data are missing or not what they should be; says which file, what was expected and how to get it."""


class DivergedError(TrainingError):
    """The loss is no longer a number, or so large that no temperature mends it."""


class WorkersError(TrainingError):
    """The processes of one fit do not fit together, or one of them is lost."""


class CheckpointError(TrainingError):
    """A checkpoint is damaged, of another fit, or cannot be written."""


class ProofError(TrainingError):
    """The exported file does not compute what was trained."""


class GateError(TrainingError):
    """The model is not good enough to be published."""

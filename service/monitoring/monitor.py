"""The monitor of one served model: its feedback and its drift, compared with the promises in its file."""

from dataclasses import dataclass
from typing import Self

from service.contract.manifest import Manifest
from service.contract.policy import Policy
from service.inference.outcome import ModelRef
from service.monitoring.drift.drift import Drift
from service.monitoring.feedback.feedback import Feedback
from service.monitoring.feedback.store import FeedbackStore
from service.monitoring.worker_slot import WorkerSlot
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Monitor:
    """The feedback and the drift of one model."""

    model: ModelRef
    manifest: Manifest
    default_policy: Policy
    feedback: Feedback
    drift: Drift

    @classmethod
    def of(
        cls, model: ModelRef, manifest: Manifest, default_policy: Policy, settings: Settings, slot: WorkerSlot
    ) -> Self:
        """A monitor that continues the counts that workers share or a file keeps."""
        counts_key = f"{model.name} {model.version}"  # each version has counts of its own
        drift = Drift(manifest.reference, settings.drift_window, counts_key, slot)
        feedback = _feedback(manifest, model.version, counts_key, settings, slot)
        return cls(model, manifest, default_policy, feedback, drift)


def _feedback(manifest: Manifest, version: str, counts_key: str, settings: Settings, slot: WorkerSlot) -> Feedback:
    lasting = settings.feedback_path is not None
    path = settings.feedback_path or slot.path("feedback", counts_key)
    # Answers judged under one rule are no evidence under the other.
    model = f"{counts_key} {settings.feedback_counts}"
    return Feedback(
        manifest,
        version,
        FeedbackStore(path, settings.max_feedback, model, lasting=lasting),
        counted=settings.feedback_counts,
        deadline_seconds=settings.audit_deadline_seconds,
    )

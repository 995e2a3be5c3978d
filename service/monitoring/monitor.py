"""The monitor of one served model: its feedback and its drift, held against what its file promises."""

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
    """What is recorded of one model."""

    model: ModelRef
    manifest: Manifest
    default_policy: Policy
    feedback: Feedback
    drift: Drift

    @classmethod
    def of(
        cls, model: ModelRef, manifest: Manifest, default_policy: Policy, settings: Settings, slot: WorkerSlot
    ) -> Self:
        """A new one, or one that goes on with the counts that workers share or a file keeps."""
        counted_as = f"{model.name} {model.version}"  # what another version has seen says nothing of this one
        drift = Drift(manifest.reference, settings.drift_window, counted_as, slot)
        feedback = _feedback(manifest, model.version, counted_as, settings, slot)
        return cls(model, manifest, default_policy, feedback, drift)


def _feedback(manifest: Manifest, version: str, counted_as: str, settings: Settings, slot: WorkerSlot) -> Feedback:
    lasting = settings.feedback_path is not None
    path = settings.feedback_path or slot.path("feedback", counted_as)
    # What was judged by the one rule is no evidence by the other.
    model = f"{counted_as} {settings.feedback_counts}"
    return Feedback(
        manifest,
        version,
        FeedbackStore(path, settings.max_feedback, model, lasting=lasting),
        counted=settings.feedback_counts,
        deadline_seconds=settings.audit_deadline_seconds,
    )

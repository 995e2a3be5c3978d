"""Whether the promises hold, and what operators see: feedback, drift, metrics, log and traces."""

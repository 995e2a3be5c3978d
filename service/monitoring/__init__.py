"""Monitoring: feedback and drift show whether the promises hold; metrics, log and traces show the service at work."""

"""Demur on other platforms: nginx, Kubernetes, KServe, Ray, Triton, browsers."""

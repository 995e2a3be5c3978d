"""The machine of a measurement, in words."""

import os
import platform
from pathlib import Path


def processor() -> str:
    """The processor's name."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def described() -> str:
    """The processor's name and its number of cores."""
    return f"{processor()}, {os.cpu_count()} cores"

"""`python -m tests.supply.audit PIP_AUDIT`: known vulnerabilities of the packages in the serving image.

pip-audit exits with 0 even if it could ask about no package. Here a package that was not asked about is a failure.
"""

import json
import subprocess
import sys
from typing import Any

from tests.server import ROOT

SERVICES = ("pypi", "osv")  # advisory services of pip-audit; the second is used if the first does not answer
VULNERABLE, NOT_ASKED = 1, 2


def verdict(document: dict[str, Any]) -> tuple[int, list[str]]:
    """The exit status and the lines to print, from pip-audit's report."""
    packages = document["dependencies"]
    unasked = [package for package in packages if "skip_reason" in package]
    vulnerabilities = [
        f"{package['name']} {package['version']}: {vulnerability['id']}, mended in "
        f"{', '.join(vulnerability['fix_versions']) or 'no version'}"
        for package in packages
        for vulnerability in package.get("vulns", ())
    ]
    if vulnerabilities:
        return VULNERABLE, vulnerabilities
    if unasked or not packages:
        return NOT_ASKED, [f"of {len(packages)} packages {len(unasked)} could not be asked about: nothing is known"]
    return 0, [f"{len(packages)} packages, none with a known vulnerability"]


def ask(program: str, lock: str, service: str) -> tuple[int, list[str]]:
    """Ask one advisory service about a lock."""
    command = [program, "--requirement", lock, "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    command += ["--vulnerability-service", service, "--timeout", "15", "--format", "json"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    try:
        return verdict(json.loads(result.stdout))
    except ValueError:
        last = (result.stderr.strip() or "it said nothing").splitlines()[-1]
        return NOT_ASKED, [f"no answer: {last[:200]}"]


def main(program: str) -> int:
    """Ask until one of the services answers; returns the exit status."""
    status = NOT_ASKED
    for service in SERVICES:
        status, lines = ask(program, "requirements/serve.txt", service)
        for line in lines:
            sys.stdout.write(f"{service}: {line}\n")
        if status != NOT_ASKED:
            return status
    sys.stdout.write("make audit: no advisory service could be reached from here, so NOTHING was audited\n")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

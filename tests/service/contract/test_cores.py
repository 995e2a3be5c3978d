"""The cores that a process may use: its affinity, and quotas as the files of Linux state them."""

import math
from pathlib import Path

import pytest

from service.contract.cores import available_cores, quota

V1, V2 = "8:memory:/\n4:cpuacct,cpu:/kubepods/pod1\n0::/", "0::/kubepods/pod1"


@pytest.mark.parametrize(
    ("groups", "files", "expected"),
    [
        (V2, {"kubepods/pod1/cpu.max": "150000 100000"}, 1.5),
        (V2, {"kubepods/pod1/cpu.max": "max 100000"}, math.inf),
        (V2, {"kubepods/pod1/cpu.max": "max 100000", "kubepods/cpu.max": "50000 100000"}, 0.5),  # of the group around
        (V2, {"kubepods/pod1/cpu.max": "10000 10000", "kubepods/cpu.max": "80000 20000"}, 1),
        (V2, {"cpu.max": "200000 100000"}, 2),  # in a container, with the path outside of it
        ("0::/../sibling", {"cpu.max": "200000 100000"}, 2),
        (V1, {"cpu/kubepods/pod1/cpu.cfs_quota_us": "25000", "cpu/kubepods/pod1/cpu.cfs_period_us": "50000"}, 0.5),
        (V1, {"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        (V1, {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, math.inf),
        (V1, {"memory/cpu.max": "10000 100000"}, math.inf),
        (None, {}, math.inf),  # not Linux
    ],
)
def test_quota_is_the_least_of_all_groups(
    tmp_path: Path, groups: str | None, files: dict[str, str], expected: float
) -> None:
    texts = {f"sys/fs/cgroup/{name}": text for name, text in files.items()}
    texts |= {} if groups is None else {"proc/self/cgroup": groups}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert quota(tmp_path) == expected
    unlimited = available_cores(tmp_path / "nothing")
    assert available_cores(tmp_path) == min(unlimited, max(1, math.ceil(min(unlimited, expected))))

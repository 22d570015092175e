"""How many CPUs a container may use, from trees of /proc and /sys as kernels lay them out."""

import os

import pytest

from edge.runtime.cpus import frame_threads, usable_cpus

V2 = "0::/{}\n"
V1 = "12:cpuset:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/docker/abc\n"


@pytest.fixture
def eight_cpus(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def tree(root, files):
    for name, text in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


@pytest.mark.parametrize(
    ("latency", "cpus", "threads"),
    [
        ("throughput", 1, 1),
        ("throughput", 8, 1),
        ("low", 1, 1),
        ("low", 2, 2),
        ("low", 8, 2),
    ],
)
def test_a_frame_has_two_threads_only_if_its_answer_hurries_and_there_are_two_cpus(
    latency, cpus, threads
):
    assert frame_threads(latency, cpus) == threads


CASES = {
    "no cgroup at all": ({}, 8),
    "v2 without a quota": (
        {"proc/self/cgroup": V2.format(""), "sys/fs/cgroup/cpu.max": "max 100000\n"},
        8,
    ),
    "v2 at the namespace's root": (
        {"proc/self/cgroup": V2.format(""), "sys/fs/cgroup/cpu.max": "200000 100000\n"},
        2,
    ),
    "v2, a share rounds up": (
        {"proc/self/cgroup": V2.format(""), "sys/fs/cgroup/cpu.max": "150000 100000\n"},
        2,
    ),
    "v2, less than one is one": (
        {"proc/self/cgroup": V2.format(""), "sys/fs/cgroup/cpu.max": "10000 100000\n"},
        1,
    ),
    "v2, more than the mask": (
        {"proc/self/cgroup": V2.format(""), "sys/fs/cgroup/cpu.max": "1600000 100000\n"},
        8,
    ),
    "v2 in the process's own group": (
        {
            "proc/self/cgroup": V2.format("pod/box"),
            "sys/fs/cgroup/pod/box/cpu.max": "300000 100000\n",
        },
        3,
    ),
    "v2, the lowest on the way up counts": (
        {
            "proc/self/cgroup": V2.format("pod/box"),
            "sys/fs/cgroup/pod/box/cpu.max": "400000 100000\n",
            "sys/fs/cgroup/pod/cpu.max": "200000 100000\n",
        },
        2,
    ),
    "v2, a sibling's quota does not count": (
        {
            "proc/self/cgroup": V2.format("pod/box"),
            "sys/fs/cgroup/pod/other/cpu.max": "100000 100000\n",
        },
        8,
    ),
    "v2, a path outside of the namespace": (
        {"proc/self/cgroup": V2.format("../../x"), "sys/fs/cgroup/cpu.max": "500000 100000\n"},
        5,
    ),
    "v2, a file with nonsense": (
        {"proc/self/cgroup": V2.format(""), "sys/fs/cgroup/cpu.max": "who knows\n"},
        8,
    ),
    "v2, a period of nought": (
        {"proc/self/cgroup": V2.format(""), "sys/fs/cgroup/cpu.max": "100000 0\n"},
        8,
    ),
    "v1, path not mounted in the container": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "250000\n",
            "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        },
        3,
    ),
    "v1 under the mount called cpu": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us": "100000\n",
            "sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "50000\n",
        },
        2,
    ),
    "v1 without a quota": (
        {
            "proc/self/cgroup": V1,
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
        },
        8,
    ),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("eight_cpus")
def test_the_quota_counts_where_it_is_lower_than_the_mask(case, tmp_path):
    files, expected = CASES[case]
    assert usable_cpus(tree(tmp_path, files)) == expected


def test_on_this_machine_it_is_at_least_one_and_at_most_the_mask():
    assert 1 <= usable_cpus() <= len(os.sched_getaffinity(0))

"""How much memory a container may use, from trees of /proc and /sys as kernels lay them out."""

import pytest

from edge.runtime.memory_limit import machine_memory, memory_limit

MIB = 1 << 20
GIB_8 = {"proc/meminfo": "MemTotal:        8388608 kB\nMemFree:          123456 kB\n"}
NOT_SET_V1 = f"{(1 << 63) - 4096}\n"


def v2(path, **limits):
    """Version 2; a limit's name is a folder below the mount, with __ for a slash."""
    files = {"proc/self/cgroup": f"0::/{path}\n"}
    for name, text in limits.items():
        folder = name.removeprefix("root").replace("__", "/")
        files[f"sys/fs/cgroup/{folder}/memory.max"] = f"{text}\n"
    return GIB_8 | files


def v1(path, files):
    group = f"5:cpuset:{path}\n4:memory:{path}\n1:name=systemd:{path}\n0::/\n"
    below = {f"sys/fs/cgroup/memory{name}": text for name, text in files.items()}
    return GIB_8 | {"proc/self/cgroup": group} | below


CASES = {
    "no cgroup at all": (GIB_8, None),
    "no /proc at all": ({}, None),
    "v2, max is none": (v2("", root="max"), None),
    "v2 at the namespace's root": (v2("", root=256 * MIB), 256 * MIB),
    "v2 in the process's own group": (v2("pod/box", pod__box=300 * MIB), 300 * MIB),
    "v2, the smallest on the way up counts": (
        v2("pod/box", pod__box=400 * MIB, pod=200 * MIB),
        200 * MIB,
    ),
    "v2, the own one is the smallest": (
        v2("pod/box", pod__box=100 * MIB, pod=200 * MIB),
        100 * MIB,
    ),
    "v2, max above a limit": (v2("pod/box", pod__box="max", pod=200 * MIB), 200 * MIB),
    "v2, a sibling's limit does not count": (v2("pod/box", pod__other=100 * MIB), None),
    "v2, a path outside of the namespace": (v2("../../x", root=128 * MIB), 128 * MIB),
    "v2, more than the machine has is none": (v2("", root=16 << 30), None),
    "v2, as much as the machine has is none": (v2("", root=8 << 30), None),
    "v2, a file with nonsense": (v2("", root="who knows"), None),
    "v1, nothing was set": (v1("/", {"/memory.limit_in_bytes": NOT_SET_V1}), None),
    "v1, the path is not mounted in the container": (
        v1("/docker/abc", {"/memory.limit_in_bytes": f"{256 * MIB}\n"}),
        256 * MIB,
    ),
    "v1 in the process's own group": (
        v1(
            "/docker/abc",
            {
                "/memory.limit_in_bytes": NOT_SET_V1,
                "/docker/memory.limit_in_bytes": f"{512 * MIB}\n",
                "/docker/abc/memory.limit_in_bytes": f"{768 * MIB}\n",
            },
        ),
        512 * MIB,
    ),
    "v1, a group above the container's root": (
        v1(
            "/docker/abc",
            {
                "/memory.limit_in_bytes": NOT_SET_V1,
                "/memory.stat": f"cache 1\nhierarchical_memory_limit {192 * MIB}\nrss 2\n",
            },
        ),
        192 * MIB,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_smallest_limit_on_the_path_counts(case, tmp_path):
    files, expected = CASES[case]
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert memory_limit(tmp_path) == expected


def test_without_proc_the_machine_s_memory_is_unknown(tmp_path):
    assert machine_memory(tmp_path) is None


def test_on_this_machine_the_limit_is_less_than_the_memory():
    total = machine_memory()
    limit = memory_limit()
    assert total is None or limit is None or 0 < limit < total

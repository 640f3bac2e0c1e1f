"""The bare context switch, compared with Boost.Context and the C library: runs benchmarks/stackful."""

import json
import os
import shutil
import subprocess

from suite import Unavailable
from suite.environments import ROOT  # makes `tools` importable
from tools import debian

BUILD = ROOT / "build" / "engine-benchmarks"
REPETITIONS = 9
SWITCHES = [
    "stackful_bare",
    "fcontext_bare",
    "boost_fiber_bare",
    "libc_swapcontext_bare",
    "stackful_nested",
    "fcontext_nested",
]
LIVES = ["stackful_start_and_finish_nested", "fcontext_start_and_finish_nested"]
# Each benchmark of ours, and Boost.Context's.
PAIRS = [("stackful_bare", "fcontext_bare"), ("stackful_nested", "fcontext_nested"), tuple(LIVES)]


def build() -> subprocess.CompletedProcess[str]:
    """Build the benchmarks. The first command that fails is returned."""
    configure = ["cmake", "-S", str(ROOT / "src" / "stackful"), "-B", str(BUILD)]
    options = ["-DSTACKFUL_BUILD_BENCHMARKS=ON", "-DCMAKE_BUILD_TYPE=Release"]
    make = ["cmake", "--build", str(BUILD), "--parallel", str(os.cpu_count())]
    for command in ([*configure, *options], make):
        result = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        if result.returncode != 0:
            break
    return result


def measure() -> dict[str, float]:
    """Return medians in ns; one way for a switch. Raises Unavailable if the benchmarks can't be built."""
    if shutil.which("cmake") is None:
        raise Unavailable("cmake is not installed")
    result = build()
    if result.returncode != 0 and debian.can_install():
        debian.install("libbenchmark-dev", "libboost-context-dev")
        result = build()
    if result.returncode != 0:
        raise Unavailable(
            "Google Benchmark is not installed, or the engine's benchmarks do not build:\n" + result.stdout
        )
    names = "|".join(SWITCHES + LIVES)
    # Interleaved: all repetitions of all benchmarks in random order.
    output = subprocess.run(
        [
            str(BUILD / "benchmarks" / "stackful_benchmarks"),
            f"--benchmark_filter=^({names})$",
            "--benchmark_format=json",
            f"--benchmark_repetitions={REPETITIONS}",
            "--benchmark_enable_random_interleaving=true",
            "--benchmark_min_time=0.05",
            "--benchmark_report_aggregates_only=true",
        ],
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ).stdout
    figures = {}
    for benchmark in json.loads(output)["benchmarks"]:
        if benchmark["aggregate_name"] == "median":
            figures[benchmark["run_name"]] = benchmark["cpu_time"] / (2 if benchmark["run_name"] in SWITCHES else 1)
    return figures

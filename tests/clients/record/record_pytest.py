"""A pytest plugin that records the outcome of each test when it ends, so that a crash loses none.

Loaded with `-p record_pytest`; sitecustomize.py in the same folder describes the records. Tests named in the file
RECORD_DONE, one a line, are skipped, so that a run can continue after a crash. RECORD_ONLY names the tests to run.
"""

import os

import pytest
from sitecustomize import record

_RANK = {"passed": 0, "skipped": 1, "failed": 2}
_outcomes = {}


def _names(variable):
    path = os.environ.get(variable)
    if not path:
        return None
    with open(path) as file:
        return set(file.read().splitlines())


def pytest_collection_modifyitems(config, items):
    done, only = _names("RECORD_DONE") or set(), _names("RECORD_ONLY")
    kept, left_out = [], []
    for item in items:
        wanted = item.nodeid not in done and (only is None or item.nodeid in only)
        (kept if wanted else left_out).append(item)
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = kept


def pytest_collectreport(report):
    if report.failed:
        record("ended", f"collection of {report.nodeid}", "failed")


def pytest_runtest_logstart(nodeid, location):
    _outcomes[nodeid] = "passed"
    record("started", nodeid)


@pytest.hookimpl(trylast=True)
def pytest_runtest_logreport(report):
    if _RANK[report.outcome] > _RANK[_outcomes[report.nodeid]]:
        _outcomes[report.nodeid] = report.outcome


def pytest_runtest_logfinish(nodeid, location):
    record("ended", nodeid, _outcomes.pop(nodeid))

"""Reads the trace-event files that greenlet.inspect.record() writes, and checks their form."""

import json
from collections import defaultdict

# What the format demands of each kind of event, besides "ph", "name", "pid" and "tid".
FIELDS = {"X": {"ts", "dur"}, "s": {"ts", "id", "cat"}, "f": {"ts", "id", "cat"}, "i": {"ts", "s"}, "M": {"args"}}


class Trace:
    def __init__(self, path):
        content = json.loads(path.read_text())
        self.facts = content["otherData"]
        self.events = content["traceEvents"]
        self.rows = {e["tid"]: e["args"]["name"] for e in self.events if e["name"] == "thread_name"}
        check(self)

    def of_kind(self, *kinds):
        return [event for event in self.events if event["ph"] in kinds]

    def slices(self, row=None):
        """Return (begin, duration, row), in order of time."""
        found = ((e["ts"], e["dur"], self.rows[e["tid"]]) for e in self.of_kind("X"))
        return sorted(each for each in found if row is None or each[2] == row)

    def switches(self):
        """Return (kind, origin, target) of each switch to another greenlet, in order of time."""
        begins = {e["id"]: e for e in self.of_kind("s")}
        ends = sorted(self.of_kind("f"), key=lambda e: e["id"])
        return [(e["name"], self.rows[begins[e["id"]]["tid"]], self.rows[e["tid"]]) for e in ends]

    def flags(self, name):
        """Return the rows of the slices that have this argument."""
        return [self.rows[e["tid"]] for e in self.of_kind("X") if e.get("args", {}).get(name)]


def check(trace):
    for event in trace.events:
        assert {"ph", "name", "pid", "tid"} | FIELDS[event["ph"]] <= event.keys(), event
        assert all(isinstance(event[key], (int, float)) and event[key] >= 0 for key in ("ts", "dur") if key in event)
    assert {e["tid"] for e in trace.of_kind("X", "s", "f", "i")} <= trace.rows.keys()
    slices = defaultdict(list)
    for event in trace.of_kind("X"):
        slices[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    for row in slices.values():
        row.sort()
        assert all(earlier[1] <= later[0] + 1e-9 for earlier, later in zip(row, row[1:])), "one runs twice at a time"
    check_flows(trace, slices)


def check_flows(trace, slices):
    begins, ends = ({e["id"]: e for e in trace.of_kind(kind)} for kind in "sf")
    assert begins.keys() == ends.keys()
    assert len(begins) == len(trace.of_kind("s")) == len(trace.of_kind("f"))
    ended, begun = (
        {(e["tid"], at(e)) for e in trace.of_kind("X")}
        for at in (lambda e: round(e["ts"] + e["dur"], 3), lambda e: e["ts"])
    )
    for number, begin in begins.items():
        end = ends[number]
        assert begin["name"] == end["name"] and begin["ts"] <= end["ts"] and end["bp"] == "e"
        assert (end["tid"], end["ts"]) in begun
        assert {(begin["tid"], end["ts"]), (begin["tid"], begin["ts"])} & ended

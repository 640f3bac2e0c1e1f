"""The C API in each wrong state: every function, with a greenlet in every state, at every odd moment.

states.py in this folder runs the cases. Their outcomes do not depend on the moment.
"""

from pathlib import Path

import pytest
from capi.moments import moment as MOMENTS
from support.extensions import compile_extension
from support.processes import output_of_script

from greenlet import _greenlet, inspect

SCRIPT = Path(__file__).with_name("states.py")

# Results, or exceptions without "Error" (Exit is GreenletExit). `main:...` is what the main greenlet is resumed with.
SWITCHES = """
                         switch     switch_1   switch_many           switch_no_dict  throw       throw_exit  throw_null
unstarted                {}         (1)        (1,2)                 (1)             Index       Exit        Exit
without_run              Attribute  Attribute  Attribute             Attribute       Attribute   Attribute   Attribute
with_run_not_callable    Type       Type       Type                  Type            Index       Exit        Exit
without_init             Attribute  Attribute  Attribute             Attribute       Attribute   Attribute   Attribute
only_new                 Attribute  Attribute  Attribute             Attribute       Attribute   Attribute   Attribute
current                  ()         1          ((1,2),{'a':3})       1               Index       Exit        Exit
parent_of_current        main:()    main:1     main:((1,2),{'a':3})  main:1          main:Index  main:Exit   main:Exit
suspended                ()         1          ((1,2),{'a':3})       1               Index       Exit        Exit
suspended_in_c           ()         1          ((1,2),{'a':3})       1               Index       Exit        Exit
finished                 ()         1          ((1,2),{'a':3})       1               Index       Exit        Exit
failed                   ()         1          ((1,2),{'a':3})       1               Index       Exit        Exit
thrown_before_its_start  ()         1          ((1,2),{'a':3})       1               Index       Exit        Exit
cleared_unstarted        error      error      error                 error           error       error       error
cleared_suspended        ()         1          ((1,2),{'a':3})       1               Index       Exit        Exit
cleared_finished         error      error      error                 error           error       error       error
unmade                   Type       Type       Type                  Type            Type        Type        Type
other_threads_unstarted  error      error      error                 error           error       error       error
other_threads_suspended  error      error      error                 error           error       error       error
other_threads_finished   error      error      error                 error           error       error       error
other_threads_current    error      error      error                 error           error       error       error
other_threads_main       error      error      error                 error           error       error       error
ended_threads_unstarted  error      error      error                 error           error       error       error
ended_threads_suspended  error      error      error                 error           error       error       error
ended_threads_finished   error      error      error                 error           error       error       error
ended_threads_main       error      error      error                 error           error       error       error
null                     Type       Type       Type                  Type            Type        Type        Type
number                   Type       Type       Type                  Type            Type        Type        Type
a_class                  Type       Type       Type                  Type            Type        Type        Type
"""

# `new<it`: a new greenlet whose parent is the one that was passed.
OTHERS = """
                         new_parent  set_parent  set_parent_null  set_parent_number  set_as_parent  get_parent    is_main  is_started  is_active
unstarted                new<it      0           Attribute        Type               0              caller        0        0           0
without_run              new<it      0           Attribute        Type               0              caller        0        0           0
with_run_not_callable    new<it      0           Attribute        Type               0              caller        0        0           0
without_init             new<it      0           Attribute        Type               0              caller        0        0           0
only_new                 new<it      0           Attribute        Type               0              caller        0        0           0
current                  new<caller  Value       Attribute        Type               0              main          0        1           1
parent_of_current        new<main    Attribute   Attribute        Attribute          0              None          1        1           1
suspended                new<it      0           Attribute        Type               0              caller        0        1           1
suspended_in_c           new<it      0           Attribute        Type               0              caller        0        1           1
finished                 new<it      0           Attribute        Type               0              caller        0        1           0
failed                   new<it      0           Attribute        Type               0              caller        0        1           0
thrown_before_its_start  new<it      0           Attribute        Type               0              caller        0        1           0
cleared_unstarted        Value       0           Attribute        Type               Value          None          0        0           0
cleared_suspended        new<it      0           Attribute        Type               0              caller        0        1           1
cleared_finished         new<it      0           Attribute        Type               0              None          0        1           0
unmade                   Type        Type        Type             Type               Type           Type          Type     Type        Type
other_threads_unstarted  new<it      0           Attribute        Type               0              new<new<None  0        0           0
other_threads_suspended  new<it      Value       Attribute        Type               0              new<new<None  0        1           1
other_threads_finished   new<it      Value       Attribute        Type               0              new<new<None  0        1           0
other_threads_current    new<it      Value       Attribute        Type               0              new<None      0        1           1
other_threads_main       new<it      Attribute   Attribute        Attribute          0              None          1        1           1
ended_threads_unstarted  new<it      0           Attribute        Type               0              new<new<None  0        0           0
ended_threads_suspended  new<it      Value       Attribute        Type               0              new<new<None  0        1           1
ended_threads_finished   new<it      Value       Attribute        Type               0              new<new<None  0        1           0
ended_threads_main       new<it      Attribute   Attribute        Attribute          0              None          1        1           0
null                     new<caller  Type        Type             Type               Attribute      Type          Type     Type        Type
number                   Type        Type        Type             Type               Type           Type          Type     Type        Type
a_class                  Type        Type        Type             Type               Type           Type          Type     Type        Type
"""

ALWAYS = {"new_run": "new<caller", "get_current": "caller", "switch_list": "TypeError", "throw_number": "TypeError"}


def as_printed(word):
    if word == "Exit":
        return "GreenletExit"
    if word.startswith("main:"):
        return f"main:{as_printed(word[5:])}>'resumed'"
    return word + "Error" if word in ("Attribute", "Index", "Type", "Value") else word


def expected():
    """{state: {call: outcome}}"""
    table = {}
    for text in (SWITCHES, OTHERS):
        calls, *rows = (line.split() for line in text.strip().splitlines())
        for state, *words in rows:
            table.setdefault(state, dict(ALWAYS)).update(zip(calls, map(as_printed, words), strict=True))
    for state, outcomes in table.items():
        outcomes["check"] = str(state not in ("null", "number", "a_class"))
    return table


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """{moment: {state: {call: outcome}}}"""
    client = compile_extension("client.c", tmp_path_factory.mktemp("states"))
    found = {}
    for line in output_of_script(SCRIPT, client, timeout=300).splitlines():
        moment, state, call, outcome = line.split()
        found.setdefault(moment, {}).setdefault(state, {})[call] = outcome
    return found


USUAL_MOMENTS = [m for m in MOMENTS if m not in ("in_a_killed_greenlet", "with_an_exception_set", "without_memory")]


def test_each_function_is_called_in_each_state(outcomes):
    assert len(MOMENTS) == 16 and len(expected()) == 28
    assert all(len(calls) == 21 for states in outcomes.values() for calls in states.values())


@pytest.mark.parametrize("moment", USUAL_MOMENTS)
def test_the_outcome_is_the_same_at_each_moment(outcomes, moment):
    assert outcomes[moment] == expected()


def test_in_a_killed_greenlet(outcomes):
    # The call runs one greenlet deeper here, so `parent_of_current` is not the main greenlet.
    found, table = outcomes["in_a_killed_greenlet"], expected()
    del found["parent_of_current"], table["parent_of_current"]
    table["current"]["get_parent"] = "new<main"
    assert found == table


def test_with_an_exception_set_there_is_no_switch(outcomes):
    """The exception stays set, or another one is set."""
    table = expected()
    for state, calls in table.items():
        for call, outcome in calls.items():
            if call.startswith(("switch", "throw")) and calls["is_main"] != "TypeError":
                calls[call] = "None+SystemError<ZeroDivisionError"  # caused by it
            elif outcome.endswith("Error"):
                calls[call] = f"None+{outcome}<None"
    assert outcomes["with_an_exception_set"] == table


def test_without_memory_the_outcome_is_a_memory_error_or_the_same(outcomes):
    if "without_memory" not in outcomes:
        pytest.skip("this CPython has no module that makes allocations fail")
    for state, calls in expected().items():
        for call, outcome in calls.items():
            found = set(outcomes["without_memory"][state][call].split("|"))
            assert outcome in found, (state, call)
            assert found <= {outcome, "MemoryError", "main:MemoryError>'resumed'"}, (state, call)


def test_an_instance_that_greenlet_did_not_make_can_not_be_initialized(client):
    with pytest.raises(TypeError, match="must call greenlet.__new__"):
        client.unmade(client.Type).__init__()


@pytest.mark.parametrize("function", [inspect.stack, _greenlet.inspect._place, _greenlet.inspect._native_stack])
def test_such_an_instance_is_not_shown(client, function):
    with pytest.raises(TypeError, match="a greenlet is needed"):
        function(client.unmade(client.Type))

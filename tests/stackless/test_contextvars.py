"""greenlet.stackless: the contexts of tasklets."""

import contextvars

import pytest
from support.processes import output_of
from support.scheduler import WITH_A_SCHEDULER
from support.tasklets import paused

from greenlet.stackless import getcurrent, run, schedule, schedule_remove, tasklet

pytestmark = WITH_A_SCHEDULER

variable = contextvars.ContextVar("variable", default="default")


def test_a_tasklet_runs_in_the_context_of_the_one_that_bound_it():
    token = variable.set("main")
    seen = []

    def function():
        seen.append(variable.get())
        variable.set("tasklet")

    tasklet(function)()
    run()
    assert seen == ["main"]
    assert variable.get() == "tasklet"
    variable.reset(token)


def test_set_context_gives_it_one_of_its_own():
    seen = []

    def function():
        variable.set("tasklet")
        schedule()
        seen.append(variable.get())

    t = tasklet(function)
    assert t.set_context(contextvars.copy_context()) is t
    t()
    run()
    assert seen == ["tasklet"]
    assert variable.get() == "default"


def test_set_context_of_a_suspended_and_of_the_current_tasklet():
    seen = []
    t = paused(lambda: (schedule_remove(), seen.append(variable.get())))
    context = contextvars.copy_context()
    context.run(variable.set, "new")
    t.set_context(context)
    t.run()
    assert seen == ["new"]

    def function():
        getcurrent().set_context(context)
        seen.append(variable.get())

    tasklet(function).set_context(contextvars.Context())()
    run()
    assert seen == ["new", "new"]


def test_the_context_of_a_tasklet_in_whose_greenlet_another_one_runs():
    # This crashed: the context was set in the saved state of the running greenlet, and the one in use was released.
    assert (
        output_of("""
        import contextvars
        import greenlet
        from greenlet.stackless import getcurrent, getmain, schedule, tasklet

        variable = contextvars.ContextVar("variable")

        def wait():
            greenlets.append(greenlet.getcurrent())
            greenlets[0].switch()
            assert getcurrent() is getmain()
            t.set_context(context)
            print(variable.get(), t.context_run(variable.get))
            contextvars.copy_context()

        context = contextvars.Context()
        context.run(variable.set, "set")
        greenlets = [greenlet.getcurrent()]
        t = tasklet(wait)()
        t.set_context(contextvars.Context())
        schedule()
        greenlets[1].switch()
    """)
        == "set set\n"
    )


def test_context_run():
    context = contextvars.copy_context()
    t = paused()
    t.set_context(context)
    assert t.context_run(variable.set, "there").var is variable
    assert variable.get() == "default"
    assert context[variable] == "there"
    assert t.context_run(variable.get) == "there"
    assert t.context_run(dict, a=1) == {"a": 1}
    with pytest.raises(ZeroDivisionError):
        t.context_run(lambda: 1 / 0)
    assert variable.get() == "default"
    t.kill()
    assert getcurrent().context_run(variable.get) == "default"


def test_set_context_refuses_what_is_none_and_what_is_in_use():
    with pytest.raises(TypeError):
        tasklet().set_context(3)
    with pytest.raises(RuntimeError, match="in use"):
        contextvars.copy_context().run(getcurrent().set_context, contextvars.Context())

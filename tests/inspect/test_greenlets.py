"""greenlet.inspect: which greenlets there are, and their stacks."""

import gc
import io
import sys
import threading
import traceback

import pytest
from support.environment import IS_FREE_THREADED, NEEDS_SSL
from support.greenlets import collect, suspended
from support.processes import output_of
from support.threads import in_thread

import greenlet
from greenlet import generators, getcurrent, inspect
from greenlet.stackless import run, schedule, tasklet

OTHERS_ARE_VISIBLE = not IS_FREE_THREADED or sys.version_info >= (3, 14)
needs_other_threads = pytest.mark.skipif(
    not OTHERS_ARE_VISIBLE, reason="CPython 3.13 without a GIL can't stop other threads to look at them"
)


def ident():
    return threading.get_ident()


def functions(g):
    return [frame.name for frame in inspect.stack(g)]


def parent_of_two(n):
    def inner():
        return getcurrent().parent.switch()

    return inner() if n == 0 else parent_of_two(n - 1)


class Parked:
    """A thread with three suspended greenlets, which waits until it is released."""

    def __enter__(self):
        self.is_ready, self.may_end = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.work, name="parked")
        self.thread.start()
        assert self.is_ready.wait(30)
        return self

    def work(self):
        self.greenlets = [suspended(parent_of_two, n) for n in range(3)]
        self.is_ready.set()
        self.wait_here()

    def wait_here(self):
        self.may_end.wait(60)
        for g in self.greenlets:
            g.switch()

    def __exit__(self, *_):
        self.may_end.set()
        self.thread.join(60)


class TestGreenlets:
    def test_main_is_first_then_the_last_started(self):
        collect()
        before = inspect.greenlets(ident())
        first, second = suspended(), suspended()
        assert inspect.greenlets(ident()) == [before[0], second, first, *before[1:]]
        assert before[0].parent is None
        first.switch()
        assert inspect.greenlets(ident()) == [before[0], second, *before[1:]]

    def test_unstarted_and_finished_ones_are_not_active(self):
        unstarted, finished = greenlet.greenlet(str), greenlet.greenlet(str)
        finished.switch()
        active = inspect.greenlets()
        assert unstarted not in active
        assert finished not in active

    def test_the_running_one_is_among_them(self):
        def body():
            return getcurrent() in inspect.greenlets(), getcurrent() in inspect.greenlets(threading.current_thread())

        assert greenlet.greenlet(body).switch() == (True, True)

    @needs_other_threads
    def test_other_threads(self):
        with Parked() as parked:
            there = inspect.greenlets(parked.thread)
            assert there[1:] == parked.greenlets[::-1]
            assert there == inspect.greenlets(parked.thread.ident)
            assert set(there) < set(inspect.greenlets())
            assert not set(there) & set(inspect.greenlets(ident()))
            there.clear()
        assert inspect.greenlets(parked.thread) == []

    @needs_other_threads
    def test_those_that_an_ended_thread_has_left(self):
        left = in_thread(lambda: [suspended()])
        assert left[0] in inspect.greenlets()
        assert len(inspect.stack(left[0])) == 0
        del left[:]
        gc.collect()

    @needs_other_threads
    def test_those_that_an_ended_thread_has_left_are_not_of_one_with_the_same_identifier(self):
        number, left = in_thread(lambda: (ident(), suspended()))
        assert left in inspect.greenlets()
        assert inspect.greenlets(number) == []
        with Parked() as parked:  # most systems give it the same identifier
            assert left not in inspect.greenlets(parked.thread)

    @pytest.mark.parametrize("thread", ["main", 1.5, True, object()])
    def test_not_a_thread(self, thread):
        with pytest.raises(TypeError, match=r"threading\.Thread or its ident"):
            inspect.greenlets(thread)

    @pytest.mark.parametrize("number", [-1, 1 << 64])
    def test_a_number_that_no_thread_can_have(self, number):
        with pytest.raises(OverflowError):
            inspect.greenlets(number)

    def test_a_thread_that_has_not_started(self):
        assert inspect.greenlets(threading.Thread()) == []

    def test_ten_thousand(self):
        many = [suspended() for _ in range(10_000)]
        assert set(many) <= set(inspect.greenlets())
        for g in many:
            g.switch()
        assert not set(many) & set(inspect.greenlets())


class TestStack:
    def test_a_suspended_one(self):
        g = suspended(parent_of_two, 3)
        assert functions(g) == ["parent_of_two"] * 4 + ["inner"]
        assert [frame.lineno for frame in inspect.stack(g)] == [
            line for _, line in list(traceback.walk_stack(g.gr_frame))[::-1]
        ]

    def test_it_is_outermost_first_and_has_source_lines(self):
        text = inspect.stack(suspended(parent_of_two, 0)).format()
        assert "return inner() if n == 0" in text[0]
        assert "getcurrent().parent.switch()" in text[-1]

    def test_the_running_one(self):
        def body():
            return functions(getcurrent()), functions(getcurrent().parent)

        own, main = greenlet.greenlet(body).switch()
        assert own[0] == "body"
        assert own[-1] == "functions"
        assert main[-1] == "test_the_running_one"

    @pytest.mark.parametrize("run", [None, str])
    def test_one_without_frames(self, run):
        g = greenlet.greenlet(run)
        assert len(inspect.stack(g)) == 0
        if run:
            g.switch()
            assert len(inspect.stack(g)) == 0

    def test_not_a_greenlet(self):
        with pytest.raises(TypeError, match="a greenlet is needed, not 'int'"):
            inspect.stack(7)

    @pytest.mark.skipif(IS_FREE_THREADED, reason="without a GIL a greenlet's frames can only be read in its thread")
    def test_other_threads(self):
        with Parked() as parked:
            main, *others = inspect.greenlets(parked.thread)
            assert "wait_here" in functions(main)
            assert [len(inspect.stack(g)) for g in others] == [4, 3, 2]
            del main, others


class TestTexts:
    def dump(self, **options):
        text = io.StringIO()
        inspect.dump(text, **options)
        return text.getvalue()

    def test_equal_stacks_are_one_entry_with_their_number(self):
        same = [suspended(parent_of_two, 2) for _ in range(7)]
        other = suspended(parent_of_two, 1)
        text = self.dump()
        assert text.count("7 x greenlet parent_of_two, suspended\n") == 1
        assert text.count(f"greenlet parent_of_two at {id(other):#x}, suspended\n") == 1
        assert text.index("7 x greenlet") < text.index("main greenlet")
        ungrouped = self.dump(group=False)
        assert all(f"greenlet parent_of_two at {id(g):#x}, suspended\n" in ungrouped for g in (*same, other))

    def test_the_header_of_a_thread(self):
        number = len(inspect.greenlets(ident()))
        text = self.dump()
        plural = "" if number == 1 else "s"
        assert f"thread {ident():#x} (MainThread): {number:,} greenlet{plural}\n" in text

    def test_limit(self):
        suspended_one = suspended(parent_of_two, 9)
        entry = self.dump(limit=2).split(f"at {id(suspended_one):#x}, suspended\n")[1].split("\n\n")[0].splitlines()
        assert entry[0] == "  ... 9 outer calls"
        assert len(entry) == 3
        assert entry[-1].endswith("inner")
        with pytest.raises(ValueError, match="limit must not be negative: -1"):
            inspect.dump(limit=-1)

    def test_limit_of_zero_shows_no_calls(self):
        suspended_one = suspended(parent_of_two, 1)
        entry = self.dump(limit=0).split(f"at {id(suspended_one):#x}, suspended\n")[1].split("\n\n")[0]
        assert entry == "  ... 3 outer calls"

    def test_standard_error_is_the_default(self, capsys):
        inspect.dump()
        inspect.tree()
        text = capsys.readouterr().err
        assert "main greenlet, current" in text
        assert "main greenlet at " in text

    def test_tree(self):
        inner = []

        def outer():
            inner.append(suspended(parent_of_two, 0))
            getcurrent().parent.switch()

        g = suspended(outer)
        text = io.StringIO()
        inspect.tree(text)
        lines = text.getvalue().splitlines()
        at = next(i for i, line in enumerate(lines) if "outer, suspended" in line)
        assert "── greenlet" in lines[at]
        assert lines[at].index("greenlet") + 4 == lines[at + 1].index("greenlet")
        assert "parent_of_two, suspended" in lines[at + 1]
        assert f"at {__file__}:" in lines[at]
        inner.pop().switch()
        g.switch()

    def test_a_long_chain_of_parents(self):
        chain = []

        def extend():
            if len(chain) < 5000:
                g = greenlet.greenlet(extend)
                chain.append(g)
                g.switch()
            else:
                inspect.tree(text)
                inspect.dump(text)

        text = io.StringIO()
        extend()
        assert text.getvalue().count("── greenlet") >= 5000
        assert all(g.dead for g in chain)

    def test_a_callable_whose_name_fails(self):
        class Unnamed:
            def __getattr__(self, name):
                raise ZeroDivisionError(name)

            def __call__(self):
                getcurrent().parent.switch()

        suspended_one = greenlet.greenlet(Unnamed())
        suspended_one.switch()
        assert "Unnamed" in self.dump()
        suspended_one.switch()

    def test_what_generators_and_tasklets_are_called(self):
        texts = []

        @generators.generator
        def produce():
            texts.append(self.dump())
            generators.yield_(1)
            texts.append(self.dump())

        produced = produce()
        next(produced)
        texts.append(self.dump())
        assert "produce" in texts[0]
        assert "generator" in texts[0]
        assert "generator" in texts[1]

        def wait():
            schedule()

        tasklet(wait)()
        tasklet(lambda: texts.append(self.dump()))()
        run()
        name = "TestTexts.test_what_generators_and_tasklets_are_called.<locals>"
        assert f"\ntasklet {name}.wait at 0x" in texts[-1]
        assert f"\ntasklet {name}.<lambda> at 0x" in texts[-1]
        list(produced)


class TestStatistics:
    def of_this_thread(self):
        (found,) = [thread for thread in inspect.stats().threads if thread.ident == ident() and thread.name]
        return found

    def test_counts_of_a_thread(self):
        suspended()  # the thread has a main greenlet now
        collect()
        before = self.of_this_thread()
        assert before.name == threading.current_thread().name
        assert before.active == len(inspect.greenlets(ident()))
        kept = [suspended() for _ in range(5)]
        after = self.of_this_thread()
        assert after.started - before.started == 5
        assert after.active - before.active == 5
        assert after.finished == before.finished
        assert after.switches - before.switches == 10
        for g in kept:
            g.switch()
        ended = self.of_this_thread()
        assert ended.finished - before.finished == 5
        assert ended.active == before.active
        assert ended.switches - after.switches == 10

    def test_sums(self):
        found = inspect.stats()
        for name in ("active", "started", "finished", "switches"):
            assert getattr(found, name) == sum(getattr(thread, name) for thread in found.threads)

    def test_memory_of_stacks(self):
        before = inspect.stats()
        kept = [suspended() for _ in range(200)]
        after = inspect.stats()
        assert after.stacks_in_use - before.stacks_in_use == 200
        assert after.stacks_in_use <= after.stacks
        assert after.reserved >= after.stacks_in_use * greenlet.stack_size()
        page = 4096
        assert 200 * page <= after.resident <= after.reserved
        assert 0 < after.page_tables <= after.stacks * 4 * page
        for g in kept:
            g.switch()
        assert inspect.stats().stacks_in_use == before.stacks_in_use

    def test_the_deepest_stack(self):
        # In a process whose stacks are new: one that was used before may be as deep.
        before, after = output_of(
            """
            from greenlet import getcurrent, greenlet, inspect

            def nest(n):
                return repr([n]) if n == 0 else sorted([n], key=lambda _: nest(n - 1))

            g = greenlet(lambda: getcurrent().parent.switch())
            g.switch()
            print(inspect.stats().deepest)
            greenlet(nest).switch(60)
            print(inspect.stats().deepest)
            """
        ).split()
        assert int(before) + 10_000 < int(after) < 1 << 20

    def test_a_thread_that_has_ended_is_gone(self):
        def work():
            suspended().switch()
            return ident()

        ended = in_thread(work)
        assert ended not in [thread.ident for thread in inspect.stats().threads if thread.name]


@NEEDS_SSL
def test_under_the_monkey_patching_of_gevent():
    pytest.importorskip("gevent", exc_type=ImportError)
    text = output_of(
        """
        from gevent import monkey
        monkey.patch_all()
        import gevent, sys
        from greenlet import inspect

        def sleep_long():
            gevent.sleep(1000)

        workers = [gevent.spawn(sleep_long) for _ in range(5)]
        gevent.sleep(0.01)
        inspect.dump(sys.stdout)
        gevent.killall(workers)
        """
    )
    assert "5 x gevent._gevent_cgreenlet.Greenlet sleep_long, suspended\n" in text
    assert "in sleep_long\n" in text
    assert "gevent.hub.Hub" in text
    main = text.split("main greenlet at ")[1].split("\n\n")[0].splitlines()
    assert len(main) == 2  # the call of dump() is in no frame of greenlet.inspect

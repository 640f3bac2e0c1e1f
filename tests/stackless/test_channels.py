"""greenlet.stackless: the class channel."""

import pickle
import traceback

import pytest
from support.scheduler import WITH_A_SCHEDULER

import greenlet.stackless as stackless
from greenlet.stackless import channel, getcurrent, run, schedule, tasklet

pytestmark = WITH_A_SCHEDULER


DEADLOCK = r"^Deadlock: the last runnable tasklet cannot be blocked\."


def test_a_value_goes_from_a_waiting_sender_to_a_receiver():
    c = channel()
    tasklet(c.send)(5)
    run()
    assert c.balance == 1
    assert c.receive() == 5
    assert c.balance == 0
    run()


def test_a_value_goes_from_a_sender_to_a_waiting_receiver():
    c = channel()
    got = []
    tasklet(lambda: got.append(c.receive()))()
    run()
    assert c.balance == -1
    assert c.send(5) is None
    assert got == [5]


def test_waiting_tasklets_are_served_in_order():
    c = channel()
    got = []

    def receiver(name):
        got.append((name, c.receive()))

    for name in "abc":
        tasklet(receiver)(name)
    run()
    assert c.balance == -3
    for i in range(3):
        c.send(i)
    assert got == [("a", 0), ("b", 1), ("c", 2)]


def test_queue_is_the_chain_of_those_that_wait():
    c = channel()
    assert c.queue is None
    tasklets = [tasklet(c.receive)() for _ in range(3)]
    run()
    chain = []
    t = c.queue
    while t is not None:
        chain.append(t)
        t = t.next
    assert chain == tasklets
    assert tasklets[1].prev is tasklets[0] and tasklets[0].prev is None
    tasklets[1].kill()
    assert tasklets[0].next is tasklets[2] and c.balance == -2
    tasklets[2].kill()
    tasklets[0].kill()
    assert c.queue is None and c.balance == 0


# --- preference ------------------------------------------------------------------------------------------------------


def meeting(preference, first, schedule_all=0):
    """The order in which a sender, a receiver and a third tasklet run, if *first* is the first to use the channel."""
    c = channel()
    c.preference = preference
    c.schedule_all = schedule_all
    log = []

    def sender():
        c.send(None)
        log.append("sent")

    def receiver():
        c.receive()
        log.append("received")

    for function in (sender, receiver) if first == "sender" else (receiver, sender):
        tasklet(function)()
    tasklet(log.append)("other")
    run()
    return log


@pytest.mark.parametrize(
    "preference, first, expected",
    [
        (-1, "receiver", ["received", "other", "sent"]),
        (-1, "sender", ["received", "other", "sent"]),
        (1, "receiver", ["sent", "other", "received"]),
        (1, "sender", ["sent", "other", "received"]),
        (0, "receiver", ["sent", "other", "received"]),
        (0, "sender", ["received", "other", "sent"]),
    ],
)
def test_preference_says_who_goes_on(preference, first, expected):
    assert meeting(preference, first) == expected


def test_schedule_all_lets_the_next_one_go_on():
    assert meeting(-1, "receiver", 1) == ["other", "received", "sent"]
    assert meeting(1, "sender", 1) == ["other", "sent", "received"]


def test_preference_is_one_of_three():
    c = channel()
    assert c.preference == -1 and c.schedule_all == 0
    c.preference = 17
    assert c.preference == 1
    c.preference = -17
    assert c.preference == -1
    c.preference = 0
    assert c.preference == 0
    c.schedule_all = 5
    assert c.schedule_all == 1
    with pytest.raises(TypeError):
        c.preference = "x"
    with pytest.raises(TypeError):
        c.schedule_all = None
    with pytest.raises(TypeError):
        del c.preference


def test_all_that_wait_can_be_received_without_waiting():
    c = channel()
    for i in range(4):
        tasklet(c.send)(i)
    run()
    total = 0
    getcurrent().block_trap = True
    try:
        while c.balance > 0:
            total += c.receive()
    finally:
        getcurrent().block_trap = False
    assert total == 6
    run()


# --- exceptions ------------------------------------------------------------------------------------------------------


def test_send_exception():
    c = channel()
    tasklet(c.send_exception)(ValueError, "x", 1)
    run()
    with pytest.raises(ValueError) as caught:
        c.receive()
    assert caught.value.args == ("x", 1)
    run()
    with pytest.raises(TypeError):
        c.send_exception()
    with pytest.raises(TypeError):
        c.send_exception(3)


def test_send_exception_to_a_waiting_receiver():
    c = channel()
    tasklet(c.receive)()
    run()
    with pytest.raises(ValueError, match="xxx"):
        c.send_exception(ValueError, "xxx")


def test_send_throw_keeps_the_traceback():
    c = channel()

    def foo():
        raise ValueError("x")

    def sender():
        try:
            foo()
        except ValueError as exception:
            c.send_throw(type(exception), exception, exception.__traceback__)

    tasklet(sender)()
    run()
    with pytest.raises(ValueError) as caught:
        c.receive()
    assert [entry.name for entry in traceback.extract_tb(caught.value.__traceback__)][-2:] == ["sender", "foo"]
    run()
    with pytest.raises(TypeError):
        c.send_throw()


# --- sequences and iteration -----------------------------------------------------------------------------------------


def test_send_sequence_and_iteration():
    c = channel()
    got = []

    def sender():
        got.append(c.send_sequence(iter("abc")))
        c.send_exception(StopIteration)

    def receiver():
        for value in c:
            got.append(value)
        got.append("end")

    tasklet(sender)()
    tasklet(receiver)()
    run()
    assert got == ["a", "b", "c", 3, "end"]


def test_send_sequence_wants_an_iterable_and_passes_errors_on():
    def broken():
        yield 1
        raise KeyError

    c = channel()
    with pytest.raises(TypeError):
        c.send_sequence(3)
    tasklet(c.receive)()
    run()
    with pytest.raises(KeyError):
        c.send_sequence(broken())


def test_next():
    c = channel()
    tasklet(c.send_sequence)([1, 2])
    run()
    assert next(c) == 1
    assert c.next() == 2
    tasklet(c.send_exception)(StopIteration)
    run()
    with pytest.raises(StopIteration):
        c.next()
    run()


# --- closing ---------------------------------------------------------------------------------------------------------


def test_a_closed_channel_lets_nobody_wait():
    c = channel()
    assert not c.closing and not c.closed
    c.close()
    assert c.closing and c.closed
    with pytest.raises(ValueError, match="closed"):
        c.send(1)
    with pytest.raises(ValueError, match="closed"):
        c.receive()
    assert list(c) == []
    with pytest.raises(StopIteration):
        c.next()
    c.open()
    assert not c.closing and not c.closed


def test_those_that_wait_on_a_closing_channel_are_served():
    c = channel()
    tasklet(c.send)(1)
    tasklet(c.send)(2)
    run()
    c.close()
    assert c.closing and not c.closed
    assert list(c) == [1, 2]
    assert c.closed
    run()


# --- traps, deadlocks ------------------------------------------------------------------------------------------------


def test_block_trap():
    c = channel()
    getcurrent().block_trap = True
    try:
        with pytest.raises(RuntimeError, match="does not like to be blocked"):
            c.receive()
        with pytest.raises(RuntimeError, match="does not like to be blocked"):
            c.send(1)
    finally:
        getcurrent().block_trap = False
    assert c.balance == 0


def test_the_last_runnable_tasklet_can_not_wait():
    c = channel()
    for action in (c.receive, lambda: c.send(1), stackless.schedule_remove):
        with pytest.raises(RuntimeError, match=DEADLOCK):
            action()
        assert c.balance == 0 and c.queue is None


def test_a_deadlock_is_raised_in_the_tasklet_that_would_wait():
    c, other = channel(), channel()

    def function():
        for action in (other.receive, lambda: other.send(1), stackless.schedule_remove):
            with pytest.raises(RuntimeError, match=DEADLOCK):
                action()
        c.send("all three")

    tasklet(function)()
    assert c.receive() == "all three"
    run()


def test_a_deadlock_that_is_not_caught_reaches_main():
    c, other = channel(), channel()
    t = tasklet(other.receive)()
    with pytest.raises(RuntimeError, match=DEADLOCK):
        c.receive()
    assert not t.alive
    assert c.balance == other.balance == 0


def test_main_is_told_when_the_last_other_tasklet_ends():
    c = channel()
    tasklet(schedule)()
    with pytest.raises(RuntimeError, match=r"^the main tasklet is receiving without a sender available\."):
        c.receive()
    tasklet(schedule)()
    with pytest.raises(RuntimeError, match=r"^the main tasklet is sending without a receiver available\."):
        c.send(1)
    assert c.balance == 0


def test_main_that_is_paused_is_resumed_when_nobody_else_can_go_on():
    t = tasklet(channel().receive)()
    assert stackless.schedule_remove("back") == "back"
    assert t.blocked
    t.kill()


def test_an_error_reaches_a_waiting_main():
    def fails():
        raise ZeroDivisionError

    c = channel()
    tasklet(fails)()
    with pytest.raises(ZeroDivisionError):
        c.receive()
    assert c.balance == 0


def test_a_blocked_tasklet_is_no_deadlock_for_run():
    c = channel()
    t = tasklet(c.receive)()
    assert run() is None
    assert t.blocked
    t.kill()


# --- the object ------------------------------------------------------------------------------------------------------


def test_a_subclass_works():
    class Named(channel):
        def __init__(self, name):
            super().__init__()
            self.name = name

        def send(self, value):
            return channel.send(self, (self.name, value))

    c = Named("n")
    tasklet(c.send)(1)
    run()
    assert c.receive() == ("n", 1)
    run()


def test_pickling():
    c = channel()
    c.preference = 1
    c.schedule_all = 1
    c.close()
    again = pickle.loads(pickle.dumps(c))
    assert (again.preference, again.schedule_all, again.closing) == (1, 1, True)
    c.open()
    t = tasklet(c.receive)()
    run()
    with pytest.raises(NotImplementedError):
        pickle.dumps(c)
    t.kill()


def test_wrong_arguments():
    c = channel()
    with pytest.raises(TypeError, match=r"send\(\) takes exactly one argument \(0 given\)"):
        c.send()
    with pytest.raises(TypeError, match=r"send\(\) takes exactly one argument \(2 given\)"):
        c.send(1, 2)
    with pytest.raises(TypeError, match=r"receive\(\) takes no arguments \(1 given\)"):
        c.receive(1)


def test_a_mutex():
    class Mutex:
        def __init__(self):
            self.queue = channel()
            self.free = True

        def lock(self):
            if self.free:
                self.free = False
            else:
                self.queue.receive()

        def unlock(self):
            if self.queue.balance < 0:
                self.queue.send(None)
            else:
                self.free = True

    mutex = Mutex()
    log = []

    def task(name):
        mutex.lock()
        log.append((name, "in"))
        schedule()
        log.append((name, "out"))
        mutex.unlock()

    for name in "abc":
        tasklet(task)(name)
    run()
    assert [what for _, what in log] == ["in", "out"] * 3

"""greenlet.stackless: channels between threads."""

import sys
import threading
import time

import pytest
from support.processes import output_of
from support.scheduler import WITH_A_SCHEDULER

from greenlet.stackless import channel, run, tasklet

pytestmark = WITH_A_SCHEDULER


def test_a_command_loop_between_two_threads():
    commands = channel()
    log = []

    def master():
        for command in ("one", "two", "QUIT"):
            commands.send(command)

    def slave():
        while True:
            command = commands.receive()
            log.append(command)
            if command == "QUIT":
                break

    def run_until_it_ended(function):
        t = tasklet(function)()
        while t.alive:
            run()
            time.sleep(0)

    thread = threading.Thread(target=run_until_it_ended, args=(master,))
    thread.start()
    run_until_it_ended(slave)
    thread.join(60)
    assert log == ["one", "two", "QUIT"]


def test_main_tasklets_of_two_threads_meet():
    requests, answers = channel(), channel()

    def server():
        for request in requests:
            answers.send(request * 2)

    thread = threading.Thread(target=server)
    thread.start()
    got = []
    for i in range(200):
        requests.send(i)
        got.append(answers.receive())
    requests.send_exception(StopIteration)
    thread.join(60)
    assert not thread.is_alive()
    assert got == [2 * i for i in range(200)]


def test_threadblock_waits_for_other_threads():
    c = channel()
    got = []

    def sender():
        for i in range(3):
            time.sleep(0.01)
            c.send(i)

    t = tasklet(lambda: got.extend(c.receive() for _ in range(3)))()
    thread = threading.Thread(target=sender)
    thread.start()
    while t.alive:
        run(threadblock=True)
    thread.join(60)
    assert got == [0, 1, 2]


def test_threadblock_returns_when_a_tasklet_has_ended():
    orders, log = channel(), []

    def works():
        while (order := orders.receive()) != "stop":
            log.append(order)

    def other():
        worker = tasklet(works)()
        second = tasklet(channel().receive)()
        while worker.alive:
            run(threadblock=True)
        second.kill()

    thread = threading.Thread(target=other)
    thread.start()
    for order in ("this", "that", "stop"):
        orders.send(order)
    thread.join(10)
    assert not thread.is_alive()
    assert log == ["this", "that"]


def test_threadblock_returns_when_there_is_nobody_to_wait_for():
    assert (
        output_of("""
        import greenlet.stackless as stackless
        t = stackless.tasklet(stackless.channel().receive)()
        stackless.run(threadblock=True)
        print(t.blocked)
    """)
        == "True\n"
    )


def test_a_deadlock_of_all_threads_is_noticed_by_one():
    assert (
        output_of("""
        import threading
        import greenlet.stackless as stackless

        def other():
            try:
                c.receive()
            except RuntimeError as exception:
                errors.append(str(exception))
        c = stackless.channel()
        errors = []
        thread = threading.Thread(target=other)
        thread.start()
        try:
            stackless.channel().receive()
        except RuntimeError as exception:
            errors.append(str(exception))
        if thread.is_alive():
            c.send(None)
        thread.join()
        print(*set(errors))
    """)
        == "Deadlock: the last runnable tasklet cannot be blocked.\n"
    )


@pytest.mark.skipif(sys.platform == "win32", reason="os.kill() ends a process there")
def test_waiting_for_other_threads_can_be_interrupted():
    assert (
        output_of("""
        import os, signal, threading, time
        import greenlet.stackless as stackless

        signal.signal(signal.SIGINT, signal.default_int_handler)  # background jobs of a shell ignore the signal
        def other():
            time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.3)
        threading.Thread(target=other).start()
        c = stackless.channel()
        try:
            c.receive()
        except KeyboardInterrupt:
            print("KeyboardInterrupt", c.balance, stackless.runcount)
    """)
        == "KeyboardInterrupt 0 1\n"
    )


def test_a_waiting_thread_is_told_before_it_looks_itself():
    c, back = channel(), channel()
    thread = threading.Thread(target=lambda: [back.send(c.receive()) for _ in range(20)])
    thread.start()
    begin = time.monotonic()
    for i in range(20):
        c.send(i)
        assert back.receive() == i
    elapsed = time.monotonic() - begin
    thread.join(60)
    assert elapsed < 20 * 0.05

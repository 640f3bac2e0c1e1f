"""Two tasks that hand control to each other in the middle of their functions."""

from greenlet import greenlet


def task_1():
    print("Task 1 - Part 1")
    second.switch()
    print("Task 1 - Part 2")


def task_2():
    print("Task 2 - Part 1")
    first.switch()
    print("never printed: nothing switches back here")


first = greenlet(task_1)
second = greenlet(task_2)

if __name__ == "__main__":
    # Returns when the first task is done: a greenlet that finishes resumes its parent, the greenlet that created it.
    first.switch()

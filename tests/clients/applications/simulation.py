"""Models in salabim with greenlets as components. Each has the same result as the same model with generators.

Both variants come from one source. In the text of a model `wait.` marks each call that suspends a component. The mark
is removed for greenlets, and replaced by `yield` for generators.
"""

import gc
import hashlib
import time
import weakref

import salabim as sim
from session import check, figure

RESOURCES = """
class Customer(sim.Component):
    def setup(self, number):
        self.number = number

    def process(self):
        arrived = env.now()
        for stage in range(3):
            wait.self.request((clerks, 1 + self.number % 2), fail_delay=6)
            if self.failed():
                log(env.now(), self.number, stage, "leaves")
                return
            wait.self.hold(sim.Exponential(1.3).sample())
            self.release()
            log(env.now(), self.number, stage, "served")
        log(env.now(), self.number, "after", env.now() - arrived)

class Source(sim.Component):
    def process(self):
        for number in range(400):
            Customer(number=number)
            wait.self.hold(sim.Exponential(1).sample())

clerks = sim.Resource("clerks", 4)
Source()
env.run(till=1000)
log(clerks.occupancy.mean(), clerks.requesters().length_of_stay.mean())
"""

STORES = """
class Producer(sim.Component):
    def process(self):
        for number in range(150):
            wait.self.hold(sim.Uniform(0, 2).sample())
            wait.self.to_store(belt, sim.Component(f"part.{number}"), fail_delay=3)
            log(env.now(), self.name(), number, self.failed())

class Consumer(sim.Component):
    def process(self):
        while True:
            part = wait.self.from_store(belt, fail_delay=50)
            if self.failed():
                break
            wait.self.hold(sim.Triangular(0.5, 2, 1).sample())
            log(env.now(), self.name(), part.name())

belt = sim.Store("belt", capacity=5)
for _ in range(3):
    Producer()
for _ in range(2):
    Consumer()
env.run(till=2000)
"""

SIGNALS = """
class Machine(sim.Component):
    def process(self):
        while True:
            wait.self.wait((power, True), fail_delay=40)
            if self.failed():
                log(env.now(), self.name(), "no power")
                wait.self.passivate()
                log(env.now(), self.name(), "activated")
            wait.self.hold(2)
            log(env.now(), self.name(), "worked", self.remaining_duration())

class Disturber(sim.Component):
    def process(self):
        for step in range(200):
            wait.self.hold(sim.Uniform(0, 3).sample())
            machine = machines[step % len(machines)]
            power.set(step % 7 != 0)
            if machine.isscheduled():
                machine.interrupt()
                log(env.now(), machine.name(), "interrupted")
                wait.self.hold(0.5)
                machine.resume()
            elif machine.ispassive():
                machine.activate()
            if step == 100:
                machines.pop().cancel()
                machines[0].activate(process="process")

power = sim.State("power", value=False)
machines = [Machine() for _ in range(6)]
Disturber()
env.run(till=800)
"""

MODELS = {"customers at a resource": RESOURCES, "parts in a store": STORES, "machines that are interrupted": SIGNALS}


def run(model: str, with_greenlets: bool) -> tuple[str, int]:
    """Return a hash of the model's log, and its length."""
    lines = []
    sim.random_seed(12345)
    env = sim.Environment(yieldless=with_greenlets, time_unit="seconds")
    text = model.replace("wait.self", "self" if with_greenlets else "yield self")
    exec(text, {"sim": sim, "env": env, "log": lambda *what: lines.append(repr(what))})
    return hashlib.sha256("\n".join(lines).encode()).hexdigest(), len(lines)


def many_components(count: int) -> int:
    """Suspend all components at once, each in a nested call. Returns the sum of their counts."""
    total = 0

    class Ticker(sim.Component):
        def pause(self):
            self.hold(1)

        def process(self):
            nonlocal total
            for _ in range(5):
                self.pause()
                total += 1

    env = sim.Environment(yieldless=True)
    for _ in range(count):
        Ticker()
    env.run()
    return total


def error_in_a_component() -> None:
    class Broken(sim.Component):
        def process(self):
            self.hold(3)
            raise ZeroDivisionError(self.env.now())

    env = sim.Environment(yieldless=True)
    Broken()
    try:
        env.run(till=10)
    except ZeroDivisionError as error:
        assert error.args == (3,) and env.now() == 3
    else:
        raise AssertionError("the error of the component is lost")


def finished_components_are_freed() -> None:
    class Short(sim.Component):
        def process(self):
            self.hold(1)

    env = sim.Environment(yieldless=True)
    made = [weakref.ref(Short()) for _ in range(100)]
    env.run(till=2)
    gc.collect()
    assert not any(reference() for reference in made)


def main() -> None:
    for name, model in MODELS.items():
        with check(f"{name}: greenlets give what generators give"):
            with_greenlets, with_generators = run(model, True), run(model, False)
            assert with_greenlets == with_generators, f"{with_greenlets}, {with_generators}"
            assert with_greenlets[1] > 100
    with check("5,000 components at once"):
        begin = time.monotonic()
        assert many_components(5000) == 25_000
        figure("switches to a component/s", round(30_000 / (time.monotonic() - begin)))
    for step in (error_in_a_component, finished_components_are_freed):
        with check(step.__name__.replace("_", " ")):
            step()


if __name__ == "__main__":
    main()

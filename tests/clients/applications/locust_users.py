"""The users of load.py: one kind uses requests, the other geventhttpclient. Each sends some requests and leaves."""

import gevent
from locust import FastHttpUser, HttpUser, User, task
from locust.exception import StopUser

TURNS = 15
users = []


class Visits(User):
    abstract = True
    turns = 0

    def wait_time(self):
        self.turns += 1
        if self.turns == TURNS:
            raise StopUser
        return 0.01

    def on_start(self):
        users.append(self)

    def on_stop(self):
        users.remove(self)
        if not users:
            gevent.spawn(self.environment.runner.quit)

    @task(3)
    def page(self):
        number = self.turns
        with self.client.get(f"/page/{number}", name="page", catch_response=True) as response:
            if response.text != f"page {number}":
                response.failure(f"wrong: {response.text!r}")

    @task(1)
    def posts(self):
        with self.client.post("/echo", data="x" * 5000, name="echo", catch_response=True) as response:
            if response.text != "x" * 5000:
                response.failure("wrong")

    @task(1)
    def two_at_once(self):
        jobs = [gevent.spawn(self.client.get, f"/page/{number}", name="in greenlets") for number in range(2)]
        gevent.joinall(jobs, raise_error=True)

    @task(1)
    def nothing_there(self):
        with self.client.get("/nothing", name="nothing", catch_response=True) as response:
            if response.status_code == 404:
                response.success()


class Requests(HttpUser, Visits):
    pass


class Fast(FastHttpUser, Visits):
    pass

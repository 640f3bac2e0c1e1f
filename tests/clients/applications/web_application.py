"""A Flask application whose view switches 40 frames deep."""

import gevent
from flask import Flask

application = Flask(__name__)


def descend(levels: int) -> int:
    if levels:
        return descend(levels - 1) + 1
    gevent.sleep(0.001)
    return 0


@application.get("/")
def deep() -> str:
    return f"{descend(40)} frames"

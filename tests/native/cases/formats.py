"""Serialization in C and Rust, of nested data: orjson, ujson, rapidjson, simplejson, msgpack, cbor2, BSON."""

from case import as_deep, case, pypi
from journal import deepest

ORJSON = pypi("orjson")
UJSON = pypi("ujson")
RAPIDJSON = pypi("python-rapidjson")
SIMPLEJSON = pypi("simplejson")
MSGPACK = pypi("msgpack")
CBOR2 = pypi("cbor2")
PYMONGO = pypi("pymongo")

MOST = 20_000


def nested(depth):
    value = {"a": 1}
    for _ in range(depth // 2):
        value = {"a": [value]}
    return value


def depths(loads, dumps, *errors):
    """How deep JSON is read, and data written."""
    return [
        deepest(lambda depth: loads('{"a":[' * (depth // 2) + "1" + "]}" * (depth // 2)), MOST, *errors),
        deepest(lambda depth: dumps(nested(depth)), MOST, *errors),
    ]


@case(ORJSON, same=as_deep, fast=True)
def orjson():
    """Nested JSON is read and written, to its limits."""
    import orjson

    return depths(orjson.loads, orjson.dumps, orjson.JSONDecodeError, orjson.JSONEncodeError)


@case(UJSON, same=as_deep)
def ujson():
    """Nested JSON is read and written, to its limits."""
    import ujson

    return depths(ujson.loads, ujson.dumps, ValueError, OverflowError)


@case(RAPIDJSON, same=as_deep)
def rapidjson():
    """Nested JSON is read and written, to its limits."""
    import rapidjson

    return depths(rapidjson.loads, rapidjson.dumps, rapidjson.JSONDecodeError)


@case(SIMPLEJSON, same=as_deep)
def simplejson():
    """Nested JSON is read and written, to its limits."""
    import simplejson

    return depths(simplejson.loads, simplejson.dumps, simplejson.JSONDecodeError)


@case(MSGPACK, same=as_deep)
def msgpack():
    """Nested data is packed and unpacked, to its limits."""
    import msgpack

    def convert(depth):
        assert msgpack.unpackb(msgpack.packb(nested(depth))) is not None

    return deepest(convert, MOST, ValueError, msgpack.UnpackException)


@case(CBOR2, same=as_deep)
def cbor2():
    """Nested data is encoded and decoded, to its limits."""
    import cbor2

    def convert(depth):
        assert cbor2.loads(cbor2.dumps(nested(depth))) is not None

    return deepest(convert, 5000, cbor2.CBORError)


@case(PYMONGO, same=as_deep)
def bson():
    """Nested documents become BSON there and back, to its limits."""
    import bson
    from bson.errors import BSONError

    def convert(depth):
        assert bson.decode(bson.encode(nested(depth))) is not None

    return deepest(convert, MOST, BSONError)

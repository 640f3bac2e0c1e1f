"""Models and messages, nested: pydantic, msgspec, protobuf, gRPC."""

from case import as_deep, case, in_greenlet, pypi
from journal import deepest, step

PYDANTIC = pypi("pydantic")
PYDANTIC_IN_GEVENT = pypi("pydantic", "gevent")
PYDANTIC_IN_SQLALCHEMY = pypi("pydantic", "sqlalchemy[asyncio]", "aiosqlite")
MSGSPEC = pypi("msgspec")
PROTOBUF = pypi("protobuf")
GRPC = pypi("grpcio", "gevent")

DEPTHS = (50, 150, *range(190, 256))
SERVED = 150  # depth of the nested data of a request


def node_type():
    """Return a model with a field that is a list of the same model."""
    from typing import Self

    from pydantic import BaseModel

    class Node(BaseModel):
        name: str = "node"
        replies: list[Self] = []

    return Node


def nested(depth):
    data = {"name": "leaf", "replies": []}
    for _ in range(depth - 1):
        data = {"name": "node", "replies": [data]}
    return data


def depth_of(node):
    depth = 1
    while node.replies:
        depth, node = depth + 1, node.replies[0]
    return depth


def at_all_depths(function):
    """Return the greatest depth of DEPTHS up to which *function* raises no RecursionError or ValidationError."""
    from pydantic_core import PydanticSerializationError, ValidationError

    reached = 0
    for depth in DEPTHS:
        step(f"depth {depth}")
        try:
            function(depth)
        except (RecursionError, ValidationError, PydanticSerializationError):
            break
        reached = depth
    return reached


@case(PYDANTIC, same=as_deep, fast=True)
def model_validate():
    """Models in models are validated, to pydantic-core's limit."""
    node = node_type()

    def validate(depth):
        assert depth_of(node.model_validate(nested(depth))) == depth

    return at_all_depths(validate)


@case(PYDANTIC, same=as_deep)
def model_validate_json():
    """JSON of models in models, to the limit of the JSON parser."""
    from pydantic import ValidationError

    node = node_type()

    def validate(depth):
        data = '{"name": "node", "replies": [' * depth + "]}" * depth
        assert depth_of(node.model_validate_json(data)) == depth

    return deepest(validate, 300, ValidationError)


@case(PYDANTIC, same=as_deep)
def model_dump():
    """Models in models become dictionaries again."""
    node = node_type()

    def dump(depth):
        assert node.model_validate(nested(depth)).model_dump() == nested(depth)

    return at_all_depths(dump)


@case(PYDANTIC, same=as_deep)
def model_dump_json():
    """Models in models become JSON."""
    node = node_type()
    return at_all_depths(lambda depth: node.model_validate(nested(depth)).model_dump_json())


@case(PYDANTIC, same=as_deep)
def comparison_of_models():
    """Models in models are compared with ==."""
    node = node_type()

    def compare(depth):
        assert node.model_validate(nested(depth)) == node.model_validate(nested(depth))

    return at_all_depths(compare)


@case(PYDANTIC, same=as_deep)
def repr_of_models():
    """The repr() of models in models."""
    node = node_type()
    return at_all_depths(lambda depth: repr(node.model_validate(nested(depth))))


@case(PYDANTIC, same=as_deep)
def copy_of_models():
    """model_copy(deep=True) of models in models."""
    node = node_type()

    def copy(depth):
        assert depth_of(node.model_validate(nested(depth)).model_copy(deep=True)) == depth

    return at_all_depths(copy)


@case(PYDANTIC)
def schemas():
    """Models nested in 30 different models are built, with their JSON schema."""
    from pydantic import TypeAdapter, create_model

    model = create_model("Model0", value=(int, 0))
    for i in range(1, 30):
        model = create_model(f"Model{i}", inner=(model | None, None), more=(dict[str, list[int]], {}))
    adapter = TypeAdapter(list[model])
    return [len(adapter.json_schema()["$defs"]), adapter.validate_python([{"inner": None}])[0].more]


def in_pywsgi(function):
    """Call *function* in a request handler of gevent's WSGI server."""
    import json
    import urllib.error

    import gevent.monkey

    gevent.monkey.patch_socket()
    import urllib.request

    from gevent.pywsgi import WSGIServer

    def application(environment, start_response):
        result = json.dumps(function()).encode()
        start_response("200 OK", [("Content-Type", "application/json")])
        return [result]

    server = WSGIServer(("127.0.0.1", 0), application, log=None)
    server.start()

    def post():
        request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}/", data=b"{}")
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.status == 200
            return json.loads(response.read())

    try:
        return gevent.spawn(post).get(timeout=30)
    finally:
        server.stop()


@case(PYDANTIC_IN_GEVENT, inside=in_pywsgi, fast=True)
def nested_request():
    """A handler of gevent.pywsgi validates a request nested 150 deep, and answers 200."""
    import json

    body = json.dumps(nested(SERVED))
    node = node_type().model_validate(json.loads(body))
    return [depth_of(node), len(node.model_dump_json()), node.model_dump() == nested(SERVED)]


def in_run_sync(function):
    """Call *function* in the greenlet of an asynchronous session of SQLAlchemy."""
    import asyncio

    from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

    async def main():
        engine = create_async_engine("sqlite+aiosqlite:///:memory:")
        try:
            async with AsyncSession(engine) as session:
                return await session.run_sync(lambda _: function())
        finally:
            await engine.dispose()

    return asyncio.run(main())


@case(PYDANTIC_IN_SQLALCHEMY, inside=in_run_sync, fast=True)
def validate_in_run_sync():
    """session.run_sync() of SQLAlchemy on aiosqlite validates models nested 150 deep."""
    return depth_of(node_type().model_validate(nested(SERVED)))


@case(MSGSPEC, same=as_deep)
def structs():
    """Structs in structs, as JSON and as MessagePack, there and back, compared and printed."""
    import msgspec

    node = msgspec.defstruct("Node", [("replies", "list[Node]", [])], namespace={"__module__": __name__})
    globals()["Node"] = node  # where the annotation is looked up

    def convert(depth):
        data = "[]"
        value = node()
        for _ in range(depth):
            data, value = f'[{{"replies":{data}}}]', node([value])
        for module in (msgspec.json, msgspec.msgpack):
            assert module.decode(module.encode(value), type=node) == value
        assert msgspec.convert(msgspec.to_builtins(value), node) == value and repr(value)

    return deepest(convert, 3000, msgspec.MsgspecError)


def nested_message(depth):
    from google.protobuf.descriptor_pb2 import DescriptorProto

    message = outer = DescriptorProto(name="outer")
    for _ in range(depth):
        message = message.nested_type.add(name="inner")
    return outer


@case(PROTOBUF, same=as_deep)
def binary_messages():
    """Messages in messages, to protobuf's limit of 100: serialized, parsed, compared, copied, printed."""
    import copy

    from google.protobuf.message import DecodeError, EncodeError

    def convert(depth):
        message = nested_message(depth)
        assert type(message).FromString(message.SerializeToString()) == message == copy.deepcopy(message)
        assert message.ByteSize() and str(message) and message.IsInitialized()

    return deepest(convert, 200, DecodeError, EncodeError)


@case(PROTOBUF, same=as_deep)
def messages_as_json_and_text():
    """Messages in messages as JSON, to its limit of 100, and as text."""
    from google.protobuf import json_format, text_format

    def convert(depth):
        message = nested_message(depth)
        assert json_format.Parse(json_format.MessageToJson(message), type(message)()) == message
        assert text_format.Parse(text_format.MessageToString(message), type(message)()) == message

    return deepest(convert, 200, json_format.ParseError, text_format.ParseError)


def with_patched_grpc(function):
    """Call *function* in a greenlet of gevent, with gRPC in its gevent mode."""
    import grpc.experimental.gevent

    grpc.experimental.gevent.init_gevent()
    import gevent

    return gevent.spawn(function).get(timeout=60)


def call_server():
    """Return the answers of a server in this process to calls of each kind."""
    from concurrent import futures

    import grpc

    def echo(request, context):
        return request * 2

    def several(request, context):
        yield from [request] * 3

    handler = grpc.method_handlers_generic_handler(
        "test.Echo",
        {"One": grpc.unary_unary_rpc_method_handler(echo), "Several": grpc.unary_stream_rpc_method_handler(several)},
    )
    server = grpc.server(futures.ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        one, several_of = channel.unary_unary("/test.Echo/One"), channel.unary_stream("/test.Echo/Several")
        results = [len(one(b"a" * 100_000, timeout=20)), len(list(several_of(b"b", timeout=20)))]
        results.append([future.result(timeout=20).decode() for future in [one.future(b"c") for _ in range(5)]])
    server.stop(None).wait(20)
    return results


@case(GRPC, inside=in_greenlet)
def calls():
    """Calls of a server in the same process."""
    return call_server()


@case(GRPC, inside=with_patched_grpc)
def calls_through_gevent():
    """The same, with grpc.experimental.gevent."""
    return call_server()

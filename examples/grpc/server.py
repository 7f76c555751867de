#!/usr/bin/env python3
"""helloworld.Greeter: SayHello answers once, SayHelloStream three times; the name "nobody" is NOT_FOUND.

usage: server.py PORT          (needs grpcio: apt install python3-grpcio)

The messages are those of gRPC's helloworld.proto, written by hand so that nothing has to be generated: a string as
field 1.
"""
import sys
from concurrent import futures

import grpc


def encode(text):
    data = text.encode()
    return b"\x0a" + bytes([len(data)]) + data


def decode(message):
    return message[2 : 2 + message[1]].decode() if len(message) > 1 else ""


def say_hello(name, context):
    if name == "nobody":
        context.abort(grpc.StatusCode.NOT_FOUND, "there is nobody")
    return f"Hello {name}"


def say_hello_stream(name, context):
    for i in range(3):
        yield f"Hello {name} {i}"


class Greeter(grpc.GenericRpcHandler):
    def service(self, call):
        if call.method == "/helloworld.Greeter/SayHello":
            return grpc.unary_unary_rpc_method_handler(say_hello, decode, encode)
        if call.method == "/helloworld.Greeter/SayHelloStream":
            return grpc.unary_stream_rpc_method_handler(say_hello_stream, decode, encode)
        return None


server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers((Greeter(),))
if server.add_insecure_port("127.0.0.1:" + sys.argv[1]) == 0:
    sys.exit(f"cannot listen on port {sys.argv[1]}")
server.start()
print("ready", flush=True)
server.wait_for_termination()

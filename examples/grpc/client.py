#!/usr/bin/env python3
"""Calls helloworld.Greeter.

usage: client.py HOST:PORT [NAME]          (needs grpcio: apt install python3-grpcio)
"""
import sys

import grpc


def encode(text):
    data = text.encode()
    return b"\x0a" + bytes([len(data)]) + data


def decode(message):
    return message[2 : 2 + message[1]].decode() if len(message) > 1 else ""


name = sys.argv[2] if len(sys.argv) > 2 else "World"
channel = grpc.insecure_channel(sys.argv[1])
try:
    print(channel.unary_unary("/helloworld.Greeter/SayHello", encode, decode)(name, timeout=10))
    for answer in channel.unary_stream("/helloworld.Greeter/SayHelloStream", encode, decode)(name, timeout=10):
        print(answer)
except grpc.RpcError as error:
    sys.exit(f"{error.code().name}: {error.details()}")

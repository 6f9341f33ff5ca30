"""A stand-in for the AWS provider that knows its schema and nothing else: enough for `terraform validate` and `test`.

Terraform starts it as a plugin, asks for the schema, and then checks every name, type and reference by
itself. It reaches no account and makes no plan of its own; `terraform test` mocks the values.
Started by `infra/check`, which is also where TLS between Terraform and its plugin is switched off.

Source: Terraform's plugin protocol, version 6 (``tfplugin6.proto``); HashiCorp's go-plugin, its handshake.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc

_SCHEMA = Path(__file__).resolve().with_name("aws.json")
_NESTING = {"single": (1, 0), "one": (2, 1), "list": (2, 0), "set": (3, 0), "map": (4, 0)}
"""By the schema's word: the protocol's nesting mode, and the most blocks (0: any number)."""
_LARGEST_BYTES = 64 * 1024 * 1024
_SEVEN_BITS = 0x7F


def main() -> int:
    """Serve until Terraform ends this process."""
    schema = json.loads(_SCHEMA.read_text(encoding="utf-8"))
    answers = {"GetProviderSchema": provider_schema(schema)}
    server = grpc.server(
        ThreadPoolExecutor(max_workers=8),
        options=[("grpc.max_send_message_length", _LARGEST_BYTES), ("grpc.max_receive_message_length", _LARGEST_BYTES)],
    )
    # Every check that a provider could add is answered with: nothing to say.
    silent = ("ValidateProviderConfig", "ValidateResourceConfig", "ValidateDataResourceConfig", "StopProvider")
    methods = {name: _answering(answers.get(name, b"")) for name in (*answers, *silent)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tfplugin6.Provider", methods),))

    def shut_down(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        server.stop(grace=0)
        return b""

    # Without an answer to this, Terraform waits two seconds for every one of us before it ends us.
    ending = {"Shutdown": _handler(shut_down)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("plugin.GRPCController", ending),))
    with tempfile.TemporaryDirectory() as folder:
        address = f"{folder}/provider.sock"
        server.add_insecure_port(f"unix:{address}")
        server.start()
        sys.stdout.write(f"1|6|unix|{address}|grpc|\n")
        sys.stdout.flush()
        server.wait_for_termination()
    return 0


def provider_schema(schema: Mapping[str, Any]) -> bytes:
    """Return the message ``GetProviderSchema.Response``."""
    message = _message(1, _schema(schema["provider_block"]))
    for number, kind in ((2, "resource"), (3, "data")):
        for name, block in schema[kind].items():
            message += _message(number, _text(1, name) + _message(2, _schema(block)))
    return message


def _schema(block: Mapping[str, Any]) -> bytes:
    return _message(2, _block(block))


def _block(block: Mapping[str, Any]) -> bytes:
    message = b""
    for name, each in block["attributes"].items():
        uses = b"".join(
            _number(number, 1)
            for number, use in ((4, "required"), (5, "optional"), (6, "computed"))
            if each.get(use, False)
        )
        message += _message(2, _text(1, name) + _text(2, json.dumps(each["type"])) + uses)
    for name, each in block["blocks"].items():
        nesting, most = _NESTING[each["nesting"]]
        least = 1 if each.get("required") and nesting != _NESTING["single"][0] else 0
        message += _message(
            3, _text(1, name) + _message(2, _block(each)) + _number(3, nesting) + _number(4, least) + _number(5, most)
        )
    return message


# --- protocol buffers, as far as a schema needs them: numbers, texts, messages within messages


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > _SEVEN_BITS:
        found.append(value & _SEVEN_BITS | 0x80)
        value >>= 7
    return bytes((*found, value))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value) if value else b""


def _message(field: int, body: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(body)) + body


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())


def _answering(answer: bytes) -> Any:
    def handle(_request: bytes, _context: grpc.ServicerContext) -> bytes:
        return answer

    return _handler(handle)


def _handler(handle: Callable[[bytes, grpc.ServicerContext], bytes]) -> Any:
    """Return what answers one method with messages as they are, in bytes."""
    unchanged: Callable[[bytes], bytes] = bytes
    return grpc.unary_unary_rpc_method_handler(handle, request_deserializer=unchanged, response_serializer=unchanged)


if __name__ == "__main__":
    sys.exit(main())

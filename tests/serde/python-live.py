"""The Python side of python-live.test.ts: reads commands in JSON, one a line, and answers each with a line."""
import datetime
import json
import sys
import zlib

from pymemcache.client.base import Client
from pymemcache.serde import FLAG_COMPRESSED, PickleSerde


class CompressedSerde(object):
    """As pymemcache 4 has it, for those who have an older one."""

    def __init__(self, inner, min_compress_len=400):
        self.inner = inner
        self.min_compress_len = min_compress_len

    def serialize(self, key, value):
        value, flags = self.inner.serialize(key, value)
        if isinstance(value, str):
            value = value.encode("ascii")
        if len(value) > self.min_compress_len > 0:
            compressed = zlib.compress(value)
            if len(compressed) <= len(value):
                return compressed, flags | FLAG_COMPRESSED
        return value, flags

    def deserialize(self, key, value, flags):
        if flags & FLAG_COMPRESSED:
            value = zlib.decompress(value)
            flags -= FLAG_COMPRESSED
        return self.inner.deserialize(key, value, flags)


def evaluate(expression):
    return eval(expression, vars(datetime))


def main():
    port = int(sys.argv[1])
    for line in sys.stdin:
        command = json.loads(line)
        serde = PickleSerde(pickle_version=command.get("protocol", 2))
        if command["compressed"]:
            serde = CompressedSerde(serde)
        client = Client(("127.0.0.1", port), serde=serde)
        if command["do"] == "json":
            client = Client(("127.0.0.1", port))
        value = evaluate(command["expression"])
        if command["do"] == "set":
            answer = client.set(command["key"], value, noreply=False)
        elif command["do"] == "json":
            read = json.loads(client.get(command["key"])) == value
            answer = client.set(command["key"], json.dumps(value), flags=64, noreply=False) and read
        else:
            stored = client.get(command["key"])
            answer = "equal" if repr(stored) == repr(value) else repr(stored)[:200]
        client.close()
        print(json.dumps(answer), flush=True)


main()

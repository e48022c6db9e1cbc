"""Gets of many threads, each with a client of its own: clients of Python wait for each reply. Prints the CPU time of a get in microseconds."""
import importlib
import os
import sys
import threading
import time

library, port, outstanding, seconds = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])


def make():
    if library == 'pymemcache':
        from pymemcache.client.base import Client

        return Client(('127.0.0.1', port), no_delay=True)
    if library == 'pylibmc':
        import pylibmc

        return pylibmc.Client([f'127.0.0.1:{port}'], behaviors={'tcp_nodelay': True})
    import memcache

    return memcache.Client([f'127.0.0.1:{port}'])


importlib.import_module(library)
keys = [f'bench:key:{i:09d}' for i in range(1000)]
value = 'x' * 100
first = make()
for key in keys:
    first.set(key, value)
calls = [0] * outstanding
until = 0.0


def lane(index):
    client = make()
    count = 0
    while time.monotonic() < until:
        for key in keys[:50]:
            client.get(key)
        count += 50
    calls[index] = count


def run(duration):
    global until
    until = time.monotonic() + duration
    threads = [threading.Thread(target=lane, args=(index,)) for index in range(outstanding)]
    before = sum(os.times()[:2])
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (sum(os.times()[:2]) - before) / sum(calls) * 1e6


run(seconds / 4)
print(run(seconds))

"""One find-missing for many names against a HEAD for each of them."""
import os
import sys
import time
import urllib.parse

import machine
from figures import Figures, table
from measure_serving import fill, sibling_that_is_missing, write_targets
from servers import Larderd, load


def find_missing(server, names, missing):
    body = "".join(name + "\n" for name in names).encode()
    before, began = server.cpu(), time.monotonic()
    status, answer = server.request("POST", "/-/v1/find-missing?namespace=sstate-cache", body)
    seconds = time.monotonic() - began
    if status != 200 or answer.decode().splitlines() != missing:
        raise RuntimeError("find-missing: status %d, %d bytes that are not the missing names" % (status, len(answer)))
    return seconds, server.cpu() - before


def heads_by_python(server, names):
    """As BitBake asks: Python's http.client, one connection; without its certificate loading."""
    connection = server.connection()
    before, began = server.cpu(), time.monotonic()
    for name in names:
        server.request("HEAD", "/sstate-cache/" + urllib.parse.quote(name), connection=connection)
    seconds = time.monotonic() - began
    connection.close()
    return seconds, server.cpu() - before


def heads(programs, server, targets, count, connections):
    run = load(programs, server, "HEAD", targets, count, expect=(200, 404), connections=connections)
    return run["seconds"], run["cpu"]


def paragraphs(programs, work, options):
    count = 500 if options.quick else 10000
    stored = fill(programs, os.path.join(work, "data"), count, 64)
    missing = [sibling_that_is_missing(name) for name in stored[1::2]]
    asked = stored[:]
    asked[1::2] = missing
    targets = write_targets(os.path.join(work, "asked"), asked)
    server = Larderd(programs, os.path.join(work, "data"), loops=1)
    ways = [("one find-missing", lambda: find_missing(server, asked, missing)),
            ("HEADs on 16 connections", lambda: heads(programs, server, targets, count, 16)),
            ("HEADs on 1 connection", lambda: heads(programs, server, targets, count, 1)),
            ("HEADs on 1 connection, Python's http.client", lambda: heads_by_python(server, asked))]
    results = [(name, Figures(), Figures(), way) for name, way in ways]
    with server:
        server.start(machine.SERVER_CORE)
        for number in range(options.rounds + 1):
            for _, seconds, cpu, way in results:
                figures = way()
                if number > 0:  # round 0 warms up
                    seconds.add(figures[0])
                    cpu.add(figures[1])
            print("find-missing: round %d of %d" % (number, options.rounds), file=sys.stderr)
    first_seconds, first_cpu = results[0][1], results[0][2]
    rows = [[name, seconds.text(0, 1e3), seconds.over(first_seconds).text(1), cpu.text(0, 1e3),
             cpu.over(first_cpu).text(1)] for name, seconds, cpu, _ in results]
    yield ("%d names, every other one missing; `loops: 1`, the server on core %d, the load generator on core %d."
           % (count, machine.SERVER_CORE, machine.LOAD_CORE))
    yield table(["way", "ms", "ratio", "CPU of the server, ms", "ratio"], rows)

"""CPU time per HEAD hit, HEAD miss and GET, against nginx on the same tree."""
import contextlib
import os
import re
import subprocess
import sys
import urllib.parse

import machine
from figures import Figures, table
from servers import Larderd, Nginx, load

NAMESPACE = "sstate-cache"
HASH = re.compile(r":([0-9a-f]{64})_")


def write_targets(file, names):
    with open(file, "w") as out:
        for name in names:
            out.write("/%s/%s\n" % (NAMESPACE, urllib.parse.quote(name)))
    return file


def sibling_that_is_missing(name):
    """The same recipe and task in the same directory under another hash: what a miss looks like."""
    digits = HASH.search(name).group(1)
    return name.replace(digits, digits[:4] + digits[:3:-1])


def fill(programs, data, names, size, contents=None):
    """Fills a data directory and returns the names in it."""
    names_file = data + ".names"
    subprocess.run([programs.fill, data, "--names", str(names), "--size", str(size),
                    "--contents", str(contents or names), "--list", names_file], check=True)
    with open(names_file) as file:
        return file.read().splitlines()


def start_servers(stack, programs, work, tree, names, core):
    servers = [Larderd(programs, os.path.join(work, "data"), loops=1),
               Larderd(programs, os.path.join(work, "logged"), "larder, access log to a file",
                       access=os.path.join(work, "access.log"), loops=1)]
    if programs.nginx:
        servers += [Nginx(programs, os.path.join(work, "nginx-stock"), tree, "nginx, stock"),
                    Nginx(programs, os.path.join(work, "nginx-cache"), tree, "nginx, open_file_cache",
                          cached=2 * names + 1000)]
    for server in servers:
        server.start(core)
        stack.enter_context(server)
    return servers


def measure(programs, servers, kind, rounds, requests):
    """server name: (CPU seconds per request, requests per second), each as Figures."""
    what, method, targets, status = kind
    results = {server.name: (Figures(), Figures()) for server in servers}
    for number in range(rounds + 1):
        for i in range(len(servers)):  # each round begins with another
            server = servers[(number + i) % len(servers)]
            run = load(programs, server, method, targets, requests, expect=(status,))
            if number == 0:
                continue  # warms everybody up
            results[server.name][0].add(run["cpu"] / run["requests"])
            results[server.name][1].add(run["requests"] / run["seconds"])
        print("serving: %s, round %d of %d" % (what, number, rounds), file=sys.stderr)
    return results


def report(what, results):
    references = [name for name in results if name.startswith("nginx")]
    rows = []
    for name, (cpu, rate) in results.items():
        ratios = [results[each][0].over(cpu).text(2) if each != name else "1" for each in references]
        rows.append([name, cpu.text(1, 1e6), rate.text(0, 1e-3), *ratios])
    head = [what, "CPU, µs per request", "1000 requests/s", *("%s = 1" % each for each in references)]
    return table(head, rows)


def paragraphs(programs, work, options):
    names, requests = (500, 2000) if options.quick else (10000, 100000)
    data = os.path.join(work, "data")
    hits = fill(programs, data, names, 20480)
    fill(programs, os.path.join(work, "logged"), names, 20480)
    hit_file = write_targets(os.path.join(work, "hits"), hits)
    miss_file = write_targets(os.path.join(work, "misses"), map(sibling_that_is_missing, hits))
    kinds = [("HEAD, hit", "HEAD", hit_file, 200), ("HEAD, miss", "HEAD", miss_file, 404),
             ("GET of 20 KiB", "GET", hit_file, 200)]
    yield ("%d names, 64 connections, %d requests a run; each server on core %d, the load on core %d. Ratios are "
           "nginx's CPU time over that of the row, of the same round: more than 1 means less CPU than nginx."
           % (names, requests, machine.SERVER_CORE, machine.LOAD_CORE))
    if not programs.nginx:
        yield "nginx is not installed, so there is nothing to compare with."
    with contextlib.ExitStack() as stack:
        servers = start_servers(stack, programs, work, os.path.join(data, "tree"), names, machine.SERVER_CORE)
        for kind in kinds:
            yield report(kind[0], measure(programs, servers, kind, options.rounds, requests))

"""CPU time per HEAD hit, HEAD miss and GET, against nginx on the same tree."""
import contextlib
import os
import re
import subprocess
import sys
import urllib.parse

import machine
from figures import Figures, table
from servers import Floor, Larderd, Nginx, PythonServer, load

NAMESPACE = "sstate-cache"
STOCK, CACHED = "nginx, stock", "nginx, open_file_cache"
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


def fill(programs, data, names, size, contents=None, more=()):
    """Fills a data directory and returns the names in it."""
    names_file = data + ".names"
    subprocess.run([programs.fill, data, "--names", str(names), "--size", str(size),
                    "--contents", str(contents or names), "--list", names_file, *more], check=True)
    with open(names_file) as file:
        return file.read().splitlines()


def start_servers(stack, programs, work, tree, names, core):
    servers = [Larderd(programs, os.path.join(work, "data"), loops=1),
               Larderd(programs, os.path.join(work, "logged"), "larder, access log to a file",
                       access=os.path.join(work, "access.log"), loops=1)]
    if programs.nginx:
        cached = 2 * names + 1000
        log = "%s combined buffer=256k flush=1s" % os.path.join(work, "nginx.log")
        servers += [Nginx(programs, os.path.join(work, "nginx-stock"), tree, STOCK),
                    Nginx(programs, os.path.join(work, "nginx-cache"), tree, CACHED, cached=cached),
                    Nginx(programs, os.path.join(work, "nginx-log"), tree, "nginx, open_file_cache, access log",
                          cached=cached, access=log)]
    servers += [PythonServer(work, tree), Floor(programs, work)]
    for server in servers:
        server.start(core)
        stack.enter_context(server)
    return servers


def measure(programs, servers, kind, rounds):
    """server name: (CPU seconds per request, requests per second, p50, p99 in seconds), each as Figures."""
    results = {server.name: (Figures(), Figures(), Figures(), Figures()) for server in servers}
    for number in range(rounds + 1):
        for i in range(len(servers)):  # each round begins with another
            server = servers[(number + i) % len(servers)]
            requests = max(kind.connections, int(kind.requests * server.share))
            status = 200 if isinstance(server, Floor) else kind.status
            run = load(programs, server, kind.method, kind.targets, requests, expect=(status,),
                       connections=kind.connections)
            if number == 0:
                continue  # warms everybody up
            cpu, rate, p50, p99 = results[server.name]
            cpu.add(run["cpu"] / run["requests"])
            rate.add(run["requests"] / run["seconds"])
            p50.add(run["p50_us"] / 1e6)
            p99.add(run["p99_us"] / 1e6)
        print("%s, round %d of %d" % (kind.what, number, rounds), file=sys.stderr)
    return results


def report(what, results, per="request", digits=1, scale=1e6, unit="µs"):
    references = [name for name in (STOCK, CACHED) if name in results]
    rows = []
    for name, (cpu, rate, p50, p99) in results.items():
        ratios = [results[each][0].over(cpu).text(2) if each != name else "1" for each in references]
        rows.append([name, cpu.text(digits, scale), "%.0f" % rate.median,
                     "%.0f / %.0f" % (p50.median * 1e6, p99.median * 1e6), *ratios])
    head = [what, "CPU, %s per %s" % (unit, per), "%ss/s" % per, "p50 / p99, µs",
            *("%s = 1" % each for each in references)]
    return table(head, rows)


class Kind:
    def __init__(self, what, method, targets, status, requests, connections):
        self.what, self.method, self.targets, self.status = what, method, targets, status
        self.requests, self.connections = requests, connections


def paragraphs(programs, work, options):
    names, requests = (500, 1000) if options.quick else (10000, 20000)
    data = os.path.join(work, "data")
    hits = fill(programs, data, names, 20480)
    fill(programs, os.path.join(work, "logged"), names, 20480)
    hit_file = write_targets(os.path.join(work, "hits"), hits)
    miss_file = write_targets(os.path.join(work, "misses"), map(sibling_that_is_missing, hits))
    kinds = []
    # Python's listens for 5 at a time: more than that come seconds later.
    many, others = (4, ()) if options.quick else (64, (1, 500))
    for connections in (many, *others):
        count = requests if connections > 1 else requests // 5
        kinds += [Kind("HEAD, hit, %d connections" % connections, "HEAD", hit_file, 200, count, connections),
                  Kind("HEAD, miss, %d connections" % connections, "HEAD", miss_file, 404, count, connections)]
    kinds.append(Kind("GET of 20 KiB, %d connections" % many, "GET", hit_file, 200, requests, many))
    yield ("%d names, %d requests a run; each server on core %d, the load on core %d. Ratios are nginx's CPU time "
           "over that of the row, of the same round: more than 1 means less CPU than nginx."
           % (names, requests, machine.SERVER_CORE, machine.LOAD_CORE))
    if not programs.nginx:
        yield "nginx is not installed, so there is nothing to compare with."
    with contextlib.ExitStack() as stack:
        servers = start_servers(stack, programs, work, os.path.join(data, "tree"), names, machine.SERVER_CORE)
        for kind in kinds:
            # Python's ends the connection after a miss, and is no use to hundreds at once.
            python_is = kind.status == 200 and kind.connections <= 64
            able = [each for each in servers if python_is or not isinstance(each, PythonServer)]
            if kind.method == "GET":
                able = [each for each in able if not isinstance(each, Floor)]
            yield report(kind.what, measure(programs, able, kind, options.rounds))

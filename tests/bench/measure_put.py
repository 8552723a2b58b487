"""CPU time and rate of uploads, against nginx's dav module on the same file system."""
import contextlib
import os
import subprocess
import sys
import urllib.parse

import machine
from figures import Figures, table
from measure_serving import fill, write_targets
from servers import Larderd, Nginx, load

MEBIBYTE = 2**20
PLAIN, SYNCED = "nginx dav", "nginx dav, then fsync of file and directory"


def servers_for(programs, work):
    """(server, what the load generator has to do more): all write below `work`."""
    found = [(Larderd(programs, os.path.join(work, each), "larder, durability %s" % each, durability=each), ())
             for each in ("none", "batch")]
    if programs.nginx:
        for name in (PLAIN, SYNCED):
            directory = os.path.join(work, "nginx-%d" % len(found))
            root = directory + "-root"
            os.mkdir(root)
            found.append((Nginx(programs, directory, root, name, dav=True),
                          ("--sync-below", root) if name == SYNCED else ()))
    return found


def measure(programs, servers, targets, requests, connections, size, rounds):
    """server name: (CPU seconds per upload, uploads per second), each as Figures."""
    results = {server.name: (Figures(), Figures()) for server, _ in servers}
    for number in range(rounds + 1):
        for i in range(len(servers)):
            server, more = servers[(number + i) % len(servers)]
            os.sync()  # what others left unwritten is not for this one to write
            run = load(programs, server, "PUT", targets, requests, expect=(201,), connections=connections,
                       more=["--body-size", str(size), "--suffix", ".%d.%d" % (size, number), *more])
            if number == 0:
                continue
            results[server.name][0].add(run["cpu"] / run["requests"])
            results[server.name][1].add(run["requests"] / run["seconds"])
        print("put of %d bytes, round %d of %d" % (size, number, rounds), file=sys.stderr)
    return results


def report(what, results, digits, scale, unit):
    references = [name for name in (PLAIN, SYNCED) if name in results]
    rows = []
    for name, (cpu, rate) in results.items():
        ratios = [results[each][0].over(cpu).text(2) if each != name else "1" for each in references[:1]]
        ratios += [rate.over(results[each][1]).text(2) if each != name else "1" for each in references]
        rows.append([name, cpu.text(digits, scale), rate.text(digits), *ratios])
    head = [what, "CPU, %s per upload" % unit, "uploads/s", *("CPU, %s = 1" % each for each in references[:1]),
            *("rate over %s" % each for each in references)]
    return table(head, rows)


def p99_of_heads(programs, server, hits, requests):
    """In microseconds. Four thousand a second: what asks as fast as it can would only measure itself."""
    return load(programs, server, "HEAD", hits, requests, connections=4, more=["--pause", "1000"], ahead=True)["p99_us"]


def heads_meanwhile(programs, server, hits, requests, targets, size, number):
    """The same while an object is uploaded, then another, longer than the HEADs take."""
    upload = subprocess.Popen(machine.pinned(machine.LOAD_CORE, [
        programs.load, "--port", str(server.port), "--method", "PUT", "--targets", targets, "--requests", "3",
        "--connections", "1", "--expect", "201", "--body-size", str(size), "--suffix", ".meanwhile.%d" % number]),
        stdout=subprocess.DEVNULL)
    try:
        return p99_of_heads(programs, server, hits, requests)
    finally:
        if upload.wait() != 0:
            raise RuntimeError("the upload failed")


def paragraphs(programs, work, options):
    requests, heads, big = (200, 200, 4 * MEBIBYTE) if options.quick else (3000, 2000, 200 * MEBIBYTE)
    longest = 220  # bytes of a name, so that there is room for a suffix
    names = [each for each in fill(programs, os.path.join(work, "none"), requests, 100)
             if len(urllib.parse.unquote_to_bytes(os.path.basename(each))) <= longest]
    requests = len(names)
    targets = write_targets(os.path.join(work, "targets"), names)
    yield ("%d uploads a run on 16 connections, each of other bytes under another name. nginx and the load have a core "
           "each; larder's loops and disk threads share core %d with nothing else. nginx hashes nothing, keeps no index "
           "and syncs nothing; where the table says so, the load generator syncs for it, one file at a time. Before each run "
           "everything is synced, so that nobody writes what another one left."
           % (requests, machine.SERVER_CORE))
    with contextlib.ExitStack() as stack:
        servers = servers_for(programs, work)
        for server, _ in servers:
            server.start(machine.SERVER_CORE)
            stack.enter_context(server)
        yield report("PUT of 20 KiB, 16 connections",
                     measure(programs, servers, targets, requests, 16, 20480, options.rounds), 0, 1e6, "µs")
        few = write_targets(os.path.join(work, "few"), names[:3])
        yield report("PUT of %d MiB, 1 connection" % (big // MEBIBYTE),
                     measure(programs, servers[:3], few, 2, 1, big, min(options.rounds, 3)), 1, 1e3, "ms")
        larder = servers[0][0]
        hits = write_targets(os.path.join(work, "hits"), names)
        idle, busy = Figures(), Figures()
        for number in range(options.rounds):
            idle.add(p99_of_heads(programs, larder, hits, heads))
            busy.add(heads_meanwhile(programs, larder, hits, heads, few, big, number))
        yield ("4,000 HEADs a second on 4 connections: p99 %s µs; while objects of %d MiB are uploaded, whose disk threads "
               "share a core with the loop: %s µs. Who asks goes before the sender of the uploads on the core of both."
               % (idle.text(0), big // MEBIBYTE, busy.text(0)))

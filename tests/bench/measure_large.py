"""CPU time per GET of large objects, against nginx on the same tree."""
import contextlib
import os
import subprocess

import machine
from measure_serving import CACHED, STOCK, Kind, measure, report, write_targets
from servers import Larderd, Nginx

MEBIBYTE = 2**20


def add_objects(programs, data, count, size, seed):
    """Returns their names."""
    names_file = "%s.%d" % (data, size)
    subprocess.run([programs.fill, data, "--names", str(count), "--size", str(size), "--contents", str(count),
                    "--seed", str(seed), "--list", names_file], check=True)
    with open(names_file) as file:
        return file.read().splitlines()


def paragraphs(programs, work, options):
    sizes = [(2 * MEBIBYTE, 20, 40, 8)] if options.quick else [(2 * MEBIBYTE, 100, 1500, 16),
                                                               (200 * MEBIBYTE, 2, 16, 2)]
    data = os.path.join(work, "data")
    kinds = []
    for seed, (size, count, requests, connections) in enumerate(sizes, 10):
        targets = write_targets(os.path.join(work, "targets-%d" % size),
                                add_objects(programs, data, count, size, seed))
        kinds.append(Kind("GET of %d MiB, %d connections" % (size // MEBIBYTE, connections), "GET", targets, 200,
                          requests, connections))
    yield "Each server on core %d, the load on core %d." % (machine.SERVER_CORE, machine.LOAD_CORE)
    tree = os.path.join(data, "tree")
    servers = [Larderd(programs, data, loops=1)]
    if programs.nginx:
        servers += [Nginx(programs, os.path.join(work, "nginx-stock"), tree, STOCK),
                    Nginx(programs, os.path.join(work, "nginx-cache"), tree, CACHED, cached=1000)]
    with contextlib.ExitStack() as stack:
        for server in servers:
            server.start(machine.SERVER_CORE)
            stack.enter_context(server)
        for kind in kinds:
            yield report(kind.what, measure(programs, servers, kind, options.rounds), "object", 2, 1e3, "ms")

"""How long larderd takes to answer, and what memory it has, with a full index."""
import os
import signal
import sys
import time

import machine
from figures import Figures, mebibytes, table
from measure_serving import fill, write_targets
from servers import Larderd, load


class Case:
    def __init__(self, name, prepare=lambda: None):
        self.name = name
        self.prepare = prepare
        self.start, self.stop = Figures(), Figures()
        self.resident, self.anonymous = Figures(), Figures()

    def row(self):
        return [self.name, self.start.text(0, 1e3), mebibytes(self.resident), mebibytes(self.anonymous),
                self.stop.text(0, 1e3)]


def once(case, server):
    case.prepare()
    case.start.add(server.start())
    resident, anonymous = server.memory()
    case.resident.add(resident)
    case.anonymous.add(anonymous)
    case.stop.add(server.stop())


def bytes_below(directory):
    return sum(os.path.getsize(os.path.join(directory, name)) for name in os.listdir(directory))


def after_use(programs, server, targets, requests):
    """Memory when every target has been asked for."""
    with server:
        server.start()
        load(programs, server, "HEAD", targets, requests)
        return server.memory()


def all_in_memory(server):
    """Seconds from the start until all names are in memory, as its log tells; memory then."""
    with server:
        with open(server.log, "ab") as log:
            behind = log.tell()
        server.start()
        began = time.monotonic()
        while True:
            with open(server.log, "rb") as log:
                log.seek(behind)
                if b"names are in memory" in log.read():
                    return time.monotonic() - began, server.memory()
            if time.monotonic() - began > 600:
                raise RuntimeError("ten minutes, and the names are not in memory:\n" + open(server.log).read()[-2000:])
            time.sleep(0.02)


def after_kill(server):
    """A start after kill -9: seconds to the first answer, memory then, seconds until the
    tree has been compared with the index, memory then."""
    server.start()
    server.stop(signal.SIGKILL)
    with server:
        start = server.start()
        first = server.memory()
        began = time.monotonic()
        while server.stat()["reconciling"]:
            if time.monotonic() - began > 3600:
                raise RuntimeError("an hour, and the tree is still being compared with the index")
            time.sleep(0.05)
        return start, first, time.monotonic() - began, server.memory()


def paragraphs(programs, work, options):
    names = 5000 if options.quick else 1000000
    full, empty = os.path.join(work, "full"), os.path.join(work, "empty")
    began = time.monotonic()
    listed = fill(programs, full, names, 64, contents=100)
    print("start: %d names stored in %.0f s" % (names, time.monotonic() - began), file=sys.stderr)
    os.mkdir(empty)
    index = os.path.join(full, "index")
    none, million = Larderd(programs, empty), Larderd(programs, full)
    million.also("log", "level", "debug")
    cases = [(Case("no name"), none), (Case("%d names" % names), million),
             (Case("%d names, index not in memory" % names, lambda: machine.forget_cached(index)), million)]
    for number in range(options.rounds + 1):
        for case, server in cases:
            if number == 0:
                server.start()
                server.stop()
            else:
                once(case, server)
        print("start: round %d of %d" % (number, options.rounds), file=sys.stderr)
    size = bytes_below(index)
    loaded = all_in_memory(million)
    targets = write_targets(os.path.join(work, "all"), listed)
    used = after_use(programs, million, targets, names)
    killed = after_kill(million)
    rows = [case.row() for case, _ in cases]
    yield ("From the start of the process to the first 200 of /-/health; the index of %d names is %.0f MiB on disk."
           % (names, size / 2**20))
    yield table(["larderd with", "start, ms", "resident, MiB", "of it anonymous, MiB", "stop, ms"], rows)
    yield ("All %d names were in memory %.1f s after the first answer, with %.0f MiB resident, %.0f MiB of it anonymous."
           % (names, loaded[0], loaded[1][0] / 2**20, loaded[1][1] / 2**20))
    yield ("After one HEAD for each of the %d names: %.0f MiB resident, %.0f MiB of it anonymous."
           % (names, used[0] / 2**20, used[1] / 2**20))
    yield ("After kill −9: first answer after %.0f ms with %.0f MiB resident; the tree was compared with the index "
           "%.1f s later, with %.0f MiB resident."
           % (killed[0] * 1e3, killed[1][0] / 2**20, killed[2], killed[3][0] / 2**20))
    yield from many(programs, work, options)


def many(programs, work, options):
    """Ten times as many; most of them without a file, which a start does not look for."""
    names = 10000 if options.quick else 10000000
    data = os.path.join(work, "many")
    fill(programs, data, names, 64, contents=100, more=("--index-only",))
    server = Larderd(programs, data)
    server.also("log", "level", "debug")
    case = Case("%d names" % names)
    for number in range(min(options.rounds, 3) + 1):
        if number == 0:
            server.start()
            server.stop()
        else:
            once(case, server)
        print("start: many, round %d" % number, file=sys.stderr)
    loaded = all_in_memory(server)
    size = bytes_below(os.path.join(data, "index"))
    yield ("%d names, %.0f MiB of index: first answer after %s ms; all of them in memory %.1f s later, with %.0f MiB resident, "
           "%.0f MiB of it anonymous."
           % (names, size / 2**20, case.start.text(0, 1e3), loaded[0], loaded[1][0] / 2**20, loaded[1][1] / 2**20))

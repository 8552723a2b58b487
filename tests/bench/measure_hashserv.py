"""Hash equivalence against bitbake-hashserv (BITBAKE_DIR names a checkout of BitBake)."""
import json
import os
import shutil
import socket
import sys
import threading
import time

import machine
from figures import Figures, table
from servers import Larderd, Server, unused_port

HELLO = b"OEHASHEQUIV 1.1\nneeds-headers: false\n\n"


class Hashserv(Larderd):
    """larderd; requests go to the port of its hash equivalence."""

    def __init__(self, programs, data, durability):
        self.hashserv_port = unused_port()
        super().__init__(programs, data, name="larder, `durability: %s`" % durability, durability=durability, loops=1,
                         hashserv={"listen": ["127.0.0.1:%d" % self.hashserv_port]})


class Reference(Server):
    def __init__(self, directory):
        super().__init__("bitbake-hashserv")
        self.hashserv_port = self.port
        self.log = directory + ".log"
        self.database = directory + ".db"

    def command(self):
        return [shutil.which("python3", path="/usr/bin") or "python3", os.path.join(os.environ["BITBAKE_DIR"], "bin", "bitbake-hashserv"),
                "--bind", "127.0.0.1:%d" % self.port, "--database", self.database, "--log", "ERROR"]

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1):
                return True
        except OSError:
            return False


def hash_of(number):
    return "%064x" % number


def reports(first, count):
    for number in range(first, first + count):
        yield json.dumps({"report": {"taskhash": hash_of(number), "method": "oe.sstatesig.OEOuthashBasic",
                                     "outhash": hash_of(number // 2), "unihash": hash_of(number), "PN": "zlib", "task": "do_package",
                                     "outhash_siginfo": "a line for each file of the output\n" * 60}})


def questions(first, count):
    yield '{"get-stream": null}'
    for number in range(first, first + count):
        yield "oe.sstatesig.OEOuthashBasic " + hash_of(number * 2)  # half of them are known
    yield "END"


def talk(port, lines, answers):
    """Sends all at once and reads as many lines."""
    text = HELLO + "".join(line + "\n" for line in lines).encode()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        writer = threading.Thread(target=connection.sendall, args=(text,))
        writer.start()
        while answers > 0:
            piece = connection.recv(1 << 18)
            if not piece:
                raise RuntimeError("the connection ended with %d answers missing" % answers)
            answers -= piece.count(b"\n")
        writer.join()


def ask_in_turn(port, lines):
    """As tasks of a build do: the next one when the last one is answered."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(HELLO)
        for line in lines:
            connection.sendall(line.encode() + b"\n")
            if not connection.recv(1 << 16).endswith(b"\n"):
                raise RuntimeError("the connection ended")


def timed(server, work):
    before, began = server.cpu(), time.monotonic()
    work()
    return time.monotonic() - began, server.cpu() - before


def in_threads(count, work):
    threads = [threading.Thread(target=work, args=(number,)) for number in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()


def paragraphs(programs, work, options):
    count = 200 if options.quick else 4000
    servers = [Hashserv(programs, os.path.join(work, "batch"), "batch"), Hashserv(programs, os.path.join(work, "none"), "none")]
    if os.environ.get("BITBAKE_DIR"):
        servers.append(Reference(os.path.join(work, "reference")))
    ways = ["reports, one behind the other on 1 connection", "reports, on 8 connections", "get-stream, all at once"]
    figures = {(server.name, way): (Figures(), Figures()) for server in servers for way in ways}
    told = 0
    for server in servers:
        server.start(machine.SERVER_CORE)
    try:
        for number in range(options.rounds):
            for server in servers:
                port, share = server.hashserv_port, count // 8
                runs = [timed(server, lambda: ask_in_turn(port, reports(told, count))),
                        timed(server, lambda: in_threads(8, lambda each: ask_in_turn(port, reports(told + count + each * share, share)))),
                        timed(server, lambda: talk(port, questions(told // 2, 2 * count), 2 * count + 2))]
                for way, (seconds, cpu), requests in zip(ways, runs, (count, share * 8, 2 * count)):
                    figures[server.name, way][0].add(requests / seconds)
                    figures[server.name, way][1].add(cpu / requests)
            told += 2 * count
            print("hashserv: round %d of %d" % (number + 1, options.rounds), file=sys.stderr)
    finally:
        for server in servers:
            server.stop()
    rows = []
    for way in ways:
        for server in servers:
            rate, cpu = figures[server.name, way]
            row = [way, server.name, rate.text(0), cpu.text(1, 1e6)]
            if len(servers) == 3:
                theirs = figures[servers[2].name, way]
                row += [rate.over(theirs[0]).text(1), theirs[1].over(cpu).text(1)]
            rows.append(row)
    yield ("%d reports of 2 KiB in each of %d rounds, and twice as many questions, half of them for what is known; the server on core %d, the load "
           "(Python) on core %d. bitbake-hashserv syncs nothing." % (2 * count, options.rounds, machine.SERVER_CORE, machine.LOAD_CORE))
    yield table(["requests", "server", "a second", "CPU of the server, µs each"] + (["rate over bitbake-hashserv's", "its CPU over larder's"]
                                                                                      if len(servers) == 3 else []), rows)

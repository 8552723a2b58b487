"""Judged by hand: what no tool at hand tries."""
import os
import socket
import threading
import time

import machine
from judging import Bystander, Row, Verdict, alive, exchange, statuses


def idle_connections(arena):
    """Thousands of idle connections, and what one costs in memory."""
    count = 9000

    def one(server):
        server.request("GET", "/sstate-cache/ab/object")
        before = anonymous_memory(server)
        held = []
        for number in range(count):
            # From several addresses: one alone is let in only so often.
            held.append(socket.create_connection(("127.0.0.1", server.port), 30, ("127.0.0.%d" % (2 + number % 4), 0)))
            held[-1].sendall(b"HEAD /sstate-cache/ab/object HTTP/1.1\r\nHost: a\r\n\r\n")
        answered = sum(each.recv(12) == b"HTTP/1.1 200" for each in held)
        grown = anonymous_memory(server) - before
        with Bystander(server.port) as bystander:
            time.sleep(2)
        for each in held:
            each.close()
        verdict = Verdict("%d answered and kept, %.1f KiB each; meanwhile %s" % (
            answered, grown / 1024 / count, bystander.verdict()))
        verdict.broken = bystander.verdict().broken or answered != count
        return verdict
    peer = arena.nginx()
    larder = arena.larderd(most_connections=count + 500)
    return [Row("%d idle connections, each has been answered once" % count, one(larder), one(peer) if peer else "")]


def anonymous_memory(server):
    """Of the process and its workers, in bytes."""
    return sum(machine.memory(pid)[1] for pid in machine.family(server.process.pid))


BOMBS = [
    ("a header field of 4 MiB", b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * (4 << 20) + b"\r\n\r\n", {400, 431}),
    ("100,000 header fields", b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100000 + b"\r\n", {400, 431}),
    ("a target of 4 MiB", b"GET /" + b"a" * (4 << 20) + b" HTTP/1.1\r\nHost: a\r\n\r\n", {400, 414, 431}),
    ("a chunk extension of 16 MiB", b"PUT /%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;"
     + b"x" * (16 << 20) + b"\r\na\r\n0\r\n\r\n", {400, 413}),
    ("a trailer of 16 MiB", b"PUT /%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: "
     + b"x" * (16 << 20) + b"\r\n\r\n", {400, 413, 431}),
    ("a chunk of 2^64 bytes", b"PUT /%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\na", {400, 413}),
    ("Content-Length and Transfer-Encoding at once", b"PUT /%s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /sstate-cache/ab/object HTTP/1.1\r\nHost: a\r\n\r\n", {400}),
    ("two different Content-Lengths", b"PUT /%s HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n"
     b"abcdef", {400}),
    ("Transfer-Encoding: chunked, identity", b"PUT /%s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n"
     b"0\r\n\r\n", {400, 501}),
    ("a field name with a space before the colon", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n", {400}),
    ("a line break by LF alone, and a folded line", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", {400}),
    ("a NUL in a field", b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n", {400}),
]


def bombs(arena):
    """Requests that are too large, or that two servers would read differently."""
    larder, peer = arena.larderd(), arena.nginx()
    rows = []
    for what, request, expected in BOMBS:
        before = larder.memory()[1]
        found = statuses(exchange(larder.port, request.replace(b"%s", b"sstate-cache/ab/bomb", 1)))
        grown = (larder.memory()[1] - before) >> 10
        holds = (not found or set(found) <= expected) and grown < 8 << 10 and alive(larder)
        theirs = statuses(exchange(peer.port, request.replace(b"%s", b"upload/bomb", 1))) if peer else []
        rows.append(Row(what, Verdict.of(holds, _list(found) + (", %d KiB more" % grown if grown > 64 else "")),
                        _list(theirs) if peer else ""))
    return rows


def _list(found):
    return " ".join(map(str, found)) or "closed"


TRAVERSALS = ["/../etc/passwd", "/sstate-cache/../../../../etc/passwd", "/sstate-cache/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
              "/sstate-cache/..%2f..%2f..%2fetc/passwd", "/sstate-cache/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd",
              "/sstate-cache/..\\..\\etc\\passwd", "/sstate-cache//etc/passwd", "/sstate-cache/./../../etc/passwd",
              "/@x/../../etc/passwd", "/@../sstate-cache/ab/object", "/-/../etc/passwd", "/%2fetc%2fpasswd",
              "/sstate-cache/ab/object%00.txt", "/sstate-cache/link/passwd", "/sstate-cache/linkfile", "http://a/etc/passwd",
              "/objects/", "/sstate-cache/../objects/", "/index/CURRENT", "/sstate-cache/../index/CURRENT"]


def traversal(arena):
    """Ways out of the tree, by name and by what somebody with access to the disk planted there."""
    larder, peer = arena.larderd(), arena.nginx()
    trees = [os.path.join(larder.data, "tree", "sstate-cache")]
    if peer:
        trees.append(os.path.join(arena.work, "root", "sstate-cache"))
    for tree in trees:
        os.symlink("/etc", os.path.join(tree, "link"))
        os.symlink("/etc/passwd", os.path.join(tree, "linkfile"))
        os.mkfifo(os.path.join(tree, "pipe"))

    def one(server):
        got_out = [each for each in TRAVERSALS
                   if b"root:" in exchange(server.port, b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % each.encode())]
        began = time.monotonic()
        exchange(server.port, b"GET /sstate-cache/pipe HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        hung = time.monotonic() - began > 1.5
        text = "%d of %d got out%s%s" % (len(got_out), len(TRAVERSALS), ": " + ", ".join(got_out) if got_out else "",
                                       ", hangs on a named pipe" if hung else "")
        return Verdict.of(not got_out and not hung, text)
    return [Row("%d ways to /etc/passwd, symbolic links and a named pipe planted in the tree" % len(TRAVERSALS), one(larder),
                one(peer) if peer else "")]


def quota(arena):
    """Uploads past the limit."""
    limit, each, count = 8 << 20, 1 << 20, 50
    larder = arena.larderd(namespaces=[{"name": "sstate-cache", "kind": "sstate", "max_size": limit, "evict": "never"}])
    found = []

    def upload(number):
        body = number.to_bytes(4, "big") * (each // 4)
        found.append(larder.request("PUT", "/sstate-cache/ab/flood%d" % number, body)[0])
    threads = [threading.Thread(target=upload, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stored = sum(os.stat(os.path.join(directory, name)).st_size
                 for directory, _, files in os.walk(os.path.join(larder.data, "objects")) for name in files)
    text = "%d stored, %d refused with 507, %.1f MiB on disk" % (found.count(201), found.count(507), stored / 2**20)
    return [Row("%d uploads of 1 MiB at once into a namespace of 8 MiB" % count,
                Verdict.of(stored <= limit and set(found) <= {201, 507}, text), "has no limit")]


def forged_lines(arena):
    """Names that would forge a line of a log or of a listing."""
    larder = arena.larderd()
    access = larder.data + ".access"
    names = ["a%0a2026-01-01T00:00:00Z%20127.0.0.1%20forged", "a%0d%0aX-Forged:%20yes", "a%1b[2J", "a%e2%80%a8forged", "a%22%20200"]
    for name in names:
        exchange(larder.port, b"PUT /sstate-cache/ab/%s HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nConnection: close\r\n\r\nx" % name.encode())
    answer = exchange(larder.port, b"GET /sstate-cache/ab/%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % names[1].encode())
    larder.stop()
    arena.running.remove(larder)
    with open(access, "rb") as file:
        lines = file.read().split(b"\n")
    forged = [line for line in lines if line.startswith(b"2026-01-01") or b"\x1b" in line]
    return [Row("names with line breaks, escapes and quotes, in the access log and in headers",
                Verdict.of(not forged and b"X-Forged" not in answer, "%d lines forged" % len(forged)))]


JUDGEMENTS = {"idle": idle_connections, "bombs": bombs, "traversal": traversal, "quota": quota, "forged-lines": forged_lines}

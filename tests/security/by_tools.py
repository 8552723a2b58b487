"""Judged by programs that were made for it."""
import os
import re
import shutil
import subprocess
import threading

from judging import Bystander, Row, Verdict, alive, exchange, statuses

SECONDS = 15


def run(*command, timeout=300, **options):
    return subprocess.run(command, stdin=options.pop("stdin", subprocess.DEVNULL), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=timeout, **options).stdout


def needs(*programs):
    """A judgement whose program is missing says so instead."""
    def decorate(judgement):
        def judged(arena):
            missing = [each for each in programs if not shutil.which(each)]
            if missing:
                return [Row(judgement.__doc__, Verdict("not tried: %s is not installed" % missing[0]))]
            return judgement(arena)
        return judged
    return decorate


def beside_bystander(server, *command):
    with Bystander(server.port) as bystander:
        output = run(*command).decode(errors="replace")
    return output, bystander.verdict()


def slow(arena, what, *flags):
    def one(server):
        output, verdict = beside_bystander(
            server, "slowhttptest", "-c", "1000", "-r", "300", "-l", str(SECONDS), "-p", "3", *flags,
            "-u", server.url + "/sstate-cache/ab/object")
        plain = re.sub(r"\x1b\[[0-9;]*m", "", output)
        found = re.findall(r"service available:\s+(YES|NO)", plain)
        judged = Verdict("slowhttptest: available %s; %s" % (found[-1] if found else "?", verdict))
        judged.broken = verdict.broken
        return judged
    peer = arena.nginx()
    return Row(what, one(arena.larderd()), one(peer) if peer else "")


@needs("slowhttptest")
def slow_headers(arena):
    """1,000 connections with slow headers"""
    return [slow(arena, "1,000 connections that send a header line every 5 s", "-H", "-i", "5")]


@needs("slowhttptest")
def slow_bodies(arena):
    """1,000 connections with slow bodies"""
    return [slow(arena, "1,000 connections that send a body of 8 KiB in bits, every 5 s", "-B", "-i", "5", "-s", "8192")]


@needs("slowhttptest")
def slow_reads(arena):
    """1,000 connections that read slowly"""
    return [slow(arena, "1,000 connections that read their answers 32 bytes at a time", "-X", "-w", "10", "-y", "20",
                 "-n", "5", "-z", "32", "-k", "3")]


@needs("nmap")
def slowloris(arena):
    """nmap http-slowloris-check"""
    def one(server):
        output = run("nmap", "-Pn", "-n", "-p", str(server.port), "--script", "http-slowloris-check", "127.0.0.1").decode()
        state = re.search(r"State:\s*([A-Z ]+)", output)
        return Verdict(state.group(1).strip().lower() if state else "not vulnerable")
    peer = arena.nginx()
    # "Likely" only says that the second connection lived as long as the first: header_timeout ends both.
    return [Row("nmap http-slowloris-check", one(arena.larderd()), one(peer) if peer else "")]


@needs("litmus")
def webdav(arena):
    """litmus"""
    def one(url):
        output = run("litmus", "-k", url, env={**os.environ, "TESTS": "basic http"}, cwd=arena.work).decode(errors="replace")
        summaries = re.findall(r"summary for `(\w+)': of (\d+) tests run: (\d+) passed", output)
        return ", ".join("%s %s of %s" % (name, passed, of) for name, of, passed in summaries) or "no summary"
    larder, peer = arena.larderd(namespaces=[{"name": "sstate-cache", "kind": "sstate"},
                                             {"name": "upload", "kind": "generic"}]), arena.nginx()
    verdict = one(larder.url + "/upload/")
    return [Row("litmus, basic and http (larder is no WebDAV server: names are write-once, MKCOL of a name is not there twice)",
                Verdict.of(alive(larder), verdict), one(peer.url + "/upload/") if peer else "")]


REQUESTS = [
    b"GET /sstate-cache/ab/object HTTP/1.1\r\nHost: a\r\nRange: bytes=1-3\r\nIf-None-Match: \"x\"\r\nAccept: */*\r\n\r\n",
    b"HEAD /sstate-cache/universal/ab/cd/sstate%3Azlib%3A%3A1.2%3Ar0%3A%3A12%3Aabcd_x.tar.zst HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PUT /sstate-cache/ab/fuzzed HTTP/1.1\r\nHost: a\r\nContent-Length: 7\r\nRepr-Digest: sha-256=:AAAA:\r\n\r\ncontent",
    b"PUT /sstate-cache/ab/chunked HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;a=b\r\nbody\r\n0\r\nX: y\r\n\r\n",
    b"POST /-/v1/namespaces/sstate-cache/find-missing HTTP/1.1\r\nHost: a\r\nContent-Length: 16\r\n\r\nab/object\nab/foo",
    b"GET /sstate-cache/?C=M;O=D HTTP/1.0\r\nAccept: text/html\r\n\r\n",
]


@needs("zzuf")
def zzuf(arena):
    """zzuf over recorded requests"""
    seeds = 150

    def one(server):
        answered, silent, bad = 0, 0, []
        for request in REQUESTS:
            for seed in range(seeds):
                mangled = run("zzuf", "-s", str(seed), "-r", "0.004:0.05", input=request, stdin=None)
                found = statuses(exchange(server.port, mangled, half_close=True))
                answered += bool(found)
                silent += not found
                bad += [each for each in found if each >= 500 and each not in (501, 505, 507)]
        text = "%d answered, %d closed without an answer, server errors: %s" % (answered, silent, bad or "none")
        return Verdict.of(not bad and server.process.poll() is None, text)
    larder, peer = arena.larderd(), arena.nginx()
    return [Row("zzuf: %d requests with 0.4 to 5 %% of their bits flipped" % (seeds * len(REQUESTS)), one(larder),
                one(peer) if peer else "")]


@needs("wrk")
def flood(arena):
    """wrk with 1,000 connections during an upload"""
    size = 200 << 20

    def one(server, target):
        outcome = []

        def upload():
            outcome.append(server.request("PUT", target, b"\0" * size)[0])
        thread = threading.Thread(target=upload)
        with Bystander(server.port) as bystander:
            thread.start()
            output = run("wrk", "-t1", "-c1000", "-d%ds" % 8, server.url + "/sstate-cache/ab/object").decode()
            thread.join()
        errors = re.search(r"(Socket errors: .*|Non-2xx.*)", output)
        text = "upload %s, wrk %s; %s" % (outcome[0], errors.group(1) if errors else "without errors", bystander.verdict())
        verdict = Verdict.of(outcome[0] == 201 and not errors and not bystander.verdict().broken, text)
        return verdict
    peer = arena.nginx()
    return [Row("wrk with 1,000 connections while 200 MiB are uploaded", one(arena.larderd(), "/sstate-cache/ab/large"),
                one(peer, "/upload/large") if peer else "")]


JUDGEMENTS = {"slow-headers": slow_headers, "slow-bodies": slow_bodies, "slow-reads": slow_reads, "slowloris": slowloris,
              "webdav": webdav, "zzuf": zzuf, "flood": flood}

"""CPU time per request over TLS, against nginx with the same certificate and tree."""
import contextlib
import os
import subprocess
import sys

import machine
from figures import Figures, table
from measure_serving import fill, write_targets
from servers import Larderd, Nginx, tls_load, unused_port


def make_certificate(directory):
    """ECDSA P-256, signed by itself: (certificate, key)."""
    certificate, key = os.path.join(directory, "cert.pem"), os.path.join(directory, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-subj", "/CN=localhost", "-keyout", key, "-out", certificate], check=True, stderr=subprocess.DEVNULL)
    return certificate, key


def start_servers(stack, programs, work, certificate, key):
    tls_port = unused_port()
    # Its own check of what is stored would be counted as the cost of requests.
    larder = Larderd(programs, os.path.join(work, "data"), loops=1, scrub={"rate": 0},
                     tls={"certificates": [{"certificate": certificate, "key": key}]})
    larder.also("http", "listen_tls", ["127.0.0.1:%d" % tls_port])
    larder.tls_port = tls_port
    servers = [larder]
    if programs.nginx:
        servers.append(Nginx(programs, os.path.join(work, "nginx"), os.path.join(work, "data", "tree"), "nginx, stock",
                             certificate=certificate, key=key))
    for server in servers:
        server.start(machine.SERVER_CORE)
        stack.enter_context(server)
    return servers


def measure(programs, servers, kind, rounds):
    what, method, targets, status, requests, connections, fresh = kind
    results = {server.name: (Figures(), Figures()) for server in servers}
    for number in range(rounds + 1):
        for i in range(len(servers)):  # each round begins with another
            server = servers[(number + i) % len(servers)]
            run = tls_load(programs, server, method, targets, requests, expect=status, connections=connections, fresh=fresh)
            if number == 0:
                continue  # warms everybody up
            results[server.name][0].add(run["cpu"] / run["requests"])
            results[server.name][1].add(run["requests"] / run["seconds"])
        print("tls: %s, round %d of %d" % (what, number, rounds), file=sys.stderr)
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
    names, share = (500, 20) if options.quick else (10000, 1)
    small = write_targets(os.path.join(work, "small"), fill(programs, os.path.join(work, "data"), names, 20480))
    certificate, key = make_certificate(work)
    yield ("TLS 1.3, AES-256-GCM, an ECDSA P-256 certificate; each server on core %d, the load on core %d. Ratios are nginx's "
           "CPU time over that of the row, of the same round: more than 1 means less CPU than nginx."
           % (machine.SERVER_CORE, machine.LOAD_CORE))
    with contextlib.ExitStack() as stack:
        servers = start_servers(stack, programs, work, certificate, key)
        large = {}
        for mebibytes in (2, 200):
            target = "/downloads/%d.bin" % mebibytes
            status, _ = servers[0].request("PUT", target, os.urandom(mebibytes << 20))
            assert status in (200, 201), status
            large[mebibytes] = os.path.join(work, "large-%d" % mebibytes)
            with open(large[mebibytes], "w") as out:
                out.write(target + "\n")
        kinds = [("handshake and HEAD", "HEAD", small, 200, 4000 // share, 32, True),
                 ("HEAD, kept connections", "HEAD", small, 200, 40000 // share, 64, False),
                 ("GET of 20 KiB, kept connections", "GET", small, 200, 20000 // share, 64, False),
                 ("GET of 2 MiB", "GET", large[2], 200, 400 // share, 8, False),
                 ("GET of 200 MiB", "GET", large[200], 200, max(6 // share, 2), 2, False)]
        for kind in kinds:
            yield report(kind[0], measure(programs, servers, kind, options.rounds))

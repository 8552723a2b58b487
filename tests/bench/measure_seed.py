"""`larder seed` of a sample tree into an empty server, and again, against rsync and one request after the other."""
import os
import re
import subprocess
import sys
import time
import urllib.parse

from figures import Figures, table
from servers import Larderd, Rsyncd


def seed(programs, server, directory):
    """(seconds, CPU seconds of the client, CPU seconds of the server)"""
    before_server, before = server.cpu(), os.times()
    began = time.monotonic()
    subprocess.run([programs.larder, "--server", server.url, "--quiet", "seed", directory], check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    after = os.times()
    client = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, client, server.cpu() - before_server


def files_below(directory):
    """Their names below it."""
    return sorted(os.path.relpath(os.path.join(parent, name), directory)
                  for parent, _, names in os.walk(directory) for name in names)


def one_by_one(server, directory, names):
    """As isar-sstate does: a HEAD for each file and, when it is missing, a PUT; here at least on a kept connection."""
    connection = server.connection()
    began = time.monotonic()
    for name in names:
        target = "/downloads/one-by-one/" + urllib.parse.quote(name)
        if server.request("HEAD", target, connection=connection)[0] == 404:
            with open(os.path.join(directory, name), "rb") as file:
                status, _ = server.request("PUT", target, file.read(), connection=connection)
            if status != 201:
                raise RuntimeError("PUT %s: %d" % (target, status))
    connection.close()
    return time.monotonic() - began


def rsync(programs, server, directory):
    began = time.monotonic()
    subprocess.run([programs.rsync, "-a", directory + "/", "rsync://127.0.0.1:%d/all/" % server.port], check=True,
                   stdin=subprocess.DEVNULL)
    return time.monotonic() - began


def others(programs, work, directory, number):
    """seconds of the first and the second time, by way"""
    names = files_below(directory)
    data, root = os.path.join(work, "others-%d" % number), os.path.join(work, "rsync-%d" % number)
    os.mkdir(data)
    os.mkdir(root)
    figures = {}
    unsynced = os.path.join(work, "unsynced-%d" % number)
    os.mkdir(unsynced)
    with Larderd(programs, unsynced, durability="none") as server:
        server.start()
        figures["larder seed, durability `none`"] = [seed(programs, server, directory)[0] for _ in range(2)]
    with Larderd(programs, data) as server:
        server.start()
        figures["a HEAD and a PUT each, Python"] = [one_by_one(server, directory, names) for _ in range(2)]
    if programs.rsync:
        with Rsyncd(programs, work, root) as server:
            server.start()
            figures["rsync -a to rsyncd"] = [rsync(programs, server, directory) for _ in range(2)]
    return figures


def expect(server, uploads):
    stat = next(each for each in server.stat()["namespaces"] if each["name"] == "sstate-cache")
    if stat["uploads"] + stat["duplicates"] != uploads:
        raise RuntimeError("seed uploaded %d files, not %d" % (stat["uploads"] + stat["duplicates"], uploads))


def paragraphs(programs, work, options):
    objects = 200 if options.quick else 10000
    directory = os.path.join(work, "sstate")
    made = subprocess.run([programs.sample_tree, "sstate", directory, "--objects", str(objects)], check=True,
                          stdout=subprocess.PIPE, text=True).stdout
    size = re.search(r"artifacts, ([^,]+),", made).group(1)
    results = [("first", [Figures(), Figures(), Figures()]), ("second", [Figures(), Figures(), Figures()])]
    compared = {}
    for number in range(options.rounds + 1):
        data = os.path.join(work, "data-%d" % number)
        os.mkdir(data)
        server = Larderd(programs, data)
        with server:
            server.start()
            for name, figures in results:
                run_figures = seed(programs, server, directory)
                expect(server, objects)  # all in the first run, none more in the second
                for each, value in zip(figures, run_figures):
                    if number > 0:  # round 0 warms the page cache up
                        each.add(value)
        for way, seconds in others(programs, work, directory, number).items():
            pair = compared.setdefault(way, (Figures(), Figures()))
            for figures, value in zip(pair, seconds):
                if number > 0:
                    figures.add(value)
        print("seed: round %d of %d" % (number, options.rounds), file=sys.stderr)
    rows = [[name, seconds.text(2), client.text(2), server.text(2), "%.0f" % (objects / seconds.median)]
            for name, (seconds, client, server) in results]
    yield ("%d artifacts, %s, into an empty data directory each round; durability `batch`, the default; client and "
           "server share all cores." % (objects, size))
    yield table(["run", "seconds", "CPU of the client, s", "CPU of the server, s", "files/s"], rows)
    first, second = results[0][1][0], results[1][1][0]
    yield table(["the same tree by", "first time, s", "larder seed = 1", "second time, s", "larder seed = 1"],
                [[way, one.text(2), one.over(first).text(2), two.text(2), two.over(second).text(2)]
                 for way, (one, two) in compared.items()])

"""`larder seed` of a sample tree into an empty server, and again."""
import os
import re
import subprocess
import sys
import time

from figures import Figures, table
from servers import Larderd


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
        print("seed: round %d of %d" % (number, options.rounds), file=sys.stderr)
    rows = [[name, seconds.text(2), client.text(2), server.text(2), "%.0f" % (objects / seconds.median)]
            for name, (seconds, client, server) in results]
    yield ("%d artifacts, %s, into an empty data directory each round; durability `batch`, the default; client and "
           "server share all cores." % (objects, size))
    yield table(["run", "seconds", "CPU of the client, s", "CPU of the server, s", "files/s"], rows)

"""`larder checkout` of views for builders against `cp -al` and `cp -a` of the tree."""
import os
import subprocess
import sys
import time

from figures import Figures, table
from servers import Larderd

NAMESPACE = "sstate-cache"


def run(*command):
    """Seconds of wall time."""
    began = time.monotonic()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def disk_usage(*directories):
    """Bytes on disk; what has several names is counted once."""
    done = subprocess.run(["du", "-sc", "-B1", *directories], check=True, stdout=subprocess.PIPE, text=True)
    return int(done.stdout.splitlines()[-1].split()[0])


def paragraphs(programs, work, options):
    objects, views = (200, 2) if options.quick else (20000, 16)
    source, data = os.path.join(work, "sstate"), os.path.join(work, "data")
    subprocess.run([programs.sample_tree, "sstate", source, "--objects", str(objects), "--median-size", "4KiB"],
                   check=True, stdout=subprocess.DEVNULL)
    os.environ["LARDER_DURABILITY"] = "none"  # makes the start shorter; a checkout syncs nothing
    run(programs.larderd, "adopt", "--data", data, "--namespace", NAMESPACE, "--no-verify", source)
    tree = os.path.join(data, "tree", NAMESPACE)
    places = {kind: os.path.join(work, kind) for kind in ("checkout", "cp -al", "checkout --copy", "cp -a")}
    for place in places.values():
        os.mkdir(place)
    server = Larderd(programs, data, checkout_to=[work])

    def checkout(target, *how):
        return run(programs.larder, "--server", server.url, "--quiet", "checkout", NAMESPACE, target, *how)

    seconds = {kind: Figures() for kind in places}
    with server:
        server.start()
        for number in range(views):
            for kind, place in places.items():
                target = os.path.join(place, "view-%d" % number)
                os.sync()  # what the one before has left behind
                if kind.startswith("checkout"):
                    seconds[kind].add(checkout(target, *kind.split()[1:]))
                else:
                    seconds[kind].add(run("cp", kind.split()[1], tree, target))
            print("checkout: view %d of %d" % (number + 1, views), file=sys.stderr)
    alone = disk_usage(data)
    rows = []
    for kind, place in places.items():
        names = sum(len(files) for _, _, files in os.walk(place))
        extra = disk_usage(data, place) - alone
        rows.append([kind, seconds[kind].text(2), "%.1f" % sum(seconds[kind].values), "%.1f" % (extra / 2**20),
                     "{:,}".format(names)])
    yield ("%s files, %d MiB in the tree, %d views of each kind, made in turn, one after the other." %
           ("{:,}".format(objects), disk_usage(tree) / 2**20, views))
    yield table(["", "seconds a view", "seconds in all", "extra MiB in all (du)", "names"], rows)

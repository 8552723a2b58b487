"""Snapshots, prunes, undo and the trash, as an admin asks for them, beside `cp -al` of the tree."""
import json
import os
import shutil
import subprocess
import sys
import time

from figures import Figures, table
from servers import Larderd

NAMESPACE = "sstate-cache"
STEPS = ("snapshot create", "cp -al", "snapshot remove, and cleared away", "prune: plan", "prune --yes", "undo",
         "prune --yes --no-trash", "snapshot restore", "trash empty")


def peak_memory(server):
    """MiB resident at most, ever."""
    with open("/proc/%d/status" % server.process.pid) as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM:"))


class Steps:
    """Times what is done, by the wall and by the server's CPU."""

    def __init__(self, programs, server):
        self.programs, self.server = programs, server
        self.seconds = {step: Figures() for step in STEPS}
        self.cpu = {step: Figures() for step in STEPS}

    def larder(self, step, *arguments, until=lambda: True):
        os.sync()  # what the one before has left behind
        began, used = time.monotonic(), self.server.cpu()
        done = subprocess.run([self.programs.larder, "--server", self.server.url, "--json", *arguments], check=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
        while not until():
            time.sleep(0.01)
        self.seconds[step].add(time.monotonic() - began)
        self.cpu[step].add(self.server.cpu() - used)
        return json.loads(done.stdout.splitlines()[-1])

    def cp(self, tree, target):
        os.sync()
        began = time.monotonic()
        subprocess.run(["cp", "-al", tree, target], check=True)
        self.seconds["cp -al"].add(time.monotonic() - began)
        shutil.rmtree(target)


def one_round(steps, data):
    snapshots = os.path.join(data, "snapshots")
    everything = (NAMESPACE, "--match", "*")
    steps.larder("snapshot create", "snapshot", "create", "one")
    steps.cp(os.path.join(data, "tree", NAMESPACE), os.path.join(data, "..", "copy"))
    steps.larder("snapshot remove, and cleared away", "snapshot", "remove", "one",
                 until=lambda: not os.listdir(snapshots))
    steps.larder("prune: plan", "prune", *everything)
    names = steps.larder("prune --yes", "prune", *everything, "--yes")["removed"]["names"]
    assert steps.larder("undo", "undo")["names"] == names
    subprocess.run([steps.programs.larder, "--server", steps.server.url, "--quiet", "snapshot", "create", "two"], check=True)
    assert steps.larder("prune --yes --no-trash", "prune", *everything, "--no-trash", "--yes")["removed"]["names"] == names
    assert steps.larder("snapshot restore", "snapshot", "restore", "two")["restored"] == names
    subprocess.run([steps.programs.larder, "--server", steps.server.url, "--quiet", "snapshot", "remove", "two"], check=True)
    while os.listdir(snapshots):
        time.sleep(0.01)
    steps.larder("prune --yes", "prune", *everything, "--yes")
    assert steps.larder("trash empty", "trash", "empty")["names"] == names
    return names


def paragraphs(programs, work, options):
    names, rounds = (300, 1) if options.quick else (100000, min(options.rounds, 3))
    template, data = os.path.join(work, "template"), os.path.join(work, "data")
    subprocess.run([programs.fill, template, "--names", str(names), "--contents", str(names), "--size", "4096"], check=True)
    server = Larderd(programs, data, lease=0, grace_period=0, scrub={"rate": 0})
    steps = Steps(programs, server)
    peak = Figures()
    for number in range(rounds):
        subprocess.run(["cp", "-a", template, data], check=True)
        with server:
            server.start()
            done = one_round(steps, data)
            peak.add(peak_memory(server))
        shutil.rmtree(data)
        print("keeping: round %d of %d" % (number + 1, rounds), file=sys.stderr)
    rows = []
    for step in STEPS:
        each = 1e6 * steps.seconds[step].median / done
        cpu = "-" if step == "cp -al" else steps.cpu[step].text(2)
        rows.append([step, steps.seconds[step].text(2), "%.0f" % each, cpu])
    yield ("%s names of as many contents, 4 KiB each; every step takes all of them." % "{:,}".format(done))
    yield table(["", "seconds", "µs a name", "CPU of the server, s"], rows)
    yield "The server had %s MiB resident at most." % peak.text(0)

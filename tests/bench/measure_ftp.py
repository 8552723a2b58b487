"""CPU time and wall time of FTP sessions, against vsftpd and pure-ftpd on the same tree."""
import contextlib
import os
import pwd
import subprocess
import sys

import machine
from figures import Figures, table
from measure_serving import NAMESPACE, fill, sibling_that_is_missing
from servers import VSFTPD_LEAN, Larderd, PureFtpd, Vsftpd, ftp_load

MEBIBYTE = 2**20


def write_paths(file, names):
    with open(file, "w") as out:
        for name in names:
            out.write("/%s/%s\n" % (NAMESPACE, name))
    return file


def in_a_directory_that_is_missing(name):
    directory, file = os.path.split(name)
    return os.path.join(os.path.dirname(directory), "zz", file)


def add_big_object(programs, data, size):
    """Returns its name. Another seed, so that it is none of the names that are there."""
    names_file = data + ".big"
    subprocess.run([programs.fill, data, "--names", "1", "--size", str(size), "--contents", "1",
                    "--seed", "2", "--list", names_file], check=True)
    with open(names_file) as file:
        return file.read().splitlines()


def why_no_peers():
    if os.getuid() != 0:
        return "Only root can start vsftpd and pure-ftpd, so there is nothing to compare with."
    try:
        pwd.getpwnam("ftp")
    except KeyError:
        return 'There is no user "ftp", as whom the others serve, so there is nothing to compare with.'
    return ""


def peers(programs, work, tree):
    if why_no_peers():
        return []
    found = []
    if programs.vsftpd:
        found += [Vsftpd(programs, os.path.join(work, "vsftpd"), tree, "vsftpd"),
                  Vsftpd(programs, os.path.join(work, "vsftpd-lean"), tree, "vsftpd, lean", VSFTPD_LEAN)]
    if programs.pure_ftpd:
        found.append(PureFtpd(programs, os.path.join(work, "pure-ftpd"), tree))
    return found


def left_out(programs):
    """A sentence about the servers that are not compared with."""
    programs_of = {"vsftpd": programs.vsftpd, "pure-ftpd": programs.pure_ftpd}
    missing = [name for name, path in programs_of.items() if not path]
    return why_no_peers() or ("Not installed, and left out: %s." % ", ".join(missing) if missing else "")


def start_servers(stack, programs, work, data):
    tree = os.path.join(data, "tree")
    servers = [Larderd(programs, data, loops=1, with_ftp=True), *peers(programs, work, tree)]
    for server in servers:
        server.start(machine.SERVER_CORE)
        stack.enter_context(server)
    return servers


def measure(programs, servers, what, kind, paths, sessions, concurrency, rounds):
    """server name: (CPU seconds per session, wall seconds per session, bytes a second), each as Figures."""
    results = {server.name: (Figures(), Figures(), Figures()) for server in servers}
    for number in range(rounds + 1):
        for i in range(len(servers)):  # each round begins with another
            server = servers[(number + i) % len(servers)]
            run = ftp_load(programs, server, kind, paths, sessions, concurrency)
            if number == 0:
                continue  # warms everybody up
            cpu, wall, rate = results[server.name]
            cpu.add(run["cpu"] / sessions)
            wall.add(run["seconds"] / sessions)
            rate.add(run["bytes"] / run["seconds"])
        print("ftp: %s, round %d of %d" % (what, number, rounds), file=sys.stderr)
    return results


def ratio(figures, reference):
    return "1" if figures is reference else figures.over(reference).text(2)


def session_rows(results, concurrency):
    larder_cpu, larder_wall, _ = results["larder"]
    return [["%s, %d at a time" % (name, concurrency), cpu.text(0, 1e6), ratio(cpu, larder_cpu),
             wall.text(0, 1e6), ratio(wall, larder_wall)] for name, (cpu, wall, _) in results.items()]


def sessions_table(programs, servers, what, kind, paths, sessions, rounds):
    rows = []
    for concurrency, count in ((1, sessions // 3), (16, sessions)):  # one at a time takes long
        results = measure(programs, servers, "%s, %d at a time" % (what, concurrency), kind, paths, count,
                          concurrency, rounds)
        rows += session_rows(results, concurrency)
    return table([what, "CPU, µs per session", "larder = 1", "wall, µs per session", "larder = 1"], rows)


def big_table(programs, servers, what, paths, sessions, rounds):
    results = measure(programs, servers, what, "get", paths, sessions, 1, rounds)
    larder_cpu, larder_wall, _ = results["larder"]
    rows = [[name, rate.text(0, 1 / MEBIBYTE), ratio(wall, larder_wall),
             cpu.text(1, 1e3), ratio(cpu, larder_cpu)] for name, (cpu, wall, rate) in results.items()]
    return table([what, "MiB/s", "wall time, larder = 1", "CPU, ms per object", "larder = 1"], rows)


def paragraphs(programs, work, options):
    names, sessions, big_size, big_sessions = ((200, 64, 4 * MEBIBYTE, 2) if options.quick else
                                               (2000, 1000, 200 * MEBIBYTE, 10))
    os.chmod(work, 0o711)  # what is served is for everybody, "ftp" included
    data = os.path.join(work, "data")
    hits = fill(programs, data, names, 20480)
    big = write_paths(os.path.join(work, "big"), add_big_object(programs, data, big_size))
    hit_paths = write_paths(os.path.join(work, "hits"), hits)
    miss_paths = write_paths(os.path.join(work, "misses"), map(sibling_that_is_missing, hits))
    nodir_paths = write_paths(os.path.join(work, "nodirs"), map(in_a_directory_that_is_missing, hits))
    kinds = [("check of a missing object", "check-miss", miss_paths),
             ("check of an object that is there", "check-hit", hit_paths),
             ("check in a missing directory", "check-nodir", nodir_paths),
             ("get of 20 KiB", "get", hit_paths)]
    yield ("%d names, %d sessions a run, a third of that one at a time; each server on core %d, the load on "
           "core %d. Ratios are the row's time over larder's, of the same round: more than 1 means that "
           "larder takes less." % (names, sessions, machine.SERVER_CORE, machine.LOAD_CORE))
    if left_out(programs):
        yield left_out(programs)
    with contextlib.ExitStack() as stack:
        servers = start_servers(stack, programs, work, data)
        for what, kind, paths in kinds:
            yield sessions_table(programs, servers, what, kind, paths, sessions, options.rounds)
        yield big_table(programs, servers, "get of %d MiB" % (big_size // MEBIBYTE), big, big_sessions,
                        options.rounds)

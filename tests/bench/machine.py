"""What the measurements need of the machine: a network of their own, cores to
pin to, and what a process has used. Linux, only the standard library."""
import ctypes
import fcntl
import os
import platform
import re
import shutil
import socket
import struct
import time

CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCGIFFLAGS = 0x8913
SIOCSIFFLAGS = 0x8914
IFF_UP = 1
CONGESTION = "/proc/sys/net/ipv4/tcp_congestion_control"

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE = CORES[0]
LOAD_CORE = CORES[1] if len(CORES) > 1 else CORES[0]


def isolate_network():
    """Moves this process and its children into a network namespace with nothing
    but a loopback interface, and gives that the congestion control "reno". With
    others, foremost BBR, bulk transfers over loopback cost up to three times as
    much and vary. Returns a sentence for the report."""
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWNET if user == 0 else CLONE_NEWUSER | CLONE_NEWNET) != 0:
        return "the machine's own loopback, congestion control %s" % _read(CONGESTION)
    if user != 0:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", "%d %d 1" % (user, user))
        _write("/proc/self/gid_map", "%d %d 1" % (group, group))
    _raise_loopback()
    try:
        _write(CONGESTION, "reno")
    except OSError:
        pass  # /proc/sys is read-only in some containers; the report says which it is
    return "a network namespace of its own, congestion control %s" % _read(CONGESTION)


def _raise_loopback():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = fcntl.ioctl(control, SIOCGIFFLAGS, struct.pack("16sh22x", b"lo", 0))
        flags = struct.unpack_from("16sh", request)[1]
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", flags | IFF_UP))


def _read(path):
    with open(path) as file:
        return file.read().strip()


def _write(path, text):
    with open(path, "w") as file:
        file.write(text)


def pinned(core, command):
    return ["taskset", "--cpu-list", str(core), *command] if shutil.which("taskset") else command


def ahead_of_others(command):
    """With a priority that everything else on its core gives way to, where that is allowed."""
    return ["chrt", "--fifo", "50", *command] if os.geteuid() == 0 and shutil.which("chrt") else command


def family(pid):
    """A process and its children."""
    family = [pid]
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            fields = _read("/proc/%s/stat" % entry).rpartition(")")[2].split()
        except OSError:
            continue  # it ended
        if int(fields[1]) == pid:
            family.append(int(entry))
    return family


def cpu_seconds(pid):
    """User and system time of a process and its children so far. The same as utime + stime
    of /proc/PID/stat, but in nanoseconds where that has hundredths of a second: it is the
    clock that clock_getcpuclockid(3) gives."""
    return sum(time.clock_gettime((~each << 3) | 2) for each in family(pid))


def memory(pid):
    """(resident, anonymous): the second is what only this process has, the rest mapped files."""
    status = _read("/proc/%d/status" % pid)
    rows = dict(re.findall(r"^(VmRSS|RssAnon):\s+(\d+) kB", status, re.MULTILINE))
    return int(rows["VmRSS"]) * 1024, int(rows["RssAnon"]) * 1024


def anonymous_bytes(pid):
    """Of a process and its children."""
    return sum(memory(each)[1] for each in family(pid))


def forget_cached(directory):
    """Asks the kernel to drop what it keeps in memory of the files of a directory."""
    for name in os.listdir(directory):
        with open(os.path.join(directory, name), "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def file_system_of(directory):
    best, kind = "", "unknown"
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            _, point, each = line.split()[:3]
            inside = os.path.commonpath([point, os.path.realpath(directory)]) == point
            if inside and len(point) >= len(best):
                best, kind = point, each
    return kind


def describe(work):
    """Lines for the report; nothing that tells this machine from another of its kind."""
    model = re.search(r"^model name\s*:\s*(.+)$", _read("/proc/cpuinfo"), re.MULTILINE)
    memory_kb = int(re.search(r"MemTotal:\s+(\d+)", _read("/proc/meminfo")).group(1))
    system = re.search(r'^PRETTY_NAME="?([^"\n]+)', _read("/etc/os-release"), re.MULTILINE)
    return ["%d cores (%s), %.0f GiB" % (len(CORES), model.group(1) if model else platform.machine(),
                                         memory_kb / 2**20),
            "%s, kernel %s, data on %s" % (system.group(1) if system else "Linux",
                                           ".".join(platform.release().split(".")[:2]), file_system_of(work))]

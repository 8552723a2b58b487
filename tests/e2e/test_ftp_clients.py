"""The FTP clients people have, against larderd: they list, fetch, resume, upload
and break off. Where vsftpd can be run, the same jobs have to end the same way there."""
import concurrent.futures
import ftplib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from harness import LarderTest, SampleTree, needs, quoted, read_file, run_tool, sha256, wait_until, write_file

NAMESPACES = {"namespaces": [{"name": "sstate-cache", "kind": "sstate"}, {"name": "kept", "kind": "generic"}]}
VSFTPD = shutil.which("vsftpd", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
MIB = 1 << 20
BIG = random.Random(8421).randbytes(3 * MIB + 5)
ODD_NAMES = ("a:b+c~d%e@f g.bin", "100%25.txt", "~tilde", "[x]{y}'z;type=i", "umläut-日本.txt", "-dash", "n" * 254,
             "é" * 127)
FILES = {"kept/some/dir/big": BIG, "kept/some/dir/small": b"small\r\nand\xff\n", "kept/some/dir/empty": b"",
         **{"kept/odd names/" + name: name.encode() * 3 for name in ODD_NAMES}}
KILOBYTE_RATE = 400  # of uploads that are to be cut


def at_once(work, rows):
    """What work(row) says is wrong, for all rows, several at a time."""
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        return [wrong for wrong in pool.map(work, rows) if wrong]


def url_of(port, path):
    return "ftp://127.0.0.1:%d/%s" % (port, quoted(path))


def text_of(path):
    """A word of lftp's language."""
    return '"%s"' % path.replace("\\", "\\\\").replace('"', '\\"')


def lftp(*commands):
    return ("lftp", "-c", "; ".join(("set net:max-retries 1", "set net:timeout 20", "set file:charset UTF-8") + commands))


def aria2c(*options):
    # Of a 150 and a 226 that come in one piece, aria2c waits for the second until it
    # gives up, whoever the server is; unless it means to close the connection anyway.
    common = ("aria2c", "-q", "--no-conf", "--max-tries=1", "--ftp-reuse-connection=false", "--allow-overwrite=true",
              "--auto-file-renaming=false", "--file-allocation=none", "--min-split-size=1M", *options)
    return lambda port, path, file, again: (*common, *("-c",) * again, "-d", os.path.dirname(file), "-o",
                                            os.path.basename(file), url_of(port, path))


def rclone(command, *arguments):
    """`:path` is the server's."""
    return lambda port, *names: ("rclone", "--config", "/dev/null", "--retries", "1", "--low-level-retries", "1",
                                 command, *arguments, *(re.sub("^:", rclone_remote(port), name) for name in names))


def rclone_remote(port):
    if not hasattr(rclone_remote, "password"):
        rclone_remote.password = run_tool("rclone", "obscure", "nobody@").stdout.strip()
    return ":ftp,host=127.0.0.1,port=%d,user=anonymous,pass=%s:" % (port, rclone_remote.password)


def curl(*options):
    return lambda port, path, file, again: ("curl", "-sS", *options, *("-C", "-") * again, "-o", file,
                                            url_of(port, path))


def wget(*options):
    return lambda port, path, file, again: ("wget", "-q", "--tries=1", *options, *("-c",) * again, "-O", file,
                                            url_of(port, path))


def tnftp(*options):
    return lambda port, path, file, again: ("tnftp", *options, *("-R",) * again, "-o", file, url_of(port, path))


# (port, path, file, go on with what is there) → the command line
FETCH = {
    "curl": curl(),
    "curl --disable-epsv": curl("--disable-epsv"),
    "curl, active": curl("-P", "-"),
    "curl, active, PORT": curl("-P", "-", "--disable-eprt"),
    "curl, no CWD": curl("--ftp-method", "nocwd"),
    "wget": wget(),
    "wget --no-passive-ftp": wget("--no-passive-ftp"),
    "aria2c": aria2c(),
    "aria2c -x4": aria2c("-x4", "-s4"),
    "aria2c -x4, active": aria2c("-x4", "-s4", "--ftp-pasv=false"),
    "lftp": lambda port, path, file, again: lftp(
        "get %s %s -o %s" % ("-c" if again else "", text_of(url_of(port, path)), text_of(file))),
    "lftp pget": lambda port, path, file, again: lftp(
        "pget %s -n 4 -o %s %s" % ("-c" if again else "", text_of(file), text_of(url_of(port, path)))),
    "tnftp": tnftp(),
    "tnftp -A": tnftp("-A"),
    "ncftpget": lambda port, path, file, again: (
        "ncftpget", "-V", "-r", "0", "-P", str(port), "127.0.0.1", os.path.dirname(file), "/" + path),
    "rclone": lambda port, path, file, again: rclone("copyto")(port, ":/" + path, file),
    "busybox": lambda port, path, file, again: (
        "busybox", "ftpget", *("-c",) * again, "-P", str(port), "127.0.0.1", file, "/" + path),
}
NOT_RESUMING = ("rclone", "lftp pget")  # pget goes on only with what it has written down
MISSING = {"curl": (78, 9), "curl, no CWD": (78, 78), "wget": (8, 8), "aria2c": (3, 3), "tnftp": (1, 1), "lftp": (1, 1),
           "ncftpget": (3, 3), "rclone": (3, 3), "busybox": (1, 1)}  # exit status: file, directory

# (port, file, path) → the command line; directories are made as needed
STORE = {
    "curl": lambda port, file, path: ("curl", "-sS", "--ftp-create-dirs", "-T", file, url_of(port, path)),
    "curl, active": lambda port, file, path: (
        "curl", "-sS", "-P", "-", "--disable-epsv", "--ftp-create-dirs", "-T", file, url_of(port, path)),
    "lftp": lambda port, file, path: lftp(
        "open 127.0.0.1:%d" % port, "mkdir -pf " + text_of(os.path.dirname(path)),
        "put %s -o %s" % (text_of(file), text_of(path))),
    "lftp put -c": lambda port, file, path: lftp(
        "open 127.0.0.1:%d" % port, "mkdir -pf " + text_of(os.path.dirname(path)),
        "put -c %s -o %s" % (text_of(file), text_of(path))),
    "ncftpput": lambda port, file, path: (
        "ncftpput", "-V", "-r", "0", "-m", "-P", str(port), "127.0.0.1", "/" + os.path.dirname(path), file),
    "rclone": lambda port, file, path: rclone("copyto")(port, file, ":/" + path),
}


def present(table):
    return [name for name in table if shutil.which(re.split("[ ,]", name)[0])]


class Jobs:
    """What goes the same way on any server: self.port has FILES."""

    def run_client(self, table, name, *arguments):
        done = run_tool(*table[name](self.port, *arguments))
        return done.returncode, "%s: %r ended with %d: %s" % (name, arguments[:2], done.returncode, done.stdout[-300:])

    def file_for(self, path):
        return os.path.join(self.temporary_directory(), os.path.basename(path))

    def fetched(self, row, again=False, file=None):
        name, path = row
        file = file or self.file_for(path)
        code, report = self.run_client(FETCH, name, path, file, again)
        if code != 0:
            return report
        if not os.path.exists(file) or sha256(read_file(file)) != sha256(FILES[path]):
            return "%s: other bytes in %s" % (name, path)

    def test_every_client_fetches_every_file_many_at_once(self):
        def possible(name, path):
            # wget and aria2c take an empty answer for what it is; pget has nothing to divide.
            return not (name == "lftp pget" and not FILES[path])
        rows = [(name, path) for path in FILES for name in present(FETCH) if possible(name, path)]
        self.assertEqual(at_once(self.fetched, rows), [])

    def test_every_client_completes_a_half_file_and_leaves_a_whole_one(self):
        def completed(row):
            name, length = row
            file = self.file_for("big")
            write_file(file, BIG[:length])
            return self.fetched((name, "kept/some/dir/big"), again=True, file=file)
        names = [name for name in present(FETCH) if name not in NOT_RESUMING]
        self.assertEqual(at_once(completed, [(name, len(BIG) // 2) for name in names]), [])
        self.assertEqual(at_once(completed, [(name, len(BIG)) for name in names]), [])

    def test_every_client_says_what_is_missing(self):
        def refused(row):
            name, path, expected = row
            file = self.file_for(path)
            code, report = self.run_client(FETCH, name, path, file, False)
            if code != expected:
                return "not %d: %s" % (expected, report)
            if os.path.exists(file) and os.path.getsize(file):
                return "%s left something of %s" % (name, path)
        rows = []
        for name in present(FETCH):
            codes = MISSING.get(name) or MISSING[re.split("[ ,]", name)[0]]
            rows += zip((name, name), ("kept/some/dir/missing", "kept/no/dir/missing"), codes)
        self.assertEqual(at_once(refused, rows), [])

    def test_every_client_uploads_into_directories_to_be(self):
        def stored(row):
            name, content = row
            path = "kept/up/%s/%d/a+b c:%s" % (name, len(content), "é~%")
            file = self.file_for(path)
            write_file(file, content)
            code, report = self.run_client(STORE, name, file, path)
            if code != 0:
                return report
            if self.stored(path) != content:
                return "%s: other bytes in %s" % (name, path)
        rows = [(name, content) for name in present(STORE) for content in (BIG, b"x", b"")]
        self.assertEqual(at_once(stored, rows), [])

    @needs("curl")
    def test_curl_reads_ranges_sizes_and_times(self):
        url = url_of(self.port, "kept/some/dir/big")
        for range_, expected in (("0-0", BIG[:1]), ("100-199", BIG[100:200]), ("3145733-", b""), ("-7", BIG[-7:])):
            done = subprocess.run(["curl", "-sS", "-r", range_, url], stdout=subprocess.PIPE, timeout=60)
            if expected:
                self.assertEqual((range_, done.returncode, done.stdout), (range_, 0, expected))
        self.assertIn("Content-Length: %d\n" % len(BIG), run_tool("curl", "-sSI", url).stdout.replace("\r", ""))

    @needs("curl")
    def test_curl_lists_and_lists_no_missing_directory(self):
        names = run_tool("curl", "-sSl", url_of(self.port, "kept/some/dir/")).stdout.split()
        self.assertEqual(sorted(names), ["big", "empty", "small"])
        long = run_tool("curl", "-sS", url_of(self.port, "kept/some/dir/")).stdout.splitlines()
        self.assertEqual(sorted((line.split()[4], line.split()[8]) for line in long),
                         [("0", "empty"), ("12", "small"), (str(len(BIG)), "big")])
        self.assertEqual(run_tool("curl", "-sS", url_of(self.port, "kept/no/dir/")).returncode, 9)

    @needs("curl")
    def test_curl_renames_and_removes(self):
        self.assertEqual(self.run_client(STORE, "curl", __file__, "kept/renaming/from")[0], 0)
        url = url_of(self.port, "")
        moved = run_tool("curl", "-sSI", "-Q", "RNFR kept/renaming/from", "-Q", "RNTO kept/renaming/to", url)
        self.assertEqual(moved.returncode, 0, moved.stdout)
        self.assertEqual(self.stored("kept/renaming/to"), read_file(__file__))
        remove = ("curl", "-sSI", "-Q", "DELE kept/renaming/to", url)
        self.assertEqual([run_tool(*remove).returncode for _ in range(2)], [0, 21])
        self.assertIsNone(self.stored("kept/renaming/to"))

    @needs("tnftp")
    def test_tnftp_by_script(self):
        directory = self.temporary_directory()
        write_file(os.path.join(directory, "one"), b"1" * 70000)
        script = ("binary", "prompt", "cd kept/some/dir", "get small", "mget b* e*", "cd /kept/up", "mkdir tnftp",
                  "cd tnftp", "put one", "put one two", "rename two three", "size three", "nlist . names",
                  "passive off", "get three", "delete one", "cd ..", "cd missing", "pwd", "quit")
        commands = "\n".join(("open 127.0.0.1 %d" % self.port, "user anonymous me@", *script)) + "\n"
        done = subprocess.run(["tnftp", "-nv"], input=commands, text=True, stdout=subprocess.PIPE, timeout=60,
                              stderr=subprocess.STDOUT, cwd=directory)
        for name in ("small", "big", "empty"):
            self.assertEqual(read_file(os.path.join(directory, name)), FILES["kept/some/dir/" + name], done.stdout)
        self.assertEqual(read_file(os.path.join(directory, "three")), b"1" * 70000, done.stdout)
        names = read_file(os.path.join(directory, "names")).decode().split()
        self.assertEqual([name.rpartition("/")[2] for name in names], ["one", "three"])
        self.assertIn("three\t70000", done.stdout)
        self.assertIn("550 ", done.stdout)
        self.assertIsNone(self.stored("kept/up/tnftp/one"))

    def test_ftplib_walks_by_cwd_and_nlst_and_reads_every_byte(self):
        def walk(ftp):
            found = {}
            for name in ftp.nlst():
                try:
                    ftp.cwd(name)
                except ftplib.error_perm:
                    content = bytearray()
                    ftp.retrbinary("RETR " + name, content.extend)
                    found[ftp.pwd()[1:] + "/" + name] = bytes(content)
                else:
                    found.update(walk(ftp))
                    ftp.cwd("..")
            return found
        for passive in (True, False):
            with ftplib.FTP() as ftp:
                ftp.connect("127.0.0.1", self.port, timeout=60)
                ftp.login()
                ftp.set_pasv(passive)
                found = {}
                for directory in ("/kept/some", "/kept/odd names"):
                    ftp.cwd(directory)
                    found.update(walk(ftp))
                self.assertEqual(found, FILES)


class OnLarder(Jobs, LarderTest):
    config = NAMESPACES

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.port = cls.server.ftp_port
        for path, content in FILES.items():
            assert cls.server.put("/" + quoted(path), content).status == 201, path
        assert cls.server.put("/kept/up/there", b"x").status == 201

    def stored(self, path):
        answer = self.server.get("/" + quoted(path))
        return answer.body if answer.status == 200 else None

    def test_other_bytes_and_empty_artifacts_are_refused(self):
        # rclone is left out: what it could not store it removes, whatever that was before;
        # and lftp put -c, which finds the file there.
        for path, content in (("kept/some/dir/small", b"others"), ("sstate-cache/ab/cd/empty", b"")):
            for name in set(present(STORE)) - {"rclone", "lftp put -c"}:
                file = self.file_for(path)
                write_file(file, content)
                code, report = self.run_client(STORE, name, file, path)
                self.assertNotEqual(code, 0, report)
        self.assertEqual(self.stored("kept/some/dir/small"), FILES["kept/some/dir/small"])
        self.assertEqual(self.server.index("sstate-cache"), [])

    @needs("wget")
    def test_a_leftover_that_is_too_long_is_left_alone(self):
        file = self.file_for("big")
        write_file(file, BIG + b"!")
        code, report = self.run_client(FETCH, "wget", "kept/some/dir/big", file, True)
        self.assertEqual(code, 8, report)
        self.assertEqual(sha256(read_file(file)), sha256(BIG + b"!"))


@unittest.skipUnless(VSFTPD and os.geteuid() == 0, "vsftpd is not installed, or we are not root")
class OnVsftpd(Jobs, LarderTest):
    with_server = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = os.path.join(cls.work, "root")
        for path, content in FILES.items():
            write_file(os.path.join(cls.root, path), content)
        os.makedirs(os.path.join(cls.root, "kept/up"))
        os.makedirs(os.path.join(cls.root, "kept/renaming"))
        os.chmod(cls.work, 0o711)
        subprocess.run(["chown", "-R", "ftp:", os.path.join(cls.root, "kept")], check=True)
        cls.port = harness.unused_port()
        empty = os.path.join(cls.work, "empty")
        os.mkdir(empty)
        settings = {"listen": "YES", "listen_address": "127.0.0.1", "listen_port": cls.port, "background": "NO",
                    "anonymous_enable": "YES", "anon_root": cls.root, "no_anon_password": "YES",
                    "secure_chroot_dir": empty, "connect_from_port_20": "NO", "write_enable": "YES",
                    "anon_upload_enable": "YES", "anon_mkdir_write_enable": "YES", "anon_other_write_enable": "YES",
                    "anon_umask": "022", "seccomp_sandbox": "NO", "max_per_ip": 0}
        write_file(os.path.join(cls.work, "vsftpd.conf"),
                   "".join("%s=%s\n" % row for row in settings.items()).encode())
        process = harness.start_process([VSFTPD, os.path.join(cls.work, "vsftpd.conf")])
        cls.addClassCleanup(harness.end_process, process)

        def answers():
            with socket.socket() as probe:
                return process.poll() is None and probe.connect_ex(("127.0.0.1", cls.port)) == 0
        wait_until(answers, "vsftpd listens")

    def stored(self, path):
        file = os.path.join(self.root, path)
        return read_file(file) if os.path.exists(file) else None


class WholeTrees(LarderTest):
    """A directory of sstate there and back again."""

    config = NAMESPACES

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tree = SampleTree("sstate", os.path.join(cls.work, "tree"), "--objects", "160", "--median-size", "6KiB")
        cls.port = cls.server.ftp_port

    def setUp(self):
        if not self.server.index("sstate-cache"):
            for path in self.tree.files:
                self.server.put("/sstate-cache/" + quoted(path), read_file(self.tree.file(path)))

    def digests(self, directory):
        found = {}
        for where, _, names in os.walk(directory):
            for name in names:
                path = os.path.join(where, name)
                found[os.path.relpath(path, directory)] = harness.sha256_of_file(path)
        return found

    def wanted(self):
        return {path: row[1] for path, row in self.tree.files.items()}

    def assert_up(self, below):
        names = [name[len(below) + 1:] for name in self.server.index("kept") if name.startswith(below + "/")]
        self.assertEqual(sorted(names), sorted(self.tree.files))
        self.assert_served(self.server, "kept/" + below,
                           {path: (row[1], row[2]) for path, row in self.tree.files.items()})

    def run_well(self, *arguments, **options):
        done = run_tool(*arguments, **options)
        self.assertEqual(done.returncode, 0, done.stdout[-1500:])
        return done.stdout

    def test_the_tree_comes_down(self):
        there = "ftp://127.0.0.1:%d/sstate-cache" % self.port
        for name, command in {
            "lftp": lambda to: lftp("mirror %s %s" % (there, to)),
            "lftp --parallel": lambda to: lftp("mirror --parallel=4 %s %s" % (there, to)),
            "ncftpget": lambda to: ("ncftpget", "-V", "-R", "-T", "-P", str(self.port), "127.0.0.1", to, "/sstate-cache"),
            "rclone": lambda to: rclone("copy")(self.port, ":/sstate-cache", to),
        }.items():
            if shutil.which(name.split()[0]):
                with self.subTest(name):
                    to = self.temporary_directory()
                    self.run_well(*command(to))
                    got = os.path.join(to, "sstate-cache")
                    self.assertEqual(self.digests(got if os.path.isdir(got) else to), self.wanted())

    @needs("wget")
    def test_wget_comes_down_recursively(self):
        to = self.temporary_directory()
        self.run_well("wget", "-q", "-r", "-l", "inf", "-nH", "--cut-dirs=1", "-P", to, url_of(self.port, "sstate-cache/"))
        def not_too_long(names):  # wget cuts names of more than 236 bytes
            return {path: digest for path, digest in names.items() if len(os.path.basename(path)) < 236}
        self.assertEqual(not_too_long(self.digests(to)), not_too_long(self.wanted()))

    def test_the_tree_goes_up_and_once_more(self):
        with_port = "open 127.0.0.1:%d" % self.port
        for name, command in {
            "lftp": lambda to: lftp(with_port, "mirror -R %s %s" % (self.tree.directory, to)),
            "lftp --parallel": lambda to: lftp(with_port, "mirror -R --parallel=4 %s %s" % (self.tree.directory, to)),
            "ncftpput": lambda to: ("ncftpput", "-V", "-r", "0", "-R", "-m", "-P", str(self.port), "127.0.0.1", to, "."),
            "rclone": lambda to: rclone("copy")(self.port, self.tree.directory, ":" + to),
        }.items():
            if shutil.which(name.split()[0]):
                with self.subTest(name):
                    below = name.replace(" ", "")
                    for _ in range(2):
                        self.run_well(*command("/kept/" + below), cwd=self.tree.directory)
                        self.assert_up(below)

    def test_the_tree_is_removed(self):
        for name, command in {
            "lftp": lambda path: lftp("open 127.0.0.1:%d" % self.port, "rm -r " + path),
            "rclone": lambda path: rclone("purge")(self.port, ":" + path),
        }.items():
            if shutil.which(name):
                with self.subTest(name):
                    for path in ("a/b/1", "a/b/2", "a/c/3", "4"):
                        self.server.put("/kept/removed/" + path, b"x")
                    self.run_well(*command("/kept/removed"))
                    self.assertEqual([each for each in self.server.index("kept") if each.startswith("removed/")], [])

    @needs("rclone")
    def test_rclone_finds_no_difference(self):
        check = rclone("check", "--download")(self.port, self.tree.directory, ":/sstate-cache")
        self.run_well(*check)
        listed = self.run_well(*rclone("ls")(self.port, ":/sstate-cache"))
        self.assertEqual(sorted(line.split(None, 1)[1] for line in listed.splitlines()), sorted(self.tree.files))
        with tempfile.TemporaryDirectory(dir=self.work) as other:
            write_file(os.path.join(other, "00/00/more"), b"x")
            self.assertEqual(run_tool(*rclone("check")(self.port, other, ":/sstate-cache")).returncode, 1)

    @needs("lftp")
    def test_lftp_fetches_by_pattern_and_moves(self):
        to = self.temporary_directory()
        first = min(self.tree.files)
        directory, _, name = first.rpartition("/")
        self.run_well(*lftp("open 127.0.0.1:%d" % self.port, "cd /sstate-cache/" + directory,
                            "mget -O %s *%s" % (to, name[-20:])))
        self.assertEqual(harness.sha256_of_file(os.path.join(to, name)), self.tree.files[first][1])
        self.server.put("/kept/moved/from", b"moved")
        self.run_well(*lftp("open 127.0.0.1:%d/kept" % self.port, "mv moved/from moved/to", "cls moved/to"))
        self.assertEqual(self.server.get("/kept/moved/to").body, b"moved")

    def test_ftplib_walks_by_mlsd_and_finds_what_http_lists(self):
        def walk(ftp, path):
            for name, facts in ftp.mlsd(path, ["type", "size", "modify"]):
                below = path + "/" + name
                if facts["type"] == "dir":
                    yield from walk(ftp, below)
                elif facts["type"] == "file":
                    yield below, facts
        digests = {}
        with ftplib.FTP() as ftp:
            ftp.connect("127.0.0.1", self.port, timeout=60)
            ftp.login()
            for path, facts in walk(ftp, "/sstate-cache"):
                content = bytearray()
                ftp.retrbinary("RETR " + path, content.extend)
                self.assertEqual(int(facts["size"]), len(content), path)
                self.assertEqual(ftp.sendcmd("MDTM " + path), "213 " + facts["modify"])
                digests[path[len("/sstate-cache/"):]] = sha256(content)
        self.assertEqual(digests, self.wanted())
        self.assertEqual(sorted(digests), self.server.index("sstate-cache"))


SLOW_PYTHON = """
import ftplib, sys, time
class Slow:
    def read(self, count):
        time.sleep(0.01)
        return b'x' * 4096
with ftplib.FTP() as ftp:
    ftp.connect('127.0.0.1', int(sys.argv[1]))
    ftp.login()
    ftp.storbinary('STOR ' + sys.argv[2], Slow())
"""


class BreakingOff(LarderTest):
    config = NAMESPACES

    def setUp(self):
        self.server.put("/kept/cut/directory", b"x")  # there has to be one

    def assert_nothing_left(self):
        wait_until(lambda: self.staged() == [], "what was staged is dropped")
        self.assertEqual([name for name in self.server.index("kept") if name.startswith("cut/")], ["cut/directory"])

    def connected(self):
        ftp = ftplib.FTP()
        ftp.connect("127.0.0.1", self.server.ftp_port, timeout=60)
        self.addCleanup(ftp.close)
        ftp.login()
        ftp.voidcmd("TYPE I")
        return ftp

    def staged(self):
        return os.listdir(os.path.join(self.server.data, "tmp"))

    def test_an_upload_whose_client_is_killed_leaves_nothing(self):
        file = os.path.join(self.temporary_directory(), "big")
        write_file(file, BIG * 4)
        port, rate = self.server.ftp_port, KILOBYTE_RATE
        rows = {
            "curl": lambda to: ("curl", "-s", "--limit-rate", "%dk" % rate, "-T", file, url_of(port, to)),
            "curl, active": lambda to: (
                "curl", "-s", "-P", "-", "--limit-rate", "%dk" % rate, "-T", file, url_of(port, to)),
            "lftp": lambda to: lftp("set net:limit-rate %d000" % rate, "put %s -o %s" % (file, url_of(port, to))),
            "rclone": lambda to: rclone("copyto", "--bwlimit", "%dk" % rate)(port, file, ":/" + to),
            "tnftp": lambda to: ("tnftp", "-T", "put,%d000" % rate, "-u", url_of(port, to), file),
            "python3": lambda to: (sys.executable, "-c", SLOW_PYTHON, str(port), "/" + to),
        }
        processes = []
        for name in present(rows):
            for number in range(3):
                to = "kept/cut/%s-%d" % (name.replace(" ", ""), number)
                process = harness.start_process(rows[name](to), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                self.addCleanup(harness.end_process, process)
                processes.append(process)
        wait_until(lambda: len(self.staged()) >= len(processes), "all uploads are under way")
        for process in processes:
            self.assertIsNone(process.poll(), process.args)
            harness.end_process(process)
        self.assert_nothing_left()

    def test_an_upload_whose_data_connection_ends_just_before_its_session_leaves_nothing(self):
        # Interrupted clients close what they hold one after the other.
        ftp = self.connected()
        data = ftp.transfercmd("STOR /kept/cut/one-after-the-other")
        data.sendall(b"half")
        data.close()
        time.sleep(0.02)
        ftp.close()
        self.assert_nothing_left()

    def test_downloads_are_broken_off_and_the_session_goes_on(self):
        self.server.put("/kept/big", BIG * 8)
        ftp = self.connected()
        for _ in range(3):
            data = ftp.transfercmd("RETR /kept/big")
            self.assertEqual(len(data.recv(1000)), 1000)
            ftp.putcmd("ABOR")
            data.close()
            self.assertEqual(ftp.getmultiline()[:3], "426")
            self.assertEqual(ftp.getmultiline()[:3], "226")
            data = ftp.transfercmd("RETR /kept/big", rest=1000)
            data.recv(1000)
            data.close()
            self.assertEqual(ftp.getmultiline()[:3], "426")
            self.assertEqual(ftp.size("/kept/big"), 8 * len(BIG))
        self.server.request("DELETE", "/kept/big")

    @needs("curl")
    def test_a_killed_download_is_taken_up_again(self):
        self.server.put("/kept/slow", BIG)
        file = os.path.join(self.temporary_directory(), "slow")
        url = url_of(self.server.ftp_port, "kept/slow")
        cut = harness.start_process(["curl", "-s", "--limit-rate", "1M", "-o", file, url])
        wait_until(lambda: os.path.exists(file) and os.path.getsize(file) > 100_000, "a part is there")
        harness.end_process(cut)
        self.assertLess(os.path.getsize(file), len(BIG))
        self.assertEqual(run_tool("curl", "-sS", "-C", "-", "-o", file, url).returncode, 0)
        self.assertEqual(sha256(read_file(file)), sha256(BIG))
        self.server.request("DELETE", "/kept/slow")

    def test_an_upload_goes_on_within_its_session(self):
        for command, rest in (("APPE", None), ("STOR", 4)):
            ftp = self.connected()
            data = ftp.transfercmd("STOR /kept/goes/on" + command)
            data.sendall(b"half")
            wait_until(lambda: self.staged(), "the upload is staged")
            ftp.putcmd("ABOR")
            self.assertEqual(ftp.getmultiline()[:3], "426")
            data.close()
            self.assertEqual(ftp.getmultiline()[:3], "226")
            self.assertEqual(self.server.get("/kept/goes/on" + command).status, 404)
            data = ftp.transfercmd("%s /kept/goes/on%s" % (command, command), rest=rest)
            data.sendall(b" and half")
            data.close()
            self.assertEqual(ftp.getmultiline()[:3], "226")
            self.assertEqual(self.server.get("/kept/goes/on" + command).body, b"half and half")
            self.server.request("DELETE", "/kept/goes/on" + command)


class WayBeyondFourGib(LarderTest):
    """Offsets that 32 bits do not hold. The file has holes: only they are large."""

    with_server = False
    SIZE = (4 << 30) + 9
    MARKS = {(2 << 30) - 3: b"two-gib", (4 << 30) - 4: b"four-gib", SIZE - 3: b"end"}

    def test_sizes_and_ranges_around_four_gib(self):
        directory = os.path.join(self.work, "sparse")
        write_file(os.path.join(directory, "huge"), b"")
        with open(os.path.join(directory, "huge"), "r+b") as file:
            file.truncate(self.SIZE)
            for offset, mark in self.MARKS.items():
                os.pwrite(file.fileno(), mark, offset)
        data = os.path.join(self.work, "data")
        own = harness.Larderd(self.work, {**NAMESPACES, "durability": "none"}, data)
        done = subprocess.run([harness.LARDERD, "--config", own.write_config(), "--data", data, "adopt", "--namespace",
                               "kept", directory], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
        self.assertEqual(done.returncode, 0, done.stdout)
        server = own.start()
        self.addCleanup(own.kill)
        url = url_of(server.ftp_port, "kept/huge")
        with ftplib.FTP() as ftp:
            ftp.connect("127.0.0.1", server.ftp_port, timeout=60)
            ftp.login()
            ftp.voidcmd("TYPE I")
            self.assertEqual(ftp.size("/kept/huge"), self.SIZE)
            self.assertEqual(dict(ftp.mlsd("/kept"))["huge"]["size"], str(self.SIZE))
            for offset, mark in self.MARKS.items():
                with ftp.transfercmd("RETR /kept/huge", rest=offset) as connection:
                    self.assertEqual(connection.recv(len(mark), socket.MSG_WAITALL), mark)
                ftp.getmultiline()  # 226 or 426: it may all have been on its way
            with self.assertRaises(ftplib.error_perm):
                ftp.transfercmd("RETR /kept/huge", rest=self.SIZE + 1)
        if shutil.which("curl"):
            for offset, mark in self.MARKS.items():
                got = run_tool("curl", "-sS", "-r", "%d-%d" % (offset, offset + len(mark) - 1), url)
                self.assertEqual((got.returncode, got.stdout), (0, mark.decode()))
        for name in ("curl", "wget", "lftp", "aria2c", "tnftp", "ncftpget"):
            if name in present(FETCH):
                file = os.path.join(self.temporary_directory(), "huge")
                with open(file, "wb") as partial:
                    partial.truncate(self.SIZE - 3)
                done = run_tool(*FETCH[name](server.ftp_port, "kept/huge", file, True))
                self.assertEqual((name, done.returncode, os.path.getsize(file)), (name, 0, self.SIZE), done.stdout)
                with open(file, "rb") as complete:
                    self.assertEqual(os.pread(complete.fileno(), 3, self.SIZE - 3), b"end")
                os.remove(file)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()

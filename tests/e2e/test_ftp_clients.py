"""The FTP clients people have, against larderd: they list, fetch, resume, upload
and break off. Where vsftpd can run, the same jobs have to end the same way there."""
import concurrent.futures
import ftplib
import os
import random
import re
import shutil
import socket
import subprocess
import time
import unittest

import harness
from harness import LarderTest, SampleTree, needs, quoted, read_file, run_tool, sha256, wait_until, write_file

os.environ.update(RCLONE_CONFIG="/dev/null", RCLONE_RETRIES="1", RCLONE_LOW_LEVEL_RETRIES="1")
RCLONE_PASSWORD = "zIUVvm-W_vifu2FYu1_kE1c"  # any: rclone obscure x
NAMESPACES = {"namespaces": [{"name": "sstate-cache", "kind": "sstate"}, {"name": "kept", "kind": "generic"}]}
VSFTPD = shutil.which("vsftpd", path=os.environ["PATH"] + ":/usr/sbin:/sbin")
BIG = random.Random(8421).randbytes((3 << 20) + 5)
ODD_NAMES = ("a:b+c~d%e@f g.bin", "100%25 'z;a=b&#!", "umläut-日本.txt", "-dash", "n" * 254)
FILES = {"kept/some/dir/big": BIG, "kept/some/dir/small": b"small\r\nand\xff\n", "kept/some/dir/empty": b"",
         **{"kept/odd names/" + name: name.encode() * 3 for name in ODD_NAMES}}

# Command lines: words in capitals are filled in by command(). Of a 150 and a 226 that come in
# one piece, aria2c waits for the latter until it gives up, whoever the server is; unless it
# means to close the connection anyway.
ARIA2C = ("aria2c -q --no-conf --max-tries=1 --ftp-reuse-connection=false --allow-overwrite=true "
          "--auto-file-renaming=false --file-allocation=none --min-split-size=1M -d DIR -o NAME AGAIN URL ")
LFTP = "set net:max-retries 1; set net:timeout 20; set file:charset UTF-8; "
FETCH = {  # a command, the option (AGAIN) to go on with what is there, exit status for a missing file or directory
    "curl": ("curl -sS AGAIN -o FILE URL", "-C -", 78, 9),
    "curl --disable-epsv": ("curl -sS --disable-epsv AGAIN -o FILE URL", "-C -", 78, 9),
    "curl, active": ("curl -sS -P - AGAIN -o FILE URL", "-C -", 78, 9),
    "curl, active, PORT": ("curl -sS -P - --disable-eprt AGAIN -o FILE URL", "-C -", 78, 9),
    "curl, no CWD": ("curl -sS --ftp-method nocwd AGAIN -o FILE URL", "-C -", 78, 78),
    "wget": ("wget -q --tries=1 AGAIN -O FILE URL", "-c", 8, 8),
    "wget --no-passive-ftp": ("wget -q --tries=1 --no-passive-ftp AGAIN -O FILE URL", "-c", 8, 8),
    "aria2c": (ARIA2C, "-c", 3, 3),
    "aria2c -x4": (ARIA2C + "-x4 -s4", "-c", 3, 3),
    "aria2c -x4, active": (ARIA2C + "-x4 -s4 --ftp-pasv=false", "-c", 3, 3),
    "lftp": ("lftp get AGAIN URL -o FILE", "-c", 1, 1),
    "lftp pget": ("lftp pget -n 4 URL -o FILE", None, 1, 1),  # goes on only with what it wrote down itself
    "tnftp": ("tnftp AGAIN -o FILE URL", "-R", 1, 1),
    "tnftp -A": ("tnftp -A AGAIN -o FILE URL", "-R", 1, 1),
    "ncftpget": ("ncftpget -V -r 0 -P PORT 127.0.0.1 DIR PATH", "", 3, 3),
    "rclone": ("rclone copyto REMOTE FILE", None, 3, 3),
    "busybox": ("busybox ftpget AGAIN -P PORT 127.0.0.1 FILE PATH", "-c", 1, 1),
}
STORE = {  # makes directories as needed
    "curl": "curl -sS --ftp-create-dirs -T FILE URL",
    "curl, active": "curl -sS -P - --disable-epsv --ftp-create-dirs -T FILE URL",
    "lftp": "lftp open SERVER; mkdir -pf PATHDIR ; put FILE -o PATH",
    "lftp put -c": "lftp open SERVER; mkdir -pf PATHDIR ; put -c FILE -o PATH",
    "ncftpput": "ncftpput -V -r 0 -m -P PORT 127.0.0.1 PATHDIR FILE",
    "rclone": "rclone copyto FILE REMOTE",
}
STORE_SLOWLY = {  # 400 KB a second, into a directory that is there
    "curl": "curl -s --limit-rate 400k -T FILE URL",
    "curl, active": "curl -s -P - --limit-rate 400k -T FILE URL",
    "lftp": "lftp set net:limit-rate 400000; put FILE -o URL",
    "rclone": "rclone copyto --bwlimit 400k FILE REMOTE",
    "tnftp": "tnftp -T put,400000 -u URL FILE",
    "python3": "python3 -c PYTHON PORT PATH",
}
SLOW_PYTHON = """import ftplib, sys, time, types
ftp = ftplib.FTP()
ftp.connect('127.0.0.1', int(sys.argv[1]))
ftp.login()
ftp.storbinary('STOR ' + sys.argv[2], types.SimpleNamespace(read=lambda count: time.sleep(0.01) or b'x' * 4096))
"""
TREE_DOWN = {"lftp": "lftp mirror URL FILE", "lftp --parallel": "lftp mirror --parallel=4 URL FILE",
             "ncftpget": "ncftpget -V -R -T -P PORT 127.0.0.1 DIR PATH", "rclone": "rclone copy REMOTE FILE",
             "wget": "wget -q -r -l inf -nH -P DIR URL/"}
TREE_UP = {"lftp": "lftp open SERVER; mirror -R FILE PATH",
           "lftp --parallel": "lftp open SERVER; mirror -R --parallel=4 FILE PATH",
           "ncftpput": "ncftpput -V -r 0 -R -m -P PORT 127.0.0.1 PATHDIR FILE", "rclone": "rclone copy FILE REMOTE"}
TREE_AWAY = {"lftp": "lftp open SERVER; rm -r PATH", "rclone": "rclone purge REMOTE"}


def url_of(port, path):
    return "ftp://127.0.0.1:%d/%s" % (port, quoted(path))


def command(template, port, path, file="", again=""):
    """The words of a command line for /path on the server and the local file."""
    fill = {"URL": url_of(port, path), "URL/": url_of(port, path) + "/", "PATH": "/" + path, "PORT": str(port),
            "PATHDIR": os.path.dirname("/" + path), "FILE": file, "DIR": os.path.dirname(file),
            "NAME": os.path.basename(file), "SERVER;": "127.0.0.1:%d;" % port, "PYTHON": SLOW_PYTHON}
    fill["REMOTE"] = ":ftp,host=127.0.0.1,port=%d,user=anonymous,pass=%s:/%s" % (port, RCLONE_PASSWORD, path)
    words = template.replace("AGAIN", again).split()
    if words[0] != "lftp":
        return [fill.get(word, word) for word in words]
    for name in ("URL", "PATH", "PATHDIR", "FILE"):
        fill[name] = '"%s"' % fill[name].replace("\\", "\\\\").replace('"', '\\"')
    return ["lftp", "-c", LFTP + " ".join(fill.get(word, word) for word in words[1:])]


def program_of(name):
    return re.split("[ ,]", name)[0]


def present(table):
    return [name for name in table if shutil.which(program_of(name))]


def at_once(work, rows):
    """What work(*row) finds wrong, for all rows, several at a time."""
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        return [wrong for wrong in pool.map(lambda row: work(*row), rows) if wrong]


def logged_in(port):
    ftp = ftplib.FTP()
    ftp.connect("127.0.0.1", port, timeout=60)
    ftp.login()
    ftp.voidcmd("TYPE I")
    return ftp


def content_of(ftp, name):
    content = bytearray()
    ftp.retrbinary("RETR " + name, content.extend)
    return bytes(content)


def digests_below(directory):
    files = (os.path.join(where, name) for where, _, names in os.walk(directory) for name in names)
    return {os.path.relpath(file, directory): harness.sha256_of_file(file) for file in files}


class Clients(unittest.TestCase):
    def test_every_client_is_there_to_be_tried(self):
        tables = (FETCH, STORE, STORE_SLOWLY, TREE_DOWN, TREE_UP, TREE_AWAY)
        programs = {program_of(name) for table in tables for name in table}
        missing = sorted(program for program in programs if not shutil.which(program))
        if missing:
            self.skipTest("not tried, because not installed: " + ", ".join(missing))


class Jobs:
    """What goes the same way on any server: self.port has FILES, self.stored() looks behind it."""

    def file_for(self, path, content=None):
        file = os.path.join(self.temporary_directory(), os.path.basename(path))
        if content is not None:
            write_file(file, content)
        return file

    def fetched(self, name, path, begun=None):
        file = self.file_for(path, begun)
        words = command(FETCH[name][0], self.port, path, file, "" if begun is None else FETCH[name][1])
        done = run_tool(*words, cwd=self.work)
        if done.returncode != 0:
            return "%s: %d for %s: %s" % (name, done.returncode, path, done.stdout[-300:])
        if not os.path.exists(file) or sha256(read_file(file)) != sha256(FILES[path]):
            return "%s: other bytes in %s" % (name, path)

    def test_every_client_fetches_every_file_many_at_once(self):
        rows = [(name, path) for path in FILES for name in present(FETCH)
                if FILES[path] or name != "lftp pget"]  # has nothing to divide
        self.assertEqual(at_once(self.fetched, rows), [])

    def test_every_client_completes_a_half_file_and_leaves_a_whole_one(self):
        for begun in (BIG[:len(BIG) // 2], BIG):
            rows = [(name, "kept/some/dir/big", begun) for name in present(FETCH) if FETCH[name][1] is not None]
            self.assertEqual(at_once(self.fetched, rows), [])

    def test_every_client_says_what_is_missing(self):
        def refused(name, path, expected):
            file = self.file_for(path)
            done = run_tool(*command(FETCH[name][0], self.port, path, file), cwd=self.work)
            if done.returncode != expected:
                return "%s: %d for %s, not %d: %s" % (name, done.returncode, path, expected, done.stdout[-300:])
            if os.path.exists(file) and os.path.getsize(file):
                return "%s left something of %s" % (name, path)
        rows = [(name, "kept/some/dir/missing", FETCH[name][2]) for name in present(FETCH)]
        rows += [(name, "kept/no/dir/missing", FETCH[name][3]) for name in present(FETCH)]
        self.assertEqual(at_once(refused, rows), [])

    def test_every_client_uploads_into_directories_to_be(self):
        def stored(name, content):
            path = "kept/up/%s/%d/a+b c:é~%%" % (name, len(content))
            done = run_tool(*command(STORE[name], self.port, path, self.file_for(path, content)))
            if done.returncode != 0 or self.stored(path) != content:
                return "%s: %d or other bytes in %s: %s" % (name, done.returncode, path, done.stdout[-300:])
        self.assertEqual(at_once(stored, [(name, each) for name in present(STORE) for each in (BIG, b"x", b"")]), [])

    @needs("curl")
    def test_curl_reads_ranges_and_sizes_and_lists(self):
        url = url_of(self.port, "kept/some/dir/")
        for part, expected in (("0-0", BIG[:1]), ("100-199", BIG[100:200]), ("-7", BIG[-7:])):
            done = subprocess.run(["curl", "-sS", "-r", part, url + "big"], stdout=subprocess.PIPE, timeout=60)
            self.assertEqual((part, done.returncode, done.stdout), (part, 0, expected))
        self.assertIn("Content-Length: %d\n" % len(BIG), run_tool("curl", "-sSI", url + "big").stdout)
        self.assertEqual(sorted(run_tool("curl", "-sSl", url).stdout.split()), ["big", "empty", "small"])
        lines = [line.split() for line in run_tool("curl", "-sS", url).stdout.splitlines()]
        self.assertEqual(sorted((line[8], line[4]) for line in lines),
                         [("big", str(len(BIG))), ("empty", "0"), ("small", "12")])
        self.assertEqual(run_tool("curl", "-sS", url_of(self.port, "kept/no/dir/")).returncode, 9)

    @needs("curl")
    def test_curl_renames_and_removes(self):
        file = self.file_for("from", b"renamed")
        url = url_of(self.port, "")
        self.assertEqual(run_tool(*command(STORE["curl"], self.port, "kept/up/from", file)).returncode, 0)
        moved = run_tool("curl", "-sSI", "-Q", "RNFR kept/up/from", "-Q", "RNTO kept/up/to", url)
        self.assertEqual(moved.returncode, 0, moved.stdout)
        self.assertEqual((self.stored("kept/up/from"), self.stored("kept/up/to")), (None, b"renamed"))
        removals = [run_tool("curl", "-sSI", "-Q", "DELE kept/up/to", url).returncode for _ in range(2)]
        self.assertEqual((removals, self.stored("kept/up/to")), ([0, 21], None))

    @needs("tnftp")
    def test_tnftp_by_script(self):
        directory = self.temporary_directory()
        write_file(os.path.join(directory, "one"), b"1" * 70000)
        script = ("open 127.0.0.1 %d" % self.port, "user anonymous me@", "binary", "prompt", "cd kept/some/dir",
                  "get small", "mget b* e*", "cd /kept/up", "mkdir tnftp", "cd tnftp", "put one", "put one two",
                  "rename two three", "size three", "nlist . names", "passive off", "get three", "delete one",
                  "cd ../missing", "quit")
        done = subprocess.run(["tnftp", "-nv"], input="\n".join(script) + "\n", text=True, stdout=subprocess.PIPE,
                              timeout=60, stderr=subprocess.STDOUT, cwd=directory)
        got = {name: read_file(os.path.join(directory, name)) for name in os.listdir(directory)}
        names = got.pop("names").decode().split()
        self.assertEqual([name.rpartition("/")[2] for name in names], ["one", "three"], done.stdout)
        self.assertEqual(got, {"one": b"1" * 70000, "three": b"1" * 70000, "small": FILES["kept/some/dir/small"],
                               "big": BIG, "empty": b""})
        self.assertIn("three\t70000", done.stdout)
        self.assertIn("550 ", done.stdout)
        self.assertIsNone(self.stored("kept/up/tnftp/one"))

    def test_ftplib_walks_by_cwd_and_nlst_and_reads_every_byte(self):
        def walk(ftp):
            for name in ftp.nlst():
                try:
                    ftp.cwd(name)
                except ftplib.error_perm:
                    yield ftp.pwd()[1:] + "/" + name, content_of(ftp, name)
                else:
                    yield from walk(ftp)
                    ftp.cwd("..")
        for passive in (True, False):
            with logged_in(self.port) as ftp:
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
        for path, content in {**FILES, "kept/up/there": b"x"}.items():
            assert cls.server.put("/" + quoted(path), content).status == 201, path

    def stored(self, path):
        answer = self.server.get("/" + quoted(path))
        return answer.body if answer.status == 200 else None

    def test_other_bytes_and_empty_artifacts_are_refused(self):
        # Not with lftp put -c, which finds the file there; nor with rclone: what it
        # could not store it removes, whatever was there before.
        for path, content in (("kept/some/dir/small", b"others"), ("sstate-cache/ab/cd/empty", b"")):
            for name in set(present(STORE)) - {"rclone", "lftp put -c"}:
                done = run_tool(*command(STORE[name], self.port, path, self.file_for(path, content)))
                self.assertNotEqual(done.returncode, 0, name + done.stdout)
        self.assertEqual(self.stored("kept/some/dir/small"), FILES["kept/some/dir/small"])
        self.assertEqual(self.server.index("sstate-cache"), [])


@needs("curl")
@unittest.skipUnless(VSFTPD, "vsftpd is not installed (./dev deps reference)")
@unittest.skipUnless(os.geteuid() == 0, "only root can run vsftpd as it is compared with")
class OnVsftpd(Jobs, LarderTest):
    with_server = False

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.root = os.path.join(cls.work, "root")
        for path, content in FILES.items():
            write_file(os.path.join(cls.root, path), content)
        for directory in (cls.root + "/kept/up", cls.work + "/empty"):
            os.mkdir(directory)
        os.chmod(cls.work, 0o711)
        subprocess.run(["chown", "-R", "ftp:", cls.root + "/kept"], check=True)
        cls.port = harness.unused_port()
        settings = ("listen=YES background=NO seccomp_sandbox=NO connect_from_port_20=NO anonymous_enable=YES "
                    "no_anon_password=YES write_enable=YES anon_upload_enable=YES anon_mkdir_write_enable=YES "
                    "anon_other_write_enable=YES anon_umask=022 listen_address=127.0.0.1 listen_port=%d "
                    "anon_root=%s secure_chroot_dir=%s/empty ") % (cls.port, cls.root, cls.work)
        write_file(cls.work + "/vsftpd.conf", settings.replace(" ", "\n").encode())
        process = harness.start_process([VSFTPD, cls.work + "/vsftpd.conf"])
        cls.addClassCleanup(harness.end_process, process)
        wait_until(lambda: run_tool(*command("curl -s URL", cls.port, "")).returncode == 0, "vsftpd answers")

    def stored(self, path):
        file = os.path.join(self.root, path)
        return read_file(file) if os.path.exists(file) else None


class WholeTrees(LarderTest):
    """A directory of sstate there and back again."""

    config = NAMESPACES

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.tree = SampleTree("sstate", os.path.join(cls.work, "tree"), "--objects", "120", "--median-size", "6KiB")
        cls.port = cls.server.ftp_port
        cls.wanted = {path: row[1] for path, row in cls.tree.files.items()}
        for path in cls.tree.files:
            assert cls.server.put("/sstate-cache/" + quoted(path), read_file(cls.tree.file(path))).status == 201

    def run_well(self, *arguments):
        done = run_tool(*arguments)
        self.assertEqual(done.returncode, 0, done.stdout[-1500:])
        return done.stdout

    def index_below(self, directory):
        return [name[len(directory):] for name in self.server.index("kept") if name.startswith(directory)]

    def test_it_comes_down(self):
        for name in present(TREE_DOWN):
            with self.subTest(name):
                to = os.path.join(self.temporary_directory(), "sstate-cache")
                self.run_well(*command(TREE_DOWN[name], self.port, "sstate-cache", to))
                longest = 235 if name == "wget" else 255  # wget cuts longer names
                self.assertEqual(*({path: digest for path, digest in each.items()
                                    if len(os.path.basename(path)) <= longest}
                                   for each in (digests_below(to), self.wanted)))

    def test_it_goes_up_and_once_more(self):
        for name in present(TREE_UP):
            with self.subTest(name):
                directory = name.replace(" ", "")
                for _ in range(2):
                    self.run_well(*command(TREE_UP[name], self.port, "kept/%s/tree" % directory, self.tree.directory))
                    self.assertEqual(self.index_below(directory + "/tree/"), sorted(self.wanted))
                self.assert_served(self.server, "kept/%s/tree" % directory,
                                   {path: (row[1], row[2]) for path, row in self.tree.files.items()})

    def test_it_is_removed(self):
        for name in present(TREE_AWAY):
            with self.subTest(name):
                for path in ("a/b/1", "a/b/2", "a/c/3", "4"):
                    self.server.put("/kept/removed/" + path, b"x")
                self.run_well(*command(TREE_AWAY[name], self.port, "kept/removed"))
                self.assertEqual(self.index_below("removed/"), [])

    @needs("rclone")
    def test_rclone_finds_no_difference_and_finds_one(self):
        check = command("rclone check --download FILE REMOTE", self.port, "sstate-cache", self.tree.directory)
        self.run_well(*check)
        listed = self.run_well(*command("rclone ls REMOTE", self.port, "sstate-cache")).splitlines()
        self.assertEqual(sorted(line.split(None, 1)[1] for line in listed), sorted(self.wanted))
        write_file(os.path.join(self.work, "other/00/00/more"), b"x")
        check = command("rclone check FILE REMOTE", self.port, "sstate-cache", os.path.join(self.work, "other"))
        self.assertEqual(run_tool(*check).returncode, 1)

    @needs("lftp")
    def test_lftp_fetches_by_pattern(self):
        to = self.temporary_directory()
        directory, _, name = min(self.wanted).rpartition("/")
        self.run_well(*command("lftp open SERVER; cd PATH ; mget -O FILE *" + name[-20:], self.port,
                               "sstate-cache/" + directory, to))
        self.assertEqual(digests_below(to)[name], self.wanted[min(self.wanted)])

    def test_ftplib_walks_by_mlsd_and_finds_what_http_lists(self):
        def walk(ftp, path):
            for name, facts in ftp.mlsd(path, ["type", "size", "modify"]):
                if facts["type"] == "dir":
                    yield from walk(ftp, path + "/" + name)
                else:
                    yield path + "/" + name, facts
        digests = {}
        with logged_in(self.port) as ftp:
            for path, facts in list(walk(ftp, "/sstate-cache")):
                content = content_of(ftp, path)
                self.assertEqual((facts["type"], int(facts["size"])), ("file", len(content)), path)
                self.assertEqual(ftp.sendcmd("MDTM " + path), "213 " + facts["modify"])
                digests[path[len("/sstate-cache/"):]] = sha256(content)
        self.assertEqual(digests, self.wanted)
        self.assertEqual(sorted(digests), self.server.index("sstate-cache"))


class BreakingOff(LarderTest):
    config = NAMESPACES

    def setUp(self):
        self.server.put("/kept/cut/directory", b"x")  # there has to be one
        self.port = self.server.ftp_port

    def staged(self):
        return os.listdir(os.path.join(self.server.data, "tmp"))

    def assert_nothing_left(self, name):
        wait_until(lambda: self.staged() == [], "what was staged is dropped")
        self.assertEqual([each for each in self.server.index("kept") if each.startswith("cut/" + name)], [])

    def test_an_upload_whose_client_is_killed_leaves_nothing(self):
        file = os.path.join(self.work, "large")
        write_file(file, BIG * 4)
        processes = []
        for name in present(STORE_SLOWLY):
            for number in range(3):
                path = "kept/cut/killed-%s-%d" % (re.sub("[, ]", "", name), number)
                words = command(STORE_SLOWLY[name], self.port, path, file)
                processes.append(harness.start_process(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
                self.addCleanup(harness.end_process, processes[-1])
        wait_until(lambda: len(self.staged()) >= len(processes), "all uploads are under way")
        for process in processes:
            self.assertIsNone(process.poll(), process.args)
            harness.end_process(process)
        self.assert_nothing_left("killed")

    def test_an_upload_whose_session_ends_right_behind_its_data_connection_leaves_nothing(self):
        # Interrupted clients close what they hold one after the other.
        ftp = logged_in(self.port)
        data = ftp.transfercmd("STOR /kept/cut/one after the other")
        data.sendall(b"half")
        data.close()
        time.sleep(0.02)  # what such a client takes
        ftp.close()
        self.assert_nothing_left("one")

    def test_downloads_are_broken_off_and_the_session_goes_on(self):
        self.server.put("/kept/large", BIG * 8)
        with logged_in(self.port) as ftp:
            for _ in range(3):
                data = ftp.transfercmd("RETR /kept/large")
                self.assertEqual(len(data.recv(1000, socket.MSG_WAITALL)), 1000)
                ftp.putcmd("ABOR")
                self.assertEqual((ftp.getmultiline()[:3], ftp.getmultiline()[:3]), ("426", "226"))
                data.close()
                data = ftp.transfercmd("RETR /kept/large", rest=1000)
                self.assertEqual(data.recv(9, socket.MSG_WAITALL), BIG[1000:1009])
                data.close()
                self.assertEqual(ftp.getmultiline()[:3], "426")
                self.assertEqual(ftp.size("/kept/large"), 8 * len(BIG))

    @needs("curl")
    def test_a_killed_download_is_taken_up_again(self):
        self.server.put("/kept/large", BIG * 8)
        file = os.path.join(self.temporary_directory(), "large")
        words = command("curl -sS AGAIN -o FILE URL", self.port, "kept/large", file, "-C -")
        cut = harness.start_process(words + ["--limit-rate", "400k"])
        wait_until(lambda: os.path.exists(file) and os.path.getsize(file) > 100_000, "a part is there")
        harness.end_process(cut)
        self.assertLess(os.path.getsize(file), 8 * len(BIG))
        self.assertEqual(run_tool(*words).returncode, 0)
        self.assertEqual(sha256(read_file(file)), sha256(BIG * 8))


class WayBeyondFourGib(LarderTest):
    """Offsets that 32 bits do not hold. The file has holes: only they are large."""

    with_server = False
    SIZE = (4 << 30) + 9
    MARKS = {(2 << 30) - 3: b"two-gib", (4 << 30) - 4: b"four-gib", SIZE - 3: b"end"}

    @classmethod
    def begin(cls):
        """Has it adopted, which takes a while, while other tests run."""
        work = harness.make_work_directory()
        write_file(work + "/sparse/huge", b"")
        with open(work + "/sparse/huge", "r+b") as file:
            file.truncate(cls.SIZE)
            for offset, mark in cls.MARKS.items():
                os.pwrite(file.fileno(), mark, offset)
        cls.holder = harness.Larderd(work, {**NAMESPACES, "durability": "none"})
        cls.adoption = harness.start_process(
            [harness.LARDERD, "--config", cls.holder.write_config(), "--data", cls.holder.data, "adopt",
             "--namespace", "kept", work + "/sparse"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def test_sizes_and_ranges_around_four_gib(self):
        said = self.adoption.communicate(timeout=240)[0]
        self.assertEqual(self.adoption.returncode, 0, said)
        port = self.holder.start().ftp_port
        self.addCleanup(self.holder.kill)
        with logged_in(port) as ftp:
            self.assertEqual(ftp.size("/kept/huge"), self.SIZE)
            self.assertEqual(dict(ftp.mlsd("/kept"))["huge"]["size"], str(self.SIZE))
            for offset, mark in self.MARKS.items():
                with ftp.transfercmd("RETR /kept/huge", rest=offset) as data:
                    self.assertEqual(data.recv(len(mark), socket.MSG_WAITALL), mark)
                ftp.getmultiline()  # 226 or 426: it may all have been on its way
            with self.assertRaisesRegex(ftplib.error_perm, "^554"):
                ftp.transfercmd("RETR /kept/huge", rest=self.SIZE + 1)
        for name in set(present(FETCH)) - {"lftp pget", "rclone"}:
            file = os.path.join(self.temporary_directory(), "huge")
            write_file(file, b"")
            os.truncate(file, self.SIZE - 3)
            done = run_tool(*command(FETCH[name][0], port, "kept/huge", file, FETCH[name][1]))
            self.assertEqual((name, done.returncode, os.path.getsize(file)), (name, 0, self.SIZE), done.stdout)
            with open(file, "rb") as complete:
                self.assertEqual((name, os.pread(complete.fileno(), 3, self.SIZE - 3)), (name, b"end"))
            os.remove(file)
        self.assertEqual(self.holder.stop(), 0)


def setUpModule():
    WayBeyondFourGib.begin()


if __name__ == "__main__":
    unittest.main()

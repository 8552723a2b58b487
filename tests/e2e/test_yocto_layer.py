"""The layer for Yocto: its module against servers of all kinds, and below BitBake's
fetcher when there is a checkout (BITBAKE_DIR names it)."""
import http.server
import importlib.util
import json
import os
import subprocess
import sys
import threading
import unittest

from harness import LARDERD, LarderTest, quoted, run_tool, wait_until
from proxy import Proxy

LAYER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "config", "yocto", "meta-larder")
BB_CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support", "bb_client.py")

spec = importlib.util.spec_from_file_location("larder_mirror", os.path.join(LAYER, "lib", "larder_mirror.py"))
larder_mirror = importlib.util.module_from_spec(spec)
spec.loader.exec_module(larder_mirror)
Mirror = larder_mirror.Mirror

NAMES = ["ab/cd/sstate:zlib:core2-64:1.3+x:r0:core2-64:14:%064x_package.tar.zst" % i for i in range(40)]
PRESENT, ABSENT = NAMES[:25], NAMES[25:]


class Lines(unittest.TestCase):
    def test_what_the_lines_of_sstate_mirrors_mean(self):
        table = (
            ("http://c:8480/sstate-cache/PATH;downloadfilename=PATH", Mirror("http://c:8480", "sstate-cache")),
            ("https://c/sstate-cache/PATH", Mirror("https://c", "sstate-cache")),
            ("http://c/@r-4.0/sstate-cache/PATH", Mirror("http://c", "@r-4.0/sstate-cache")),
            ("http://c/%40r/sstate-cache/PATH", Mirror("http://c", "@r/sstate-cache")),
            ("http://c/sstate-cache/isar/a/PATH", Mirror("http://c", "sstate-cache", "isar/a/")),
            ("http://c/s/PATH;downloadfilename=PATH;user=ci;pswd=p=w", Mirror("http://c", "s", login=("ci", "p=w"))),
            ("http://c/s/PATH;user=ci", Mirror("http://c", "s")),
            ("http://c/PATH", None), ("http://c/@r/PATH", None), ("http://c//s/PATH", None), ("http://c/s/", None),
            ("http://c/s/PATH?x=PATH", None), ("http://u:p@c/s/PATH", None), ("ftp://c/s/PATH", None),
            ("file:///srv/s/PATH", None), ("http://c/s/PATH/more", None),
        )
        for replacement, mirror in table:
            self.assertEqual(larder_mirror.mirror_of("file://.*", replacement), mirror, replacement)
        self.assertIsNone(larder_mirror.mirror_of("file://universal/.*", "http://c/s/PATH"))

    def test_a_value_is_split_as_bitbake_does(self):
        value = "file://.* http://a/s/PATH \\n file://.* file:///srv/PATH \n\tfile://x.* http://b/s/PATH file://.*"
        self.assertEqual(larder_mirror.split_mirrors(value),
                         [("file://.* http://a/s/PATH", Mirror("http://a", "s")), ("file://.* file:///srv/PATH", None),
                          ("file://x.* http://b/s/PATH", None)])
        self.assertEqual(larder_mirror.split_mirrors(None), [])


class NoLarder(http.server.BaseHTTPRequestHandler):
    """Says 200 to everything, with a page or with nothing."""
    page = b"hello\n"

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append(self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.page)))
        self.end_headers()
        self.wfile.write(self.page)

    def log_message(self, *_):
        pass


class Served(LarderTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in PRESENT:
            assert cls.server.put("/sstate-cache/" + quoted(name), name.encode()).status == 201
        assert cls.server.put("/sstate-cache/below/here/" + quoted(NAMES[0]), b"x").status == 201

    def no_larder(self):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NoLarder)
        server.asked = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server, Mirror("http://127.0.0.1:%d" % server.server_port, "sstate-cache")


class Asking(Served):
    def test_one_request_tells_of_all(self):
        mirror = Mirror(self.server.url, "sstate-cache")
        self.assertEqual(larder_mirror.find([mirror], NAMES), (set(PRESENT), set(ABSENT), [mirror]))
        self.assertEqual(larder_mirror.find([mirror], []), (set(), set(), []))

    def test_below_a_directory_and_in_a_snapshot(self):
        below = Mirror(self.server.url, "sstate-cache", "below/here/")
        self.assertEqual(larder_mirror.find([below], NAMES)[0], {NAMES[0]})
        self.server.client("snapshot", "create", "r1")
        frozen = Mirror(self.server.url, "@r1/sstate-cache")
        self.assertEqual(larder_mirror.find([frozen], NAMES)[:2], (set(PRESENT), set(ABSENT)))

    def test_several_complete_each_other(self):
        first = Mirror(self.server.url, "sstate-cache", "below/here/")
        second = Mirror(self.server.url, "sstate-cache")
        there, missing, asked = larder_mirror.find([first, second], NAMES)
        self.assertEqual((there, missing, asked), (set(PRESENT), set(ABSENT), [first, second]))

    def test_what_is_no_larder_is_asked_once_and_left_to_bitbake(self):
        server, other = self.no_larder()
        self.assertEqual(larder_mirror.find([other], NAMES), (set(), set(NAMES), []))
        self.assertEqual(len(server.asked), 1)
        self.addCleanup(setattr, NoLarder, "page", NoLarder.page)
        NoLarder.page = b""
        self.assertIsNone(larder_mirror.ask(other, NAMES))
        unknown = Mirror(self.server.url, "unknown")
        gone = Mirror("http://127.0.0.1:9", "sstate-cache")
        for mirror in (unknown, gone):
            self.assertEqual(larder_mirror.find([mirror], NAMES), (set(), set(NAMES), []), mirror)

    def test_credentials_of_the_line_are_shown(self):
        server = self.own_server({"write": "nobody", "access": {"anonymous": {"read": ["none"]}}})
        made = run_tool(LARDERD, "--config", os.path.join(server.work, "larderd.yaml"), "--data", server.data, "token",
                        "create", "--name", "ci", "--can", "read")
        self.assertEqual(made.returncode, 0, made.stdout)
        token = made.stdout.split()[0]
        self.assertIsNone(larder_mirror.ask(Mirror(server.url, "sstate-cache"), NAMES))
        mirror = Mirror(server.url, "sstate-cache", login=("ci", token))
        wait_until(lambda: larder_mirror.ask(mirror, NAMES) == set(NAMES), "the daemon knows the token")


@unittest.skipUnless(os.environ.get("BITBAKE_DIR"), "BITBAKE_DIR is not set: no checkout of BitBake to test with")
class BelowBitBake(Served):
    """The same server, and BitBake's fetcher."""

    def check(self, mirrors, names, **environment):
        done = subprocess.run([sys.executable, BB_CLIENT, "--set", "BB_CHECK_SSL_CERTS=0", "check", "-j", "4", "--at-once",
                               LAYER, "--mirrors", mirrors, "unused", "-"], input="".join(name + "\n" for name in names), text=True,
                              timeout=100, stdout=subprocess.PIPE, env={**os.environ, "HOME": self.work, "http_proxy": "", **environment})
        lines = done.stdout.splitlines()
        self.assertEqual(json.loads(lines[-1])["errors"], 0)
        return {line[len("hit "):] for line in lines if line.startswith("hit ")}

    def line(self, url, path="sstate-cache"):
        return "file://.* %s/%s/PATH;downloadfilename=PATH" % (url, path)

    def test_objects_are_found_without_a_request_for_each(self):
        proxy = Proxy(self.server)
        self.addCleanup(proxy.close)
        self.assertEqual(self.check(self.line(proxy.url), NAMES), set(PRESENT))
        self.assertEqual([(method, path) for method, path, _ in proxy.seen], [("POST", "/-/v1/find-missing")] * 2)

    def test_what_a_larder_has_not_is_asked_of_the_other_mirrors_alone(self):
        directory = self.temporary_directory()
        os.makedirs(os.path.join(directory, "ab", "cd"))
        for name in ABSENT[:3]:
            with open(os.path.join(directory, name), "w") as file:
                file.write(name)
        proxy = Proxy(self.server)
        self.addCleanup(proxy.close)
        mirrors = self.line(proxy.url) + " file://.* file://%s/PATH;downloadfilename=PATH" % directory
        self.assertEqual(self.check(mirrors, NAMES), set(PRESENT) | set(ABSENT[:3]))
        self.assertEqual(proxy.count("POST", "/"), len(proxy.seen))

    def test_without_a_larder_everything_is_as_ever(self):
        server, other = self.no_larder()
        mirrors = self.line(other.server) + " " + self.line(self.server.url)
        self.assertEqual(self.check(mirrors, NAMES), set(PRESENT))
        self.assertEqual(self.check(self.line("http://127.0.0.1:9"), NAMES[:2]), set())

    def test_a_release_that_calls_things_otherwise_asks_as_ever(self):
        self.assertEqual(self.check(self.line(self.server.url), NAMES, UNKNOWN_RELEASE="1"), set(PRESENT))

"""The layer for Yocto: its module against servers of all kinds, and below BitBake's
fetcher when there is a checkout (BITBAKE_DIR names it)."""
import http.server
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
import types
import unittest

from harness import LARDER, LARDERD, LarderTest, quoted, run_tool, wait_until, write_file
from proxy import Proxy

LAYER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "config", "yocto", "meta-larder")
BB_CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support", "bb_client.py")



def module_of_layer(name):
    spec = importlib.util.spec_from_file_location(name, os.path.join(LAYER, "lib", name + ".py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


larder_mirror = module_of_layer("larder_mirror")
larder_seed = module_of_layer("larder_seed")
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

    def test_one_name_takes_one_request(self):
        """BitBake checks tasks of other configurations one by one, as soon as it gets to them."""
        proxy = Proxy(self.server)
        self.addCleanup(proxy.close)
        mirror = Mirror(proxy.url, "sstate-cache")
        self.assertEqual(larder_mirror.find([mirror], PRESENT[:1]), (set(PRESENT[:1]), set(), [mirror]))
        self.assertEqual(larder_mirror.find([mirror], ABSENT[:1]), (set(), set(ABSENT[:1]), [mirror]))
        self.assertEqual(len(proxy.seen), 2)

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


class Variables:
    def __init__(self, **values):
        self.values = values

    def getVar(self, name, expand=True):
        return self.values.get(name)


class Sending(LarderTest):
    """What a build does at its end, with as much of BitBake as that takes."""

    def setUp(self):
        self.warnings = []
        which = lambda path, name, executable: shutil.which(name, path=path)
        bb = types.SimpleNamespace(warn=self.warnings.append, utils=types.SimpleNamespace(which=which))
        self.addCleanup(sys.modules.pop, "bb")
        sys.modules["bb"] = bb
        self.build = self.temporary_directory()
        self.values = {"SSTATE_DIR": os.path.join(self.build, "sstate-cache"), "DL_DIR": os.path.join(self.build, "downloads"),
                       "LARDER_SEED": self.server.url, "LARDER_SEED_SSTATE": "sstate-cache", "LARDER_CLIENT": "larder",
                       "BB_ORIGENV": Variables(PATH=os.path.dirname(LARDER))}
        self.name = "ab/cd/sstate:zlib:core2-64:1.3+%s:r0:core2-64:14:%064x_package.tar.zst.siginfo" % (self.id()[-9:], 1)
        write_file(os.path.join(self.values["SSTATE_DIR"], self.name), b"signature")
        write_file(os.path.join(self.values["DL_DIR"], self.id()[-9:] + ".txt"), b"source")

    def seed(self, **more):
        larder_seed.seed(Variables(**{**self.values, **more}))

    def test_what_was_built_is_there_afterwards(self):
        self.seed()
        self.seed()
        self.assertEqual(self.warnings, [])
        self.assertEqual(self.server.get("/sstate-cache/" + quoted(self.name)).body, b"signature")
        source = "/downloads/" + self.id()[-9:] + ".txt"
        self.assertEqual(self.server.get(source).status, 404)
        self.seed(LARDER_SEED_DOWNLOADS="downloads", LARDER_SEED_BUILD="4711")
        self.assertEqual(self.warnings, [])
        self.assertEqual(self.server.get(source).body, b"source")

    def test_nothing_is_sent_unasked(self):
        self.seed(LARDER_SEED="", LARDER_CLIENT="/nothing")
        self.seed(LARDER_SEED_SSTATE="")
        self.assertEqual(self.warnings, [])
        self.assertEqual(self.server.get("/sstate-cache/" + quoted(self.name)).status, 404)

    def test_what_goes_wrong_is_a_warning(self):
        self.seed(LARDER_CLIENT="/nothing/larder")
        self.assertIn("no client", self.warnings.pop())
        self.seed(LARDER_SEED_SSTATE="none")
        self.assertIn("no namespace", self.warnings.pop())
        server = self.own_server({"write": "nobody"})
        self.seed(LARDER_SEED=server.url)
        self.assertIn("token", self.warnings.pop())
        self.assertEqual(self.warnings, [])

    def test_the_token_of_who_builds_is_shown(self):
        server = self.own_server({"write": "nobody"})
        made = run_tool(LARDERD, "--config", os.path.join(server.work, "larderd.yaml"), "--data", server.data, "token",
                        "create", "--name", "ci", "--can", "read,write")
        token = made.stdout.split()[0]
        wait_until(lambda: server.put("/sstate-cache/x", b"x", {"Authorization": "Bearer " + token}).status == 201,
                   "the daemon knows the token")
        self.seed(LARDER_SEED=server.url, BB_ORIGENV=Variables(PATH=os.path.dirname(LARDER), LARDER_TOKEN=token))
        self.assertEqual(self.warnings, [])
        self.assertEqual(server.get("/sstate-cache/" + quoted(self.name)).status, 200)


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

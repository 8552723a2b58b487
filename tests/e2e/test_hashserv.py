"""Hash equivalence: the protocol on the wire, rights, what survives, and BitBake's own tests of a server (BITBAKE_DIR names a checkout)."""
import contextlib
import json
import os
import re
import shutil
import socket
import sqlite3
import subprocess
import unittest

import disk_image
import harness
from harness import wait_until, write_file

SHARE = os.path.join(harness.PREFIX, "share/larder")
HASHSERV = {"hashserv": {"listen": ["127.0.0.1:0"]}}


def unihash(number):
    return "%064x" % number


class Connection:
    """One client. Answers are as they came, without their ends of lines."""

    def __init__(self, port, greet=True):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=harness.DEADLINE)
        self.lines = self.socket.makefile("rb")
        if greet:
            self.send("OEHASHEQUIV 1.1", "needs-headers: false", "")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.lines.close()
        self.socket.close()

    def send(self, *lines):
        self.socket.sendall("".join(line + "\n" for line in lines).encode())

    def receive(self):
        """The next line; None: the connection has ended."""
        line = self.lines.readline()
        return line.decode().rstrip("\n") if line else None

    def ask(self, command, arguments=None):
        self.send(json.dumps({command: arguments}))
        line = self.receive()
        return line and json.loads(line)

    def report(self, number, outhash, proposed=None, **more):
        answer = self.ask("report", {"taskhash": unihash(number), "method": "m", "outhash": outhash,
                                     "unihash": proposed or unihash(number), **more})
        return answer and answer.get("unihash", answer)

    def get(self, number):
        answer = self.ask("get", {"taskhash": unihash(number), "method": "m"})
        return answer and answer["unihash"]

    def stream(self, *lines):
        self.send('{"get-stream": null}', *lines, "END")
        answers = [self.receive() for _ in range(len(lines) + 2)]
        assert answers[0] == '"ok"' and answers[-1] == "ok", answers
        return answers[1:-1]


class HashservTest(harness.LarderTest):
    config = HASHSERV

    def port(self, server=None):
        return (server or self.server).port_of("hashserv")

    def connect(self, server=None):
        return Connection(self.port(server))


class Protocol(HashservTest):
    def test_builds_agree(self):
        with self.connect() as one, self.connect() as other:
            self.assertEqual(one.report(1, "out", PN="zlib"), unihash(1))
            self.assertEqual(other.report(2, "out"), unihash(1))
            self.assertEqual(other.stream("m " + unihash(1), "m " + unihash(2), "m " + unihash(3)), [unihash(1), unihash(1), ""])
            self.assertEqual(one.get(2), unihash(1))
            self.assertIsNone(one.get(3))
            row = other.ask("get", {"taskhash": unihash(1), "method": "m", "all": True})
            self.assertEqual((row["PN"], row["outhash"], row["unihash"]), ("zlib", "out", unihash(1)))

    def test_thousands_of_lines_without_waiting(self):
        with self.connect() as client:
            lines = ["m " + unihash(100 + i) for i in range(20000)]
            self.assertEqual(client.report(100 + 7, "seven"), unihash(107))
            client.send('{"get-stream": null}')
            self.assertEqual(client.receive(), '"ok"')
            with harness.InBackground(lambda number, stop: client.send(*lines, "END"), count=1):
                answers = [client.receive() for _ in lines]
            self.assertEqual([i for i, answer in enumerate(answers) if answer], [7])
            self.assertEqual(client.receive(), "ok")
            self.assertEqual(client.ask("ping"), {"alive": True})

    def test_long_messages_both_ways(self):
        siginfo = "".join("drwx %d /usr/a directory\u00e9 %s\n" % (i, " " * (i % 50)) for i in range(40000))
        text = json.dumps({"report": {"taskhash": unihash(50), "method": "m", "outhash": "long", "unihash": unihash(50),
                                      "outhash_siginfo": siginfo}})
        with self.connect() as client:
            client.send('{"chunk-stream": null}')
            while text:
                piece = text[:32767].rstrip() or " "
                client.send(piece)
                text = text[len(piece):]
            client.send("")
            self.assertEqual(json.loads(client.receive())["unihash"], unihash(50))
            client.send(json.dumps({"get": {"taskhash": unihash(50), "method": "m", "all": True}}))
            self.assertEqual(json.loads(client.receive()), {"chunk-stream": None})
            chunks = []
            while True:
                line = client.receive()
                if not line:
                    break
                self.assertLess(len(line), 1 << 16)
                self.assertEqual(line, line.rstrip())
                chunks.append(line)
            self.assertEqual(json.loads("".join(chunks))["outhash_siginfo"], siginfo)

    def test_a_line_that_ends_in_the_next_piece_again_and_again(self):
        with self.connect() as client:
            client.send('{"get-stream": null}')
            self.assertEqual(client.receive(), '"ok"')
            client.socket.sendall(b"m ")
            for i in range(50):
                client.socket.sendall(b"%064x\nm " % i)
                self.assertIsNotNone(client.receive())

    def test_strangers_are_left_alone(self):
        for said in (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"OEHASHEQUIV 2.0\n\n", b"\x16\x03\x01\x00\xa5\x01\x00", b"x" * 100000):
            with Connection(self.port(), greet=False) as stranger:
                with contextlib.suppress(ConnectionError):
                    stranger.socket.sendall(said)
                    stranger.socket.shutdown(socket.SHUT_WR)
                    self.assertIsNone(stranger.receive())
        with self.connect() as client:
            self.assertEqual(client.ask("ping"), {"alive": True})

    def test_what_is_not_equal_to_sixty_four_digits_is_refused(self):
        with self.connect() as client:
            self.assertEqual(client.report(60, "o", proposed="abc"), {"invoke-error": {"message": "Invalid unihash"}})
            self.assertIsNone(client.receive())

    def test_it_is_told_where_it_is(self):
        with self.connect() as client:
            client.report(70, "seventy")
        page = self.server.client("conf").stdout
        self.assertIn('\nBB_HASHSERVE = "127.0.0.1:%d"\n' % self.port(), page)
        self.assertRegex(self.server.client("stat").stdout, r"hashserv .* reports not kept, port %d" % self.port())
        stat = self.server.stat()["hashserv"]
        self.assertGreaterEqual(stat["unihashes"], 1)
        self.assertGreaterEqual(stat["requests"], 1)
        metrics = self.server.get("/-/metrics").body.decode()
        self.assertRegex(metrics, r"\nlarder_hashserv_requests_total [1-9]")


class Keeping(HashservTest):
    with_server = False

    def test_what_was_answered_survives_kill_9(self):
        server = self.own_server({**HASHSERV, "durability": "none"})
        with self.connect(server) as client:
            for i in range(50):
                client.report(i, "out%d" % (i // 2))
            server.kill()
            self.assertIsNone(client.receive())
        server.start()
        with self.connect(server) as client:
            self.assertEqual([client.get(i) for i in range(50)], [unihash(i // 2 * 2) for i in range(50)])
        self.assertEqual(server.stop(), 0)

    def test_a_stop_does_not_wait_for_idle_builds(self):
        server = self.own_server(HASHSERV)
        with self.connect(server) as client:
            self.assertEqual(client.ask("ping"), {"alive": True})
            self.assertEqual(server.stop(), 0)
            self.assertIsNone(client.receive())

    def test_a_stop_does_not_wait_for_half_a_message(self):
        server = self.own_server(HASHSERV)
        with self.connect(server) as half, self.connect(server) as chunks:
            half.socket.sendall(b'{"ping"')
            chunks.send('{"chunk-stream": null}', '{"a"')
            with self.connect(server) as client:  # the others have been heard by now, or will be before they end
                self.assertEqual(client.ask("ping"), {"alive": True})
            self.assertEqual(server.stop(), 0)
        self.assertNotIn("are cut off", server.log())

    def test_without_a_listener_nothing_of_it_is_there(self):
        server = self.own_server()
        self.assertFalse(os.path.exists(os.path.join(server.data, "hashequiv")))
        self.assertEqual(server.stat()["hashserv"]["port"], 0)
        self.assertNotIn("\nBB_HASHSERVE", server.client("conf").stdout)
        self.assertNotIn("larder_hashserv", server.get("/-/metrics").body.decode())

    def test_the_copy_takes_the_place_of_what_was_lost(self):
        server = self.own_server(HASHSERV)
        copy = os.path.join(server.data, "hashequiv.backup")
        with self.connect(server) as client:
            client.report(1, "out")
            wait_until(lambda: os.path.exists(os.path.join(copy, "CURRENT")), "the first copy is made")
            # It is of a moment before or behind the report; a sweep makes another one.
            client.report(2, "out")
            client.ask("gc-mark", {"mark": "a", "where": {"taskhash": unihash(1)}})
            self.assertEqual(client.ask("gc-sweep", {"mark": "a"}), {"count": 1})
        self.assertEqual(server.stop(), 0)
        shutil.rmtree(os.path.join(server.data, "hashequiv"))
        server.start()
        self.assertIn("hashequiv.backup of it was put in its place", server.log())
        with self.connect(server) as client:
            self.assertEqual([client.get(1), client.get(2)], [unihash(1), unihash(1)])
        self.assertEqual(server.stop(), 0)

    def test_the_access_log_has_a_line_for_each_connection(self):
        log = os.path.join(self.temporary_directory(), "access")
        server = self.own_server({**HASHSERV, "log": {"access": log, "format": "json"}})
        with self.connect(server) as client:
            client.report(1, "out")
        server.stop()
        lines = [json.loads(line) for line in harness.read_file(log).splitlines()]
        mine = [line for line in lines if line["protocol"] == "hashserv"]
        self.assertEqual(len(mine), 1)
        self.assertGreater(mine[0]["bytes_in"], 100)


class OnARealDisk(disk_image.OnDiskImage):
    size = 160 * disk_image.MIB

    def connect(self):
        return Connection(self.server.port_of("hashserv"))

    def test_what_was_answered_survives_a_power_cut(self):
        config = {**HASHSERV, "durability": "batch"}
        server = self.own_server(config, data=os.path.join(self.mount(self.image), "data"))

        def report(worker, stop):
            with self.connect() as client:
                for i in range(25):
                    client.report(1000 * worker + i, "out%d" % i)
        with harness.InBackground(report, count=4):
            pass
        with self.connect() as client:
            known = {i: client.get(i) for worker in range(4) for i in range(1000 * worker, 1000 * worker + 25)}
        self.assertNotIn(None, known.values())
        disk = self.cut()
        server.kill()
        self.own_server(config, data=os.path.join(disk, "data"))
        with self.connect() as client:
            self.assertEqual({i: client.get(i) for i in known}, known)
            self.assertEqual(client.report(9999, "out7"), known[7])

    def test_on_a_full_disk_builds_go_on_and_nothing_is_lost(self):
        point = self.mount(self.image)
        server = self.own_server(HASHSERV, data=os.path.join(point, "data"))
        with self.connect() as client:
            self.assertEqual(client.report(1, "out"), unihash(1))
            full = disk_image.OnDiskImage.fill(point)
            for i in range(2, 300):
                self.assertEqual(client.report(i, "out%d" % (i % 20), outhash_siginfo="a" * 30000), unihash(i))
            self.assertEqual(client.report(400, "out"), unihash(1))
            self.assertEqual(client.get(1), unihash(1))
            os.remove(full)
            wait_until(lambda: client.report(500, "out") and client.get(500), "there is room again")
            self.assertEqual(client.get(500), unihash(1))
        self.assertEqual(server.stop(), 0)
        server.start()
        with self.connect() as client:
            self.assertEqual((client.get(1), client.get(500)), (unihash(1), unihash(1)))

    def test_below_the_floor_nothing_more_is_taken_of_the_disk(self):
        self.own_server({**HASHSERV, "free_space_floor": "1GiB"}, data=os.path.join(self.mount(self.image), "data"))
        with self.connect() as client:
            self.assertEqual(client.report(1, "out"), unihash(1))
            self.assertIsNone(client.get(1))
        self.assertEqual(self.server.log().count("the disk is full"), 1)


class Rights(HashservTest):
    config = {**HASHSERV, "write": "nobody"}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.token("root", "admin")
        wait_until(lambda: cls.server.get("/-/v1/tokens", {"Authorization": "Bearer " + cls.admin}).status == 200,
                   "the first token works")

    @classmethod
    def token(cls, name, rights, *options):
        done = cls.offline("create", "--name", name, "--can", rights, *options)
        return re.search(r"larder_\w+", done.stdout).group()

    def token_of(self, server, name, space):
        """The daemon knows it within a second or so."""
        done = self.offline("create", "--name", name, "--can", "read,write", "--namespace", space, server=server)
        return re.search(r"larder_\w+", done.stdout).group()

    @classmethod
    def offline(cls, *arguments, server=None):
        server = server or cls.server
        return subprocess.run([harness.LARDERD, "--config", os.path.join(server.work, "larderd.yaml"), "--data", server.data,
                               "token", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=60, check=True)

    def log_in(self, client, token):
        return client.ask("auth", {"username": "whoever", "token": token})

    def wait_for(self, token):
        def works():
            with self.connect() as client:
                return self.log_in(client, token).get("result")
        wait_until(works, "the token works")

    def test_who_shows_nothing_is_answered_and_not_listened_to(self):
        with self.connect() as client:
            self.assertEqual(client.report(1, "anonymous"), unihash(1))
            self.assertIsNone(client.get(1))
            # An error would end the build.
            self.assertEqual(client.ask("report-equiv", {"taskhash": unihash(1), "method": "m", "unihash": unihash(8)})["unihash"], unihash(8))
            self.assertIsNone(client.get(1))
        with self.connect() as client:
            self.assertIn("@db-admin", client.ask("remove", {"where": {"method": "m"}})["invoke-error"]["message"])

    def test_a_token_is_the_password(self):
        writer = self.token("ci", "read,write", "--namespace", "sstate-cache")
        self.wait_for(writer)
        with self.connect() as client:
            self.assertEqual(self.log_in(client, writer),
                             {"result": True, "username": "whoever", "permissions": ["@read", "@report"]})
            self.assertEqual(client.report(2, "by ci", owner="somebody"), unihash(2))
            self.assertEqual(client.ask("get", {"taskhash": unihash(2), "method": "m", "all": True})["owner"], "ci")
            self.assertIn("ci is not allowed", client.ask("gc-status", {})["invoke-error"]["message"])
        elsewhere = self.token("elsewhere", "read,write", "--namespace", "downloads")
        self.wait_for(elsewhere)
        with self.connect() as client:
            self.assertEqual(self.log_in(client, elsewhere)["permissions"], ["@read"])  # as everybody
            client.report(3, "by elsewhere")
            self.assertIsNone(client.get(3))
        with self.connect() as client:
            self.assertEqual(self.log_in(client, self.admin)["permissions"], ["@db-admin", "@read", "@report"])
            self.assertEqual(client.ask("remove", {"where": {"taskhash": unihash(2)}}), {"count": 2})

    def test_who_has_a_lane_may_ask_and_is_not_listened_to(self):
        self.own_server({**HASHSERV, "write": "nobody", "access": {"anonymous": {"read": "none"}}, "namespaces": [
            {"name": "sstate-cache", "kind": "sstate"}, {"name": "sstate-pr", "kind": "sstate", "overlay": "sstate-cache"},
            {"name": "other", "kind": "generic"}]})
        lane, other = self.token_of(self.server, "lane", "sstate-pr"), self.token_of(self.server, "other", "other")
        with self.connect() as client:
            self.assertIn("@read", client.ask("get", {"taskhash": "t", "method": "m"})["invoke-error"]["message"])

        def permissions(token):
            with self.connect() as client:
                return self.log_in(client, token).get("permissions")
        wait_until(lambda: permissions(lane) == ["@read"], "the tokens work")
        self.assertEqual(permissions(other), [])
        os.environ["LARDER_TOKEN"] = lane
        try:
            self.assertIn("\nBB_HASHSERVE", self.server.client("conf", "--namespace", "sstate-pr").stdout)
            os.environ["LARDER_TOKEN"] = other
            self.assertNotIn("\nBB_HASHSERVE", self.server.client("conf").stdout)
        finally:
            del os.environ["LARDER_TOKEN"]

    def test_a_wrong_one_is_refused_and_counted(self):
        before = self.server.stat()["failed_logins"]
        with self.connect() as client:
            self.assertEqual(self.log_in(client, "larder_" + "0" * 12 + "_" + "0" * 64),
                             {"invoke-error": {"message": "Unable to authenticate as whoever"}})
            self.assertIsNone(client.receive())
        self.assertEqual(self.server.stat()["failed_logins"], before + 1)

    def test_a_revoked_one_counts_no_more_on_a_connection_that_has_shown_it(self):
        writer = self.token("soon-gone", "read,write")
        self.wait_for(writer)
        with self.connect() as client:
            self.log_in(client, writer)
            self.assertEqual(client.report(10, "before"), unihash(10))
            self.offline("revoke", "soon-gone")
            wait_until(lambda: client.ask("ping") is None, "the connection is closed")


class Importing(HashservTest):
    script = os.path.join(SHARE, "import-hashserv")

    def run_it(self, database, server, expect=0, token=""):
        done = subprocess.run([self.script, database, server], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              env={**os.environ, "HOME": self.temporary_directory(), "LARDER_TOKEN": token})
        self.assertEqual(done.returncode, expect, done.stdout)
        return done.stdout

    def database(self, statements):
        file = os.path.join(self.temporary_directory(), "hash serv?.db")
        with contextlib.closing(sqlite3.connect(file)) as made:
            made.executescript(statements)
        return file

    def test_a_database_is_taken_over(self):
        file = self.database("""
            CREATE TABLE unihashes_v3 (id INTEGER PRIMARY KEY, method TEXT, taskhash TEXT, unihash TEXT, gc_mark TEXT);
            CREATE TABLE outhashes_v2 (id INTEGER PRIMARY KEY, method TEXT, taskhash TEXT, outhash TEXT, created DATETIME,
                                       owner TEXT, PN TEXT, PV TEXT, PR TEXT, task TEXT, outhash_siginfo TEXT);
            INSERT INTO unihashes_v3 VALUES (1, 'm', '%s', '%s', ''), (2, 'm', '%s', '%s', ''), (3, 'm', '%s', '%s', ''),
                                            (4, 'm', 'x', 'no unihash', ''), (5, 'm', NULL, NULL, ''),
                                            (6, X'ff', 'x', 'no unihash', '');
            INSERT INTO outhashes_v2 VALUES (1, 'm', '%s', 'import', '2026-02-01', NULL, 'late', NULL, NULL, NULL, NULL),
                                            (2, 'm', '%s', 'import', '2026-01-01', NULL, 'early', NULL, NULL, NULL, '%s');
            """ % (unihash(201), unihash(999), unihash(202), unihash(202), unihash(203), unihash(999),
                   unihash(201), unihash(202), " " * 80000 + "x" + " " * 40000))
        at = "127.0.0.1:%d" % self.port()
        with self.connect() as client:
            client.report(203, "known before")
        page = self.run_it(file, at)
        self.assertIn("2 unihashes and 2 outputs are known", page)
        self.assertIn("1 tasks have another unihash there", page)
        self.assertIn("3 rows were left out", page)
        with self.connect() as client:
            self.assertEqual([client.get(i) for i in (201, 202, 203)], [unihash(999), unihash(202), unihash(203)])
            self.assertEqual(client.report(204, "import"), unihash(202))  # of the older one
            row = client.ask("get-outhash", {"method": "m", "outhash": "import", "taskhash": ""})
            self.assertEqual(row, {"chunk-stream": None})
        self.assertEqual(self.run_it(file, at), page)

    def test_what_is_not_kept_is_no_success(self):
        self.own_server({**HASHSERV, "write": "nobody"})
        file = self.database("""CREATE TABLE unihashes_v3 (id INTEGER PRIMARY KEY, method TEXT, taskhash TEXT, unihash TEXT);
                                INSERT INTO unihashes_v3 VALUES (1, 'm', '%s', '%s');""" % (unihash(1), unihash(2)))
        self.assertIn("0 of 1 were kept", self.run_it(file, "127.0.0.1:%d" % self.port(), expect=1))
        self.assertIn("no hash equivalence server", self.run_it(file, "127.0.0.1:%d" % self.server.port, expect=1))

    def test_what_dunfell_has_kept(self):
        file = self.database("""
            CREATE TABLE tasks_v2 (id INTEGER PRIMARY KEY, method TEXT, outhash TEXT, taskhash TEXT, unihash TEXT, created DATETIME);
            INSERT INTO tasks_v2 VALUES (1, 'm', 'dunfell', '%s', '%s', '2020-01-01');""" % (unihash(301), unihash(302)))
        self.run_it(file, "127.0.0.1:%d" % self.port())
        with self.connect() as client:
            self.assertEqual(client.report(303, "dunfell"), unihash(302))

    def test_what_cannot_be_read_or_reached_is_said(self):
        at = "127.0.0.1:%d" % self.port()
        self.assertIn("cannot read", self.run_it("/nowhere/hashserv.db", at, expect=1))
        self.assertIn("is no database of bitbake-hashserv", self.run_it(self.database("CREATE TABLE a (b);"), at, expect=1))
        self.assertIn("is not HOST:PORT", self.run_it("x.db", "host", expect=2))
        file = self.database("CREATE TABLE unihashes_v3 (id INTEGER PRIMARY KEY, method TEXT, taskhash TEXT, unihash TEXT);")
        self.assertIn("refused", self.run_it(file, "127.0.0.1:%d" % harness.unused_port(), expect=1))


@unittest.skipUnless(os.environ.get("BITBAKE_DIR"), "BITBAKE_DIR is not set: no checkout of BitBake to test with")
class BitBakesOwnTests(HashservTest):
    def test_its_tests_of_a_server(self):
        environment = {**os.environ, "PATH": "/usr/bin:/bin", "BB_TEST_HASHSERV": "127.0.0.1:%d" % self.port()}
        done = subprocess.run(["/usr/bin/python3", "bin/bitbake-selftest", "-v", "hashserv.tests.TestHashEquivalenceExternalServer"],
                              cwd=os.environ["BITBAKE_DIR"], env=environment, text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=200)
        self.assertEqual(done.returncode, 0, done.stdout[-8000:])
        self.assertGreaterEqual(done.stdout.count("... ok"), 20, done.stdout)


if __name__ == "__main__":
    unittest.main()

"""Who did what: the ledger, read by the server's clients."""
import json
import time
import unittest

from harness import LarderTest, sha256, wait_until


class Log(LarderTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("a.txt", "pkg/b.txt", "pkg/c.txt"):
            cls.server.put("/downloads/" + name, name.encode())
        cls.server.put("/downloads/a.txt", b"other bytes")  # a conflict
        cls.server.put("/sstate-cache/ab/cd/sstate:x_populate_sysroot.tar.zst.siginfo", b"info")
        cls.server.request("DELETE", "/downloads/pkg/c.txt")

    def lines(self, query="", status=200):
        answer = self.server.get("/-/v1/log" + query)
        self.assertEqual(answer.status, status, answer.body[:300])
        return [json.loads(line) for line in answer.lines()] if status == 200 else answer.json()

    def names(self, query):
        return [line["name"] for line in self.lines(query)]

    def test_newest_first_with_all_there_is_to_say(self):
        lines = self.lines()
        self.assertEqual([line["action"] for line in lines], ["remove", "put", "conflict", "put", "put", "put"])
        self.assertEqual([line["sequence"] for line in lines], [6, 5, 4, 3, 2, 1])
        self.assertEqual(self.server.get("/-/v1/log").headers["Content-Type"], "application/x-ndjson")
        first = lines[-1]
        self.assertEqual((first["name"], first["size"], first["sha256"]),
                         ("downloads/a.txt", 5, sha256(b"a.txt")))
        self.assertEqual(first["actor"], "127.0.0.1")
        self.assertLess(abs(first["time"] - time.time()), 60)

    def test_filters_alone_and_together(self):
        self.assertEqual(self.names("?action=conflict"), ["downloads/a.txt"])
        self.assertEqual(self.names("?match=pkg/*&action=put"), ["downloads/pkg/c.txt", "downloads/pkg/b.txt"])
        self.assertEqual(self.names("?match=downloads/pkg/b*"), ["downloads/pkg/b.txt"])
        self.assertEqual(len(self.names("?namespace=sstate-cache")), 1)
        self.assertEqual(self.names("?namespace=sstate"), [])
        self.assertEqual(len(self.names("?actor=127.0.*")), 6)
        self.assertEqual(self.names("?actor=10.0.0.7"), [])
        self.assertEqual(len(self.names("?limit=2")), 2)
        self.assertEqual(self.names("?limit=0"), [])
        self.assertEqual(self.names("?since=%d" % (time.time() + 100)), [])
        self.assertEqual(self.names("?until=%d" % (time.time() - 1000)), [])
        self.assertEqual(len(self.names("?since=%d&until=%d" % (time.time() - 1000, time.time() + 100))), 6)

    def test_what_makes_no_sense_is_said(self):
        self.assertIn("put, replace, remove", self.lines("?action=eat", 400)["detail"])
        for query in ("?since=yesterday", "?limit=-1", "?until=99999999999999999999"):
            self.assertIn("takes a number", self.lines(query, 400)["detail"])
        self.assertEqual(self.server.request("POST", "/-/v1/log", body=b"").status, 405)

    def test_a_long_ledger_comes_in_pages(self):
        server = self.own_server({"durability": "none"})
        connection = server.connection()
        for number in range(1100):
            server.put("/downloads/n%d" % number, b"%d" % number, connection=connection)
        names = [json.loads(line)["name"] for line in server.get("/-/v1/log").lines()]
        self.assertEqual(names, ["downloads/n%d" % number for number in reversed(range(1100))])
        rare = server.get("/-/v1/log?match=n1").lines()
        self.assertEqual([json.loads(line)["name"] for line in rare], ["downloads/n1"])
        connection.close()
        self.assertEqual(server.stop(), 0)

    def test_the_client_shows_readable_lines(self):
        lines = self.server.client("log").stdout.splitlines()
        self.assertEqual(len(lines), 6)
        self.assertRegex(lines[0], r"^\d{4}-\d\d-\d\d \d\d:\d\d  remove .* 9 B  downloads/pkg/c.txt  127.0.0.1")
        self.assertEqual(len(self.server.client("log", "-n", "2").stdout.splitlines()), 2)
        found = self.server.client("log", "--match", "*b.txt", "--since", "2 days ago", "--until", "now", "--json")
        self.assertEqual([json.loads(line)["name"] for line in found.stdout.splitlines()], ["downloads/pkg/b.txt"])
        self.assertEqual(self.server.client("log", "--until", "2d").stdout, "")
        self.assertIn("no point in time", self.server.client("log", "--since", "soon", expect=2).stderr)
        self.assertIn("put, replace", self.server.client("log", "--action", "eat", expect=3).stderr)

    def test_old_lines_go(self):
        server = self.own_server({"ledger_keep": "1s"})
        for name in ("a", "b", "c"):
            server.put("/downloads/" + name, name.encode())
        generation = int(server.get("/downloads/index.txt").headers["Larder-Generation"])
        time.sleep(2.5)
        # Looked at once an hour; a restart looks at once.
        self.assertEqual(server.stop(), 0)
        again = self.own_server({"ledger_keep": "1s"}, data=server.data)
        wait_until(lambda: len(again.client("log").stdout.splitlines()) == 1, "only the newest line is left")
        for gone in (0, generation - 2):
            self.assertEqual(again.get("/downloads/index.txt?since=%d" % gone).status, 410)
        self.assertEqual(again.get("/downloads/index.txt?since=%d" % (generation - 1)).lines(), ["+c"])
        again.put("/downloads/d", b"d")
        self.assertEqual(again.get("/downloads/index.txt?since=%d" % generation).lines(), ["+d"])
        self.assertEqual(again.get("/downloads/a").body, b"a")


if __name__ == "__main__":
    unittest.main()

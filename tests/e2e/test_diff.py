"""Directories, namespaces and servers, compared by digest."""
import gzip
import json
import os
import unittest

import harness
from harness import LarderTest, SampleTree, sha256, write_file


class Comparing(LarderTest):
    def directory(self, files):
        directory = self.temporary_directory()
        for name, content in files.items():
            write_file(os.path.join(directory, name), content)
        return directory

    def test_digests_of_a_namespace_in_bulk(self):
        server = self.own_server({"durability": "none"})
        contents = {"p/n%04d.txt" % number: b"%d" % number for number in range(4200)}
        connection = server.connection()
        for name, content in contents.items():
            server.put("/downloads/" + name, content, connection=connection)
        expected = ["%s\t%s\t%d" % (name, sha256(content), len(content)) for name, content in contents.items()]
        self.assertEqual(server.get("/-/v1/digests?namespace=downloads").lines(), expected)
        packed = server.get("/-/v1/digests?namespace=downloads", {"Accept-Encoding": "gzip"})
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertEqual(gzip.decompress(packed.body).decode().splitlines(), expected)
        self.assertEqual(server.get("/-/v1/digests?namespace=sstate-cache").body, b"")
        self.assertEqual(server.get("/-/v1/digests?namespace=nothing").status, 404)
        self.assertEqual(server.get("/-/v1/digests").status, 400)
        connection.close()
        self.assertEqual(server.stop(), 0)

    def test_a_seeded_tree_is_the_same(self):
        server = self.own_server()
        for kind, namespace in (("sstate", "sstate-cache"), ("downloads", "downloads")):
            tree = SampleTree(kind, os.path.join(self.temporary_directory(), "tree"), "--objects", "40",
                              "--median-size", "2KiB", "--junk")
            for path in tree.paths("corrupt"):
                os.remove(tree.file(path))
            server.client("seed", "--namespace", namespace, tree.directory, expect=None)
            done = server.client("diff", tree.directory, namespace, expect=None)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertIn("the same", done.stdout)
            victim = next(iter(tree.taken()))
            os.chmod(tree.file(victim), 0o644)
            with open(tree.file(victim), "ab") as file:
                file.write(b"x")
            done = server.client("diff", namespace, tree.directory, "--json", expect=1)
            self.assertIn(victim, [each["path"] for each in json.loads(done.stdout)["differing"]])
        self.assertEqual(server.stop(), 0)

    def test_every_kind_of_difference(self):
        a = self.directory({"same": b"1", "new": b"22", "changed": b"333", "old-name": b"4444"})
        b = self.directory({"same": b"1", "gone": b"55555", "changed": b"999999", "new-name": b"4444"})
        report = json.loads(self.server.client("diff", a, b, "--json", expect=1).stdout)
        self.assertEqual([each["path"] for each in report["only_a"]], ["new"])
        self.assertEqual([each["path"] for each in report["only_b"]], ["gone"])
        self.assertEqual([(each["path"], each["size_a"], each["size_b"]) for each in report["differing"]],
                         [("changed", 3, 6)])
        self.assertEqual([(each["path_a"], each["path_b"]) for each in report["moved"]], [("old-name", "new-name")])
        self.assertEqual(report["summary"]["same"], {"names": 1, "bytes": 1})
        text = self.server.client("diff", a, b, expect=1).stdout
        self.assertRegex(text, r"only A +2 B  new\n")
        self.assertRegex(text, r"moved +4 B  old-name -> new-name\n")
        short = json.loads(self.server.client("diff", a, b, "--json", "--summary", expect=1).stdout)
        self.assertNotIn("only_a", short)
        self.assertEqual(self.server.client("diff", a, a, "--quiet").stdout, "")

    def test_two_servers(self):
        one, other = self.own_server(), self.own_server()
        for name in ("a", "b"):
            one.put("/downloads/" + name, name.encode())
        other.put("/downloads/a", b"a")
        done = one.client("diff", "downloads", other.url + "/downloads", expect=1)
        self.assertRegex(done.stdout, r"only A +1 B  b\n")
        other.put("/downloads/b", b"b")
        one.client("diff", "downloads", other.url + "/downloads")
        self.assertEqual((one.stop(), other.stop()), (0, 0))

    def test_what_cannot_be_compared_is_said(self):
        self.assertIn("no namespace 'nothing'", self.server.client("diff", "nothing", "downloads", expect=3).stderr)
        missing = self.server.client("diff", "./nothing", "downloads", expect=2)
        self.assertIn("nothing", missing.stderr)
        self.assertIn("names no namespace", self.server.client("diff", "http://h:1", "downloads", expect=2).stderr)
        directory = self.temporary_directory()
        os.mkdir(os.path.join(directory, "local"))
        hint = self.server.client("diff", "local", "downloads", expect=3, cwd=directory).stderr
        self.assertIn("./local", hint)


if __name__ == "__main__":
    unittest.main()

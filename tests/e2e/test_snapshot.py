"""Snapshots: a release frozen by name, read like a namespace, kept through every prune."""
import ftplib
import io
import json
import os
import subprocess
import unittest

import harness
from harness import LarderTest, SampleTree, quoted, sha256


class Snapshots(LarderTest):
    config = {"grace_period": 0, "lease": 0}

    def setUp(self):
        self.own_server(self.config)
        self.tree = SampleTree("sstate", os.path.join(self.temporary_directory(), "tree"), "--objects", "40",
                               "--median-size", "4KiB")
        self.server.client("seed", self.tree.directory)
        self.server.put("/downloads/a.tar.xz", b"source")

    def lose_everything(self):
        self.server.client("prune", "sstate-cache", "--match", "*", "--yes")
        self.server.client("prune", "downloads", "--match", "*", "--yes")
        self.server.client("trash", "empty")

    def test_a_snapshot_survives_any_prune_and_is_read_over_both_protocols(self):
        page = self.server.client("snapshot", "create", "release-4.0").stdout
        self.assertIn("sstate-cache", page)
        names = self.server.index("sstate-cache")
        self.lose_everything()
        self.assertEqual(self.server.index("sstate-cache"), [])
        self.assertEqual(self.server.index("@release-4.0/sstate-cache"), names)
        self.assert_served(self.server, "@release-4.0/sstate-cache", self.tree.taken())
        name = max(self.tree.taken(), key=lambda each: self.tree.taken()[each][1])
        answer = self.server.head("/@release-4.0/sstate-cache/" + quoted(name))
        self.assertEqual(answer.headers["ETag"], '"%s"' % self.tree.taken()[name][0])
        part = self.server.get("/%40release-4.0/sstate-cache/" + quoted(name), {"Range": "bytes=10-19"})
        self.assertEqual((part.status, len(part.body)), (206, 10))
        with ftplib.FTP() as client:
            client.connect("127.0.0.1", self.server.ftp_port, timeout=harness.DEADLINE)
            client.login()
            client.cwd("/@release-4.0/sstate-cache")
            got = io.BytesIO()
            client.retrbinary("RETR " + name, got.write)
            self.assertEqual(sha256(got.getvalue()), self.tree.taken()[name][0])
            self.assertEqual(client.nlst("/@release-4.0"), ["/@release-4.0/sstate-cache", "/@release-4.0/downloads"])
            self.assertRaises(ftplib.error_perm, client.storbinary, "STOR x", io.BytesIO(b"x"))
            self.assertRaises(ftplib.error_perm, client.delete, name)
        listed = self.server.client("ls", "--recursive", "@release-4.0/sstate-cache").stdout.splitlines()
        self.assertEqual(sorted(listed), names)

    def test_a_snapshot_costs_directory_entries_only_and_is_frozen(self):
        before = self.server.stat()
        self.server.client("snapshot", "create", "r")
        after = self.server.stat()
        self.assertEqual((after["objects"], after["physical_bytes"]), (before["objects"], before["physical_bytes"]))
        self.assertEqual(self.server.put("/@r/downloads/x", b"x").status, 403)
        self.assertEqual(self.server.request("DELETE", "/@r/downloads/a.tar.xz").status, 403)
        self.assertEqual(self.server.get("/@r/downloads/a.tar.xz").body, b"source")
        missing = self.server.request("POST", "/-/v1/find-missing?namespace=%40r/downloads", body=b"a.tar.xz\nnone\n")
        self.assertEqual(missing.lines(), ["none"])

    def test_what_is_not_there_is_a_miss(self):
        self.server.client("snapshot", "create", "r")
        for target in ("/@none/downloads/a.tar.xz", "/@r/nowhere/x", "/@r/downloads/none", "/@none", "/@"):
            self.assertEqual(self.server.get(target).status, 404, target)
            self.assertEqual(self.server.head(target).status, 404, target)
        self.assertEqual(self.server.head("/@r").status, 200)
        self.assertEqual(self.server.get("/@r/").status, 404, "no page for */*")
        page = self.server.get("/@r/", {"Accept": harness.BROWSER_ACCEPT})
        self.assertIn(b"sstate-cache", page.body)

    def test_lists_and_stamps_choose(self):
        archive = next(name for name in self.tree.taken() if name.endswith(".tar.zst"))
        work = self.temporary_directory()
        harness.write_file(os.path.join(work, "list"), ("sstate-cache/%s\ndownloads/none\n" % archive).encode())
        self.server.client("snapshot", "create", "listed", "--from-list", os.path.join(work, "list"), expect=1)
        self.assertEqual(self.server.index("@listed/sstate-cache"),
                         [name for name in self.server.index("sstate-cache") if name.startswith(archive)])
        digest = archive.split(":")[-1].partition("_")[0]
        harness.write_file(os.path.join(work, "stamps/x/1.0.do_package_setscene." + digest), b"")
        self.server.client("snapshot", "create", "stamped", "--from-stamps", os.path.join(work, "stamps"))
        self.assertIn(archive, self.server.index("@stamped/sstate-cache"))
        # With what BitBake puts behind the hash, and beside tasks that leave no object.
        harness.write_file(os.path.join(work, "more/x/1.0.do_deploy_setscene." + digest + ".qemux86_64"), b"")
        harness.write_file(os.path.join(work, "more/x/1.0.do_compile.sigdata." + "e" * 64), b"")
        self.server.client("snapshot", "create", "deployed", "--from-stamps", os.path.join(work, "more"))
        self.assertIn(archive, self.server.index("@deployed/sstate-cache"))
        harness.write_file(os.path.join(work, "other/x/1.0.do_compile.sigdata." + "e" * 64), b"")
        done = self.server.client("snapshot", "create", "other", "--from-stamps", os.path.join(work, "other"), expect=None)
        self.assertIn("nothing here has one of the 1 hashes", done.stderr)
        names = self.server.client("snapshot", "list").stdout
        self.assertIn("listed", names)
        self.assertIn("stamped", names)

    def test_restoring_and_removing(self):
        self.server.client("snapshot", "create", "r")
        self.server.client("snapshot", "create", "r", expect=3)
        names = self.server.index("sstate-cache")
        self.lose_everything()
        self.server.put("/downloads/a.tar.xz", b"other")
        done = self.server.client("snapshot", "restore", "r", expect=1)
        self.assertIn("1 hold other bytes", done.stdout)
        self.assertEqual(self.server.index("sstate-cache"), names)
        self.assert_served(self.server, "sstate-cache", self.tree.taken())
        self.server.client("snapshot", "remove", "r")
        self.server.client("snapshot", "remove", "r", expect=1)
        self.assertEqual(self.server.get("/@r/downloads/a.tar.xz").status, 404)
        self.assertEqual(self.server.get("/downloads/a.tar.xz").body, b"other")

    def test_it_can_be_compared_with_what_there_is_now(self):
        self.server.client("snapshot", "create", "r")
        same = self.server.client("snapshot", "diff", "r").stdout
        self.assertEqual((same.count("only A"), same.count("only B")), (0, 0))
        self.server.client("prune", "downloads", "--match", "*", "--yes")
        self.server.put("/downloads/a.tar.xz", b"other")
        self.server.put("/downloads/new.tar.xz", b"new")
        page = self.server.client("snapshot", "diff", "r", expect=1).stdout
        self.assertRegex(page, "differs .* a.tar.xz")
        self.assertRegex(page, "only B .* new.tar.xz")
        counts = self.server.client("snapshot", "diff", "r", "--summary", expect=1).stdout
        self.assertNotIn("new.tar.xz", counts)
        self.assertEqual(counts.count("the same"), 2)  # of both namespaces
        told = self.server.client("--json", "snapshot", "diff", "r", expect=1).stdout
        by_space = {os.path.basename(each["b"]): each for each in map(json.loads, told.splitlines())}
        self.assertEqual(set(by_space), {"sstate-cache", "downloads"})
        self.assertTrue(by_space["sstate-cache"]["same"])
        self.assertEqual([each["path"] for each in by_space["downloads"]["only_b"]], ["new.tar.xz"])
        self.assertIn("there is no snapshot", self.server.client("snapshot", "diff", "none", expect=1).stderr)

    def test_snapshots_outlive_a_kill(self):
        self.server.client("snapshot", "create", "r")
        self.lose_everything()
        self.server.kill()
        again = self.own_server(self.config, data=self.server.data)
        self.assert_served(again, "@r/sstate-cache", self.tree.taken())

    def test_a_snapshot_is_there_for_a_file_server_too(self):
        self.server.client("snapshot", "create", "r")
        directory = os.path.join(self.server.data, "snapshots", "r", "sstate-cache")
        found = subprocess.run(["find", directory, "-type", "f"], stdout=subprocess.PIPE, text=True, check=True)
        self.assertEqual(len(found.stdout.splitlines()), len(self.server.index("sstate-cache")))


if __name__ == "__main__":
    unittest.main()

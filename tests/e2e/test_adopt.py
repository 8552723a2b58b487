"""Take in a directory that is already there, by hard links."""
import collections
import json
import os
import subprocess
import time
import unittest

import harness
from harness import LarderTest, SampleTree, flat_and_nested, quoted


class Adopting(LarderTest):
    with_server = False

    def inode(self, path):
        status = os.stat(path)
        return status.st_dev, status.st_ino

    def assert_hard_linked(self, data, namespace, tree):
        taken = tree.taken()
        copies = collections.Counter(digest for digest, _ in taken.values())
        for path, (digest, _) in taken.items():
            there = os.path.join(data, "tree", namespace, path)
            self.assertEqual(harness.sha256_of_file(there), digest)
            if copies[digest] == 1:  # of equal files, the object can be one with the first only
                self.assertEqual(self.inode(there), self.inode(tree.file(path)), "was copied: " + path)

    def offline(self, *arguments, expect):
        done = subprocess.run([harness.LARDERD, "adopt", *arguments], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        if expect is not None:
            self.assertEqual(done.returncode, expect, done.stdout[-3000:])
        return done

    def test_offline_by_hard_links_and_again_in_no_time(self):
        tree = SampleTree("sstate", os.path.join(self.work, "sstate"), "--objects", "500", "--median-size", "6KiB",
                          "--junk")
        data = os.path.join(self.work, "offline")
        first = self.offline("--namespace", "sstate-cache", tree.directory, "--data", data, expect=None)
        self.assertIn(first.returncode, (0, 1), first.stdout)  # 1: there were corrupt archives
        for path in tree.paths("corrupt"):
            self.assertIn(os.path.basename(path), first.stdout)
        self.assert_hard_linked(data, "sstate-cache", tree)

        begin = time.monotonic()
        second = self.offline("--namespace", "sstate-cache", tree.directory, "--data", data, expect=None)
        self.assertEqual(second.returncode, first.returncode)
        self.assertLess(time.monotonic() - begin, 15)

        server = self.own_server(data=data)
        self.assertEqual(server.index("sstate-cache"), sorted(tree.taken()))
        self.assert_served(server, "sstate-cache", tree.taken())
        self.assertEqual(os.listdir(os.path.join(data, "tmp")), [])
        self.assertEqual(server.stop(), 0)

    def test_a_file_named_like_the_list_of_names_stays_outside(self):
        source = os.path.join(self.work, "with-index")
        for name in ("index.txt", "a.txt", "d/index.txt"):
            harness.write_file(os.path.join(source, name), name.encode())
        data = os.path.join(self.work, "with-index-data")
        done = self.offline("--namespace", "downloads", source, "--data", data, expect=0)
        self.assertIn("lists all names", done.stdout)
        server = self.own_server(data=data)
        self.assertEqual(server.index("downloads"), ["a.txt", "d/index.txt"])
        self.assertEqual(server.stop(), 0)

    def test_offline_refuses_while_the_daemon_runs(self):
        server = self.own_server()
        tree = SampleTree("sstate", os.path.join(self.work, "busy"), "--objects", "10", "--median-size", "1KiB")
        done = self.offline("--namespace", "sstate-cache", tree.directory, "--data", server.data, expect=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual(server.index("sstate-cache"), [])
        self.assertEqual(server.stop(), 0)

    def test_offline_says_what_is_wrong_with_its_arguments(self):
        for arguments in (["--namespace", "nothing", self.work], ["--namespace", "sstate-cache", "/nonexistent"],
                          ["--namespace", "sstate-cache"]):
            done = self.offline(*arguments, "--data", os.path.join(self.work, "wrong"), expect=None)
            self.assertNotEqual(done.returncode, 0)
            self.assertTrue(done.stdout.strip())

    def adopt(self, server, namespace, directory):
        """Asks the running daemon; returns the status and the events."""
        target = "/-/v1/adopt?namespace=%s&directory=%s" % (namespace, quoted(directory))
        answer = server.request("POST", target, body=b"")
        return answer.status, [json.loads(line) for line in answer.lines()] if answer.status == 200 else []

    def test_through_the_running_daemon(self):
        allowed = os.path.join(self.work, "allowed")
        os.makedirs(allowed)
        tree = SampleTree("downloads", os.path.join(allowed, "dl"), "--objects", "42", "--median-size", "8KiB", "--junk")
        outside = SampleTree("downloads", os.path.join(self.work, "outside"), "--objects", "5")
        server = self.own_server({"adopt_from": [allowed]})
        expected = flat_and_nested(tree.taken())

        status, events = self.adopt(server, "downloads", tree.directory)
        self.assertEqual(status, 200)
        last = events[-1]
        self.assertTrue(last["done"])
        files = len(tree.taken())  # some have two names
        self.assertGreater(len(expected), files)
        self.assertEqual((last["adopted"], last["present"], last["failed"]), (files, 0, 0))
        reasons = {event["path"]: event["reason"] for event in events if event.get("outcome") == "skipped"}
        self.assertTrue(all(reasons.values()))
        self.assertTrue(any(path.endswith(".lock") for path in reasons))
        self.assert_served(server, "downloads", expected)
        self.assertEqual(server.index("downloads"), sorted(expected))
        self.assert_hard_linked(server.data, "downloads", tree)

        _, again = self.adopt(server, "downloads", tree.directory)
        self.assertEqual((again[-1]["adopted"], again[-1]["present"]), (0, files))

        for directory, allowed_status in ((outside.directory, (403,)), (allowed + "/../outside", (400, 403)),
                                          ("relative", (400, 403)), (allowed + "/nothing", (400, 404))):
            status, _ = self.adopt(server, "downloads", directory)
            self.assertIn(status, allowed_status, directory)
        os.symlink(outside.directory, os.path.join(allowed, "link"))
        status, _ = self.adopt(server, "downloads", os.path.join(allowed, "link"))
        self.assertIn(status, (400, 403), "a link leads out of what is allowed")
        self.assertEqual(server.index("downloads"), sorted(expected))

        done = server.client("adopt", "--namespace", "downloads", tree.directory)
        self.assertIn(str(files), done.stdout)
        self.assertEqual(server.stop(), 0)

    def test_nothing_may_be_adopted_unless_configured(self):
        server = self.own_server()
        status, _ = self.adopt(server, "downloads", self.work)
        self.assertEqual(status, 403)
        self.assertEqual(server.stop(), 0)

    def test_a_source_that_changes_later_does_not_change_the_mirror_by_replacement(self):
        # Builds replace files by rename or unlink: the object keeps its inode.
        tree = SampleTree("sstate", os.path.join(self.work, "replaced"), "--objects", "10", "--median-size", "1KiB")
        data = os.path.join(self.work, "replaced-data")
        self.offline("--namespace", "sstate-cache", tree.directory, "--data", data, expect=0)
        expected = tree.taken()
        for path in expected:
            harness.write_file(tree.file("new"), b"made anew")
            os.rename(tree.file("new"), tree.file(path))
        server = self.own_server(data=data)
        self.assert_served(server, "sstate-cache", expected)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()

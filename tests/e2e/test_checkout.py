"""Views of a namespace in a directory of the daemon's machine."""
import json
import os
import stat
import subprocess
import unittest

import harness
from harness import LarderTest, SampleTree, quoted, read_file, sha256_of_file, write_file

MARK = ".larder-view.lock"


class Checkout(LarderTest):
    with_server = False

    def setUp(self):
        self.views = self.temporary_directory()
        self.daemon = self.own_server({"checkout_to": [self.views], "durability": "none"})
        self.contents = {"%02x/n%02d.txt" % (number % 8, number): b"content %d" % number for number in range(40)}
        self.contents["top.txt"] = b"at the top"
        connection = self.daemon.connection()
        for name, content in self.contents.items():
            self.daemon.put("/downloads/" + name, content, connection=connection)
        connection.close()

    def tearDown(self):
        self.assertEqual(self.daemon.stop(), 0)

    def view(self, name):
        return os.path.join(self.views, name)

    def files(self, directory):
        return {os.path.relpath(os.path.join(path, name), directory)
                for path, _, names in os.walk(directory) for name in names if name != MARK}

    def tree(self, name):
        return os.path.join(self.daemon.data, "tree", "downloads", name)

    def test_a_view_is_hard_links_to_read_only_objects(self):
        view = self.view("one")
        done = self.daemon.client("checkout", "downloads", view)
        self.assertRegex(done.stdout, r"linked +41\n")
        self.assertEqual(self.files(view), set(self.contents))
        for name, content in self.contents.items():
            status = os.stat(os.path.join(view, name))
            self.assertEqual(status.st_ino, os.stat(self.tree(name)).st_ino)
            self.assertEqual(stat.S_IMODE(status.st_mode), 0o444)
            self.assertEqual(read_file(os.path.join(view, name)), content)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(view, "00")).st_mode), 0o755)
        self.daemon.client("diff", view, "downloads")
        # What goes from the server stays in the view.
        self.daemon.request("DELETE", "/downloads/top.txt")
        self.assertEqual(read_file(os.path.join(view, "top.txt")), b"at the top")

    def test_copies_are_files_of_their_own(self):
        view = self.view("copies")
        report = self.daemon.client("checkout", "downloads", view, "--copy", "--json").stdout.splitlines()
        last = json.loads(report[-1])
        size = sum(map(len, self.contents.values()))
        self.assertEqual((last["copied"], last["linked"], last["copied_bytes"], last["bytes"], last["done"]),
                         (41, 0, size, size, True))
        for name, content in self.contents.items():
            there, here = os.stat(self.tree(name)), os.stat(os.path.join(view, name))
            self.assertNotEqual(there.st_ino, here.st_ino)
            self.assertEqual((int(there.st_mtime), stat.S_IMODE(here.st_mode)), (int(here.st_mtime), 0o444))
            self.assertEqual(read_file(os.path.join(view, name)), content)
        again = self.daemon.client("checkout", "downloads", view, "--copy", "--update").stdout
        self.assertRegex(again, r"present +41\n")

    def test_reflinks_or_a_clear_word(self):
        view = self.view("reflinks")
        done = self.daemon.client("checkout", "downloads", view, "--reflink", expect=None)
        if done.returncode == 0:
            self.assertEqual(self.files(view), set(self.contents))
        else:
            self.assertEqual(done.returncode, 3)
            self.assertIn("has no reflinks", done.stderr)
            self.assertEqual(self.files(view), set())

    def test_an_update_adds_and_removes_only_when_asked(self):
        view = self.view("updated")
        self.daemon.client("checkout", "downloads", view)
        self.assertIn("--update", self.daemon.client("checkout", "downloads", view, expect=3).stderr)
        self.daemon.put("/downloads/new/name.txt", b"new")
        self.daemon.request("DELETE", "/downloads/top.txt")
        write_file(os.path.join(view, "mine/own.txt"), b"a builder's")
        os.unlink(os.path.join(view, "00/n00.txt"))
        write_file(os.path.join(view, "00/n00.txt"), b"something else")

        done = self.daemon.client("checkout", "downloads", view, "--update", expect=1)
        self.assertIn("00/n00.txt: differs", done.stderr)
        self.assertRegex(done.stdout, r"linked +1\n")
        self.assertEqual(self.files(view), set(self.contents) | {"new/name.txt", "mine/own.txt"})
        self.assertEqual(read_file(os.path.join(view, "00/n00.txt")), b"something else")

        done = self.daemon.client("checkout", "downloads", view, "--update", "--delete")
        self.assertRegex(done.stdout, r"removed +3\n")
        self.assertEqual(self.files(view), set(self.contents) - {"top.txt"} | {"new/name.txt"})
        self.assertFalse(os.path.exists(os.path.join(view, "mine")))
        self.daemon.client("diff", view, "downloads")

    def test_directories_of_somebodys_own_are_left_alone(self):
        own = self.view("own")
        write_file(os.path.join(own, "precious"), b"1")
        for arguments in ((), ("--update",), ("--update", "--delete")):
            done = self.daemon.client("checkout", "downloads", own, *arguments, expect=3)
            self.assertIn("not empty", done.stderr)
        self.assertEqual(os.listdir(own), ["precious"])
        self.daemon.client("checkout", "downloads", self.view("a"))
        done = self.daemon.client("checkout", "sstate-cache", self.view("a"), "--update", "--delete", expect=3)
        self.assertIn("a view of something else", done.stderr)
        self.assertEqual(self.files(self.view("a")), set(self.contents))

    def test_only_where_the_admin_allows_it(self):
        outside = self.temporary_directory()
        os.symlink(outside, self.view("link"))
        for directory in (outside, self.view("../x"), self.view("link"), self.view("link/x"), self.daemon.data):
            target = "/-/v1/checkout?namespace=downloads&directory=" + quoted(directory)
            self.assertEqual(self.daemon.request("POST", target, body=b"").status, 403, directory)
        for query in ("directory=relative", "directory=" + quoted(self.view("not/there")), "",
                      "mode=magic&directory=" + quoted(self.view("x")),
                      "delete=1&directory=" + quoted(self.view("x"))):
            answer = self.daemon.request("POST", "/-/v1/checkout?namespace=downloads&" + query, body=b"")
            self.assertEqual(answer.status, 400, query)
        self.assertEqual(self.daemon.client("checkout", "nothing", self.view("x"), expect=1).returncode, 1)
        self.assertEqual(self.daemon.client("checkout", "downloads@none", self.view("x"), expect=3).returncode, 3)
        self.assertEqual(os.listdir(outside), [])

    def test_another_file_system_takes_copies_only(self):
        if not os.access("/dev/shm", os.W_OK) or os.stat("/dev/shm").st_dev == os.stat(self.daemon.data).st_dev:
            self.skipTest("there is no second file system")
        self.daemon.stop()
        directory = harness.tempfile.mkdtemp(prefix="larder-e2e-", dir="/dev/shm")
        self.addCleanup(harness.shutil.rmtree, directory)
        self.daemon.config["checkout_to"] = [directory]
        self.daemon.start()
        done = self.daemon.client("checkout", "downloads", directory, expect=3)
        self.assertIn("hard links do not cross", done.stderr)
        self.daemon.client("checkout", "downloads", directory, "--copy")
        self.assertEqual(self.files(directory), set(self.contents))

    def test_a_frozen_tree_is_checked_out_likewise(self):
        snapshot = os.path.join(self.daemon.data, "snapshots", "r1")
        os.makedirs(snapshot, exist_ok=True)
        subprocess.run(["cp", "-al", os.path.join(self.daemon.data, "tree", "downloads"), snapshot], check=True)
        self.daemon.put("/downloads/later.txt", b"later")
        self.daemon.client("checkout", "downloads@r1", self.view("frozen"))
        self.assertEqual(self.files(self.view("frozen")), set(self.contents))

    def test_against_and_checksums(self):
        view = self.view("checked")
        self.daemon.client("checkout", "downloads", view)
        self.daemon.client("verify", "--against", view, "downloads")
        self.daemon.client("verify", "--against", self.daemon.url + "/downloads")
        write_file(os.path.join(view, "more.txt"), b"more")
        os.rename(os.path.join(view, "top.txt"), os.path.join(view, "moved.txt"))
        done = self.daemon.client("verify", "--against", view, "downloads", expect=1)
        self.assertRegex(done.stdout, r"missing +more.txt\n")
        self.assertRegex(done.stdout, r"missing +moved.txt  \(its content is there as top.txt\)\n")
        self.assertRegex(done.stdout, r"matching +40 ")

        sums = os.path.join(self.views, "SHA256SUMS")
        lines = "".join("%s  %s\n" % (sha256_of_file(self.tree(name)), name) for name in self.contents)
        write_file(sums, lines.encode())
        self.daemon.client("verify", "--checksums", sums)
        write_file(sums, (lines + "%s *absent\n%s  dl/top.txt\n" % ("0" * 64, "1" * 64)).encode())
        report = json.loads(self.daemon.client("verify", "--checksums", sums, "--json", expect=1).stdout)
        self.assertEqual(report, {"missing": ["absent"], "differing": ["dl/top.txt"], "matching": 41})
        write_file(sums, b"what is this\n")
        self.assertIn("line 1", self.daemon.client("verify", "--checksums", sums, expect=2).stderr)


if __name__ == "__main__":
    unittest.main()

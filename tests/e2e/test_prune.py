"""Pruning as an admin does it: plan, do, undo, empty the trash, pin; and what the daemon evicts by itself."""
import json
import os
import subprocess
import threading
import time
import unittest

import harness
from harness import LarderTest, quoted, wait_until

NAMESPACES = [{"name": "sstate-cache", "kind": "sstate"}, {"name": "downloads", "kind": "downloads"},
              {"name": "generic", "kind": "generic"}]
HASH = {digit: digit * 64 for digit in "123456789abc"}


def archive(recipe, digit, version="14", task="package_write_ipk"):
    return "%s/%s/sstate:%s:core2-64-poky-linux:1.0:r0:core2-64:%s:%s_%s.tar.zst" % (
        digit * 2, digit * 2, recipe, version, HASH[digit], task)


def disk_usage(directory):
    """Bytes on disk, each inode once."""
    done = subprocess.run(["du", "-sB1", directory], stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout.split()[0])


class PruneTest(LarderTest):
    config = {"namespaces": NAMESPACES, "grace_period": 0, "lease": 0}

    def put(self, name, content, server=None):
        answer = (server or self.server).put("/" + quoted(name), content)
        self.assertIn(answer.status, (200, 201), answer.body)

    def prune(self, *arguments, expect=0):
        done = self.server.client("--json", "prune", *arguments, expect=expect)
        return [json.loads(line) for line in done.stdout.splitlines()]


class Pruning(PruneTest):
    def setUp(self):
        self.own_server(self.config)
        for digit in "123":
            for suffix in ("", ".siginfo"):
                self.put("sstate-cache/" + archive("busybox", digit) + suffix, os.urandom(20000))
        self.put("sstate-cache/" + archive("glibc", "4"), os.urandom(20000))
        self.put("sstate-cache/" + archive("busybox", "5", version="12"), os.urandom(20000))

    def test_a_plan_removes_nothing_and_says_what_would_go(self):
        before = self.server.index("sstate-cache")
        done = self.server.client("prune", "sstate-cache", "--recipe", "busybox", "--newest", "1")
        self.assertIn("superseded", done.stdout)
        self.assertIn("Nothing has been removed; --yes", done.stdout)
        listed = self.server.client("prune", "sstate-cache", "--recipe", "glibc", "--list").stdout
        self.assertIn("sstate-cache/" + archive("glibc", "4"), listed)
        self.assertEqual(self.server.index("sstate-cache"), before)

    def test_what_goes_comes_back_with_undo(self):
        before = self.server.index("sstate-cache")
        modified = self.server.head("/sstate-cache/" + quoted(archive("glibc", "4"))).headers["Last-Modified"]
        events = self.prune("sstate-cache", "--match", "*", "--yes")
        self.assertEqual(events[-1]["removed"]["names"], len(before))
        self.assertEqual(self.server.index("sstate-cache"), [])
        self.assertEqual(self.server.get("/sstate-cache/" + quoted(before[0])).status, 404)
        self.assertIn(str(events[-1]["generation"]), self.server.client("trash").stdout)
        self.assertIn("%d names are back" % len(before), self.server.client("undo").stdout)
        self.assertEqual(self.server.index("sstate-cache"), before)
        self.assertEqual(self.server.head("/sstate-cache/" + quoted(archive("glibc", "4"))).headers["Last-Modified"], modified)
        self.assertEqual(self.server.client("trash").stdout, "the trash is empty\n")
        self.server.client("undo", expect=1)

    def test_what_is_freed_is_what_the_disk_gets_back(self):
        shared = os.urandom(50000)
        for name in ("a", "b"):
            self.put("downloads/" + name, shared)
        self.put("generic/keeps-it", shared)
        before = disk_usage(os.path.join(self.server.data, "objects"))
        planned = self.prune("sstate-cache", "--recipe", "busybox")[-1]["by_reason"]["selected"]
        self.prune("sstate-cache", "--recipe", "busybox", "--yes")
        self.assertEqual(self.prune("downloads", "--match", "*", "--yes")[-1]["removed"]["freed"], 0)
        emptied = json.loads(self.server.client("--json", "trash", "empty").stdout)
        self.assertEqual((planned["names"], planned["freed"], emptied["freed"]), (7, 140000, 140000))
        told = [json.loads(line) for line in self.server.client("--json", "log", "--action", "empty").stdout.splitlines()]
        self.assertEqual([line["why"] for line in told], ["by hand"] * 2)  # two generations
        self.assertTrue(all(line["name"].startswith("@trash/") for line in told), told)
        freed = before - disk_usage(os.path.join(self.server.data, "objects"))
        self.assertTrue(140000 <= freed <= 140000 + 7 * 4096, freed)  # whole blocks
        self.assertEqual(self.server.get("/generic/keeps-it").body, shared)

    def test_groups_go_together_and_the_other_release_stays(self):
        events = self.prune("sstate-cache", "--newest", "1", "--list", "--yes")
        gone = {event["path"] for event in events if "path" in event}
        left = self.server.index("sstate-cache")
        self.assertEqual(len(gone), 4)
        self.assertIn(archive("busybox", "5", version="12"), left)
        self.assertIn(archive("glibc", "4"), left)
        for name in left:
            self.assertTrue(name.endswith(".siginfo") or name + ".siginfo" in left or "glibc" in name or ":12:" in name)

    def test_stamps_lists_and_pins_keep(self):
        stamps = os.path.join(self.temporary_directory(), "stamps")
        harness.write_file(os.path.join(stamps, "core2-64/busybox/1.0-r0.do_package_write_ipk_setscene." + HASH["1"]), b"")
        keep = os.path.join(self.temporary_directory(), "keep.txt")
        harness.write_file(keep, ("# a release\n" + archive("busybox", "2") + "\n").encode())
        self.server.client("pin", "sstate-cache/*glibc*")
        event = self.prune("sstate-cache", "--match", "*", "--keep-stamps", stamps, "--keep-list", keep, "--yes")[-1]
        self.assertEqual(event["kept"], {"listed": 2, "pinned": 1})
        self.assertEqual(self.server.index("sstate-cache"),
                         sorted([archive("busybox", "1"), archive("busybox", "1") + ".siginfo", archive("busybox", "2"),
                                 archive("busybox", "2") + ".siginfo", archive("glibc", "4")]))
        self.assertEqual(self.server.client("pin").stdout, "sstate-cache/*glibc*\n")
        self.server.client("unpin", "sstate-cache/*glibc*")
        self.server.client("unpin", "sstate-cache/*glibc*", expect=1)
        self.assertEqual(self.prune("sstate-cache", "--recipe", "glibc", "--yes")[-1]["removed"]["names"], 1)
        self.server.client("prune", "sstate-cache", "--match", "x", "--keep-stamps", self.temporary_directory(), expect=2)

    def test_a_list_to_keep_that_keeps_nothing_is_refused(self):
        before = self.server.index("sstate-cache")
        for content in (b"", b"# nothing\n\n", b"../up\n", b"no/such/name\n"):
            keep = os.path.join(self.temporary_directory(), "keep.txt")
            harness.write_file(keep, content)
            done = self.server.client("prune", "sstate-cache", "--match", "*", "--keep-list", keep, "--yes", expect=None)
            self.assertNotEqual(done.returncode, 0, content)
            self.assertRegex(done.stderr, "keep|no name", content)
        stamps = os.path.join(self.temporary_directory(), "stamps")  # of another build
        harness.write_file(os.path.join(stamps, "x/1.0-r0.do_compile.sigdata." + "f" * 64), b"")
        done = self.server.client("prune", "sstate-cache", "--match", "*", "--keep-stamps", stamps, "--yes", expect=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("keep nothing", done.stderr)
        self.assertEqual(self.server.index("sstate-cache"), before)
        # With the namespace before it a name means the same.
        harness.write_file(keep, ("sstate-cache/" + archive("glibc", "4") + "\n").encode())
        self.assertEqual(self.prune("sstate-cache", "--match", "*", "--keep-list", keep)[-1]["kept"], {"listed": 1})
        rules = {"namespace": "sstate-cache", "match": ["*"], "keep_hashes": ["abc"]}
        self.assertEqual(self.server.request("POST", "/-/v1/prune", body=json.dumps(rules).encode()).status, 400)

    def test_a_pattern_takes_whole_groups(self):
        planned = self.prune("sstate-cache", "--match", "*.siginfo")[-1]["by_reason"]["selected"]
        self.assertEqual((planned["groups"], planned["names"]), (3, 6))

    def test_without_the_trash_it_is_gone_at_once(self):
        before = disk_usage(os.path.join(self.server.data, "objects"))
        done = self.server.client("prune", "sstate-cache", "--recipe", "busybox", "--no-trash", "--yes")
        self.assertIn("Gone for good", done.stdout)
        freed = before - disk_usage(os.path.join(self.server.data, "objects"))
        self.assertTrue(140000 <= freed <= 140000 + 7 * 4096, freed)
        self.assertEqual(self.server.client("trash").stdout, "the trash is empty\n")

    def test_requests_go_on_beside_a_prune(self):
        for number in range(1000):
            self.put("downloads/d%d/%d" % (number % 100, number), b"%d" % number)
        self.put("generic/x", b"x")
        prune = threading.Thread(target=lambda: self.prune("downloads", "--match", "*", "--yes", "--rate", "2000"))
        prune.start()
        waited = []
        while prune.is_alive():
            began = time.monotonic()
            self.assertEqual(self.server.get("/generic/x").body, b"x")
            self.assertEqual(self.server.head("/sstate-cache/" + quoted(archive("glibc", "4"))).status, 200)
            waited.append(time.monotonic() - began)
        prune.join()
        self.assertGreater(len(waited), 5)
        self.assertLess(sorted(waited)[len(waited) // 2], 0.25, "two requests, at the median")
        self.assertEqual(self.server.index("downloads"), [])

    def test_what_makes_no_sense_is_refused(self):
        for arguments in (("sstate-cache",), ("sstate-cache", "--unused-for", "soon"), ("sstate-cache", "--yes")):
            self.server.client("prune", *arguments, expect=2)
        self.server.client("prune", "nowhere", "--match", "*", expect=1)
        for body in (b"", b"{}", b'{"namespace": "sstate-cache"}', b'{"namespace": "sstate-cache", "recipe": ["x"]}'):
            self.assertEqual(self.server.request("POST", "/-/v1/prune", body=body).status, 400, body)
        self.assertEqual(self.server.get("/-/v1/prune").status, 405)
        self.assertEqual(self.server.request("POST", "/-/v1/pins", body=b"../x\n").status, 400)

    def test_the_trash_outlives_a_kill(self):
        before = self.server.index("sstate-cache")
        self.prune("sstate-cache", "--match", "*", "--yes")
        self.server.kill()
        again = self.own_server(self.config, data=self.server.data)
        wait_until(lambda: not again.stat()["reconciling"], "tree and index agree")
        again.client("undo")
        self.assertEqual(again.index("sstate-cache"), before)


class Leases(PruneTest):
    config = {"namespaces": NAMESPACES, "grace_period": 0, "lease": "1h"}

    def test_what_answered_a_check_stays_for_the_length_of_a_build(self):
        for name in ("asked", "read", "bulk", "over-ftp", "not-asked"):
            self.put("downloads/" + name, name.encode())
        self.server.head("/downloads/asked")
        self.server.get("/downloads/read")
        self.server.request("POST", "/-/v1/find-missing?namespace=downloads", body=b"bulk\n")
        subprocess.run(["curl", "-sS", self.server.ftp_url + "/downloads/over-ftp"], check=True, stdout=subprocess.DEVNULL)
        event = self.prune("downloads", "--match", "*", "--yes")[-1]
        self.assertEqual(event["kept"], {"leased": 4})
        self.assertEqual(self.server.index("downloads"), ["asked", "bulk", "over-ftp", "read"])
        self.assertEqual(self.prune("downloads", "--match", "*", "--ignore-lease", "--yes")[-1]["removed"]["names"], 4)


class Evicting(PruneTest):
    def test_a_namespace_keeps_to_its_size_by_losing_the_oldest(self):
        server = self.own_server({"namespaces": [{"name": "small", "kind": "generic", "max_size": "1MiB"},
                                                 {"name": "other", "kind": "generic"}], "grace_period": 0, "lease": 0})
        for number in range(9):
            self.put("small/%d" % number, os.urandom(100000), server)
        server.client("pin", "small/0")
        stored = time.time()
        wait_until(lambda: time.time() >= stored + 1.1, "times have seconds")
        server.get("/small/1")
        self.put("small/9", os.urandom(100000), server)  # above 95 %
        wait_until(lambda: server.namespace_stat("small")["physical_bytes"] <= 0.85 * (1 << 20), "eviction is done")
        left = server.index("small")
        self.assertIn("0", left)
        self.assertIn("1", left)
        self.assertIn("9", left)
        self.assertEqual(len(left), 8)
        wait_until(lambda: server.client("trash").stdout == "the trash is empty\n", "what was evicted is gone for good")
        for name in left:
            self.assertEqual(server.get("/small/" + name).status, 200)

    def test_leased_objects_stay_and_uploads_are_refused_instead(self):
        server = self.own_server({"namespaces": [{"name": "small", "kind": "generic", "max_size": "1MiB"}],
                                  "grace_period": 0, "lease": "1h"})
        for number in range(10):
            self.put("small/%d" % number, os.urandom(100000), server)
            server.head("/small/%d" % number)
        wait_until(lambda: "can make some" in server.log(), "it was tried")
        self.assertEqual(server.put("/small/more", os.urandom(100000)).status, 507)
        self.assertEqual(len(server.index("small")), 10)
        self.assertEqual(server.get("/small/0").status, 200, "reads go on")

    def test_what_nobody_used_for_max_age_goes_to_the_trash(self):
        data = os.path.join(self.temporary_directory(), "data")
        server = self.own_server({"namespaces": NAMESPACES, "grace_period": 0, "lease": 0}, data=data)
        self.put("downloads/x", b"x", server)
        self.assertEqual(server.stop(), 0)
        aged = [{**each, "max_age": "1s"} if each["name"] == "downloads" else each for each in NAMESPACES]
        again = self.own_server({"namespaces": aged, "grace_period": 0, "lease": 0}, data=data)
        # The first look may come within the second; the next is an hour away, so start once more then.
        while again.index("downloads"):
            self.assertEqual(again.stop(), 0)
            again = self.own_server({"namespaces": aged, "grace_period": 0, "lease": 0}, data=data)
            wait_until(lambda: again.get("/-/health").status == 200, "ready")
        self.assertIn("max_age", again.client("trash").stdout)
        again.client("undo")
        self.assertEqual(again.index("downloads"), ["x"])

    def test_the_trash_empties_by_itself(self):
        server = self.own_server({"namespaces": NAMESPACES, "trash_keep": 0})
        self.put("downloads/x", b"x", server)
        server.request("DELETE", "/downloads/x")
        # Looked at once a minute; a restart looks at once.
        self.assertEqual(server.stop(), 0)
        again = self.own_server({"namespaces": NAMESPACES, "trash_keep": 0}, data=server.data)
        wait_until(lambda: again.client("trash").stdout == "the trash is empty\n", "the trash is empty")
        wait_until(lambda: again.stat()["objects"] == 0, "and so are the objects")
        self.assertIn("kept long enough", again.client("log", "--action", "empty").stdout)


class LongJobs(PruneTest):
    def test_so_many_at_a_time_and_none_outlives_the_daemon(self):
        server = self.own_server(self.config)
        for number in range(4 * 130):
            self.put("downloads/%d/%d" % (number % 4, number), b"%d" % number)

        def slow(number):  # a step, and then a rest of minutes
            server.client("prune", "downloads", "--match", "%d/*" % number, "--rate", "1", "--yes", expect=None)

        jobs = [threading.Thread(target=slow, args=(number,)) for number in range(4)]
        for job in jobs:
            job.start()
        rules = json.dumps({"namespace": "downloads", "match": ["*"]}).encode()
        wait_until(lambda: len(server.index("downloads")) <= 4 * 2, "all of them have made their first step")
        for target, body in (("/-/v1/prune", rules), ("/-/v1/undo", b""), ("/-/v1/snapshots", b'{"name": "s"}')):
            refused = server.request("POST", target, body=body)
            self.assertEqual(refused.status, 503, target)
            self.assertIn(b"try again", refused.body)
        self.assertEqual(server.head("/downloads/" + server.index("downloads")[0]).status, 200)
        began = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - began, 15)
        for job in jobs:
            job.join()
        again = self.own_server(self.config, data=server.data)
        while again.client("trash").stdout != "the trash is empty\n":
            again.client("undo")
        self.assertEqual(len(again.index("downloads")), 4 * 130)


class FullDisk(PruneTest):
    """On a file system of its own that is full to the last inode, or to the last byte."""

    def setUp(self):
        self.disk = self.temporary_directory()
        options = "size=48m,nr_inodes=800"
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", self.disk], stderr=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            self.skipTest("may not mount a file system")
        self.addCleanup(lambda: subprocess.run(["umount", "-l", self.disk], check=True))

    def serve(self, **settings):
        namespaces = [{"name": "generic", "kind": "generic"}, {"name": "sstate-cache", "kind": "sstate"}]
        self.own_server({"namespaces": namespaces, "grace_period": 0, "lease": 0, "free_space_floor": 0, **settings},
                        data=os.path.join(self.disk, "data"))

    def fill_up(self, what):
        """Until nothing more goes there."""
        with self.assertRaises(OSError):
            for number in range(10**6):
                with open(os.path.join(self.disk, "junk-%d-%d" % (what, number)), "wb") as junk:
                    junk.write(b"x" * what)

    def free_inodes(self):
        return os.statvfs(self.disk).f_ffree

    def leave_inodes(self, count):
        junk = os.path.join(self.disk, "junk")
        os.mkdir(junk)
        for number in range(self.free_inodes() - count):
            harness.write_file(os.path.join(junk, str(number)), b"")

    def test_without_an_inode_things_can_be_removed(self):
        self.serve()
        for number in range(40):
            self.put("generic/d%d/x" % number, os.urandom(1000))
        self.server.request("DELETE", "/generic/d0/x")
        self.fill_up(0)
        self.assertEqual(self.free_inodes(), 0)
        self.assertEqual(self.server.request("DELETE", "/generic/d1/x").status, 507)
        self.assertEqual(self.server.get("/generic/d1/x").status, 200)
        self.prune("generic", "--match", "d2/*", "--no-trash", "--yes")
        self.assertEqual(self.server.get("/generic/d2/x").status, 404)
        self.assertGreater(self.free_inodes(), 0)
        free = self.free_inodes()
        self.server.client("trash", "empty")
        self.assertGreater(self.free_inodes(), free)
        self.put("generic/d2/x", b"and again")

    def test_without_a_byte_things_can_be_removed(self):
        self.serve()
        for number in range(40):
            self.put("generic/d%d/x" % number, os.urandom(100000))
        for number in range(5):
            self.server.request("DELETE", "/generic/d%d/x" % number)
        self.fill_up(1 << 20)
        self.fill_up(4096)
        self.assertLess(os.statvfs(self.disk).f_bavail, 2)
        # The line in the ledger may fail, the rest may not.
        self.assertEqual(json.loads(self.server.client("--json", "trash", "empty").stdout)["freed"], 500000)
        self.assertEqual(self.server.client("trash").stdout, "the trash is empty\n")
        self.fill_up(4096)
        self.prune("generic", "--match", "*", "--no-trash", "--yes")
        self.assertEqual(self.server.get("/generic/d2/x").status, 404)
        wait_until(lambda: os.statvfs(self.disk).f_bavail * 4096 > 3000000, "space is there again")
        wait_until(lambda: self.server.put("/generic/d2/x", b"again").status in (200, 201), "uploads go on")
        self.assertEqual(self.server.stop(), 0)

    def test_the_daemon_makes_room_by_itself(self):
        self.serve(free_space_floor="2MiB")
        for number in range(60):
            self.put("sstate-cache/d%d/x" % number, os.urandom(100000))
        self.fill_up(1 << 20)
        self.fill_up(4096)
        wait_until(lambda: os.statvfs(self.disk).f_bavail * 4096 >= 2 << 20, "it evicts")
        self.assertEqual(self.server.get("/-/health").status, 200)

    def test_after_a_crash_on_a_full_disk_the_trash_makes_room(self):
        self.serve(free_space_floor="3MiB")
        for number in range(60):
            self.put("generic/d%d/x" % number, os.urandom(100000))
        for number in range(50):
            self.server.request("DELETE", "/generic/d%d/x" % number)
        self.server.kill()
        self.fill_up(1 << 20)
        for number in range(3):  # what the index needs to be opened
            os.unlink(os.path.join(self.disk, "junk-%d-%d" % (1 << 20, number)))
        self.serve(free_space_floor="3MiB")
        wait_until(lambda: os.statvfs(self.disk).f_bavail * 4096 >= 6 << 20, "the trash is emptied")
        wait_until(lambda: not json.loads(self.server.get("/-/v1/stat").body)["reconciling"], "tree and index agree")
        self.assertEqual(self.server.get("/generic/d50/x").status, 200)

    def test_after_a_crash_on_a_full_disk_the_index_is_opened_with_what_was_kept_for_it(self):
        self.serve(free_space_floor="3MiB")
        for number in range(60):
            self.put("generic/d%d/x" % number, b"%d" % number)
        self.server.kill()
        reserve = os.path.join(self.disk, "data", "reserve")  # the daemon makes none on so small a disk
        with open(reserve, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, 4 << 20)
        self.fill_up(1 << 20)
        self.serve(free_space_floor="3MiB")
        self.assertFalse(os.path.exists(reserve))
        self.assertIn("kept in reserve", self.server.log())
        for number in range(60):
            self.assertEqual(self.server.get("/generic/d%d/x" % number).body, b"%d" % number)

    def test_fsck_leaves_a_daemon_its_reserve_and_has_it_to_rebuild_the_index_after_a_crash(self):
        self.serve(free_space_floor="3MiB")
        for number in range(20):
            self.put("generic/d%d/x" % number, b"%d" % number)
        data = os.path.join(self.disk, "data")
        reserve = os.path.join(data, "reserve")
        with open(reserve, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, 4 << 20)
        self.fill_up(1 << 20)
        fsck = [harness.LARDERD, "--allow-root", "fsck", data]
        self.assertNotEqual(harness.run_tool(*fsck).returncode, 0)
        self.assertTrue(os.path.exists(reserve))
        self.server.kill()
        alone = harness.run_tool(*fsck, "--rebuild-index")
        self.assertIn("the index was moved to", alone.stdout)
        self.assertIn("20 objects", alone.stdout)
        self.assertFalse(os.path.exists(reserve))

    def test_the_daemon_keeps_inodes_free(self):
        self.serve(free_inode_floor=100)
        for number in range(60):
            self.put("sstate-cache/d%d/x" % number, b"%d" % number)
        self.leave_inodes(150)
        wait_until(lambda: self.free_inodes() >= 200, "it evicts")
        self.put("sstate-cache/new/x", b"new")
        stat = json.loads(self.server.get("/-/v1/stat").body)
        self.assertEqual(stat["disk_total_inodes"], 800)
        wait_until(lambda: b"larder_disk_free_inodes %d\n" % self.free_inodes() in self.server.get("/-/metrics").body,
                   "metrics tell of it")

    def test_an_upload_is_refused_when_too_few_inodes_are_left(self):
        self.serve(free_inode_floor=100)  # and generic gives nothing up by itself
        self.leave_inodes(101)
        refused = self.server.put("/generic/new/x", b"new")
        self.assertEqual(refused.status, 507)
        self.assertIn("free_inode_floor", json.loads(refused.body)["detail"])


if __name__ == "__main__":
    unittest.main()

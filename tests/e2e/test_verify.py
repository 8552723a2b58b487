"""What damage does: `larder verify`, the daemon's own check, and `larderd fsck`."""
import json
import os
import subprocess
import threading
import unittest

import harness
from harness import LarderTest, sha256, wait_until

NAME = "/sstate-cache/ab/cd/sstate:x.siginfo"
CONTENT = b"what was stored " * 1000


def flip(path, offset=100):
    """One bit, behind everybody's back; the inode and its mode stay."""
    mode = os.stat(path).st_mode
    os.chmod(path, 0o644)
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))
    os.chmod(path, mode & 0o777)


def object_path(data, content):
    digest = sha256(content)
    return os.path.join(data, "objects", digest[:2], digest)


def files_below(directory):
    return sorted(os.path.relpath(os.path.join(base, name), directory)
                  for base, _, names in os.walk(directory) for name in names)


class Verifying(LarderTest):
    with_server = False

    def filled(self, config=None, count=0):
        server = self.own_server(config)
        self.assertEqual(server.put(NAME, CONTENT).status, 201)
        self.assertEqual(server.put("/downloads/a-1.0.bin", b"another").status, 201)
        for number in range(count):
            self.assertEqual(server.put("/downloads/n%03d" % number, b"%d" % number * 2000).status, 201)
        return server

    def verify(self, server, *arguments, expect):
        done = server.client("verify", "--json", *arguments, expect=expect)
        events = [json.loads(line) for line in done.stdout.splitlines()]
        return [event for event in events if "defect" in event], events[-1]

    def fsck(self, data, *arguments, expect):
        done = subprocess.run([harness.LARDERD, "fsck", data, *arguments], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120)
        self.assertEqual(done.returncode, expect, done.stdout[-3000:])
        return done.stdout

    def test_a_flipped_bit_is_found_and_never_served_again(self):
        server = self.filled()
        defects, last = self.verify(server, expect=0)
        self.assertEqual(defects, [])
        self.assertTrue(last["done"] and last["complete"])
        self.assertEqual((last["names"], last["objects"], last["hashed"]), (2, 2, 2))

        flip(object_path(server.data, CONTENT))
        done = server.client("verify", expect=1)
        self.assertIn("sstate:x.siginfo: corrupt", done.stderr)
        self.assertIn("quarantined", done.stderr)
        self.assertIn("1 dealt with, 0 left", done.stdout)
        self.assertEqual(server.get(NAME).status, 404)
        self.assertEqual(server.get("/downloads/a-1.0.bin").body, b"another")
        quarantine = files_below(os.path.join(server.data, "quarantine"))
        self.assertTrue(any(path.endswith(NAME) for path in quarantine), quarantine)
        self.assertIn("-ab/cd/sstate:x.siginfo", server.get("/sstate-cache/index.txt?since=0").lines())

        self.verify(server, expect=0)
        self.assertEqual(server.put(NAME, CONTENT).status, 201)
        self.assertEqual(server.get(NAME).body, CONTENT)
        self.verify(server, expect=0)
        _, last = self.verify(server, "--sample", "100%", expect=0)
        self.assertEqual(last["hashed"], 2)
        self.verify(server, "--sample", "10%", expect=0)
        quiet = server.client("verify", "--time-budget", "30m", "--rate", "50MiB", "--quiet")
        self.assertEqual((quiet.stdout, quiet.stderr), ("", ""))
        self.assertEqual(server.stop(), 0)
        server.start()
        self.assertEqual(server.get(NAME).body, CONTENT)
        self.assertEqual(server.stop(), 0)

    def test_what_is_wrong_with_the_structure_is_told_and_mended_when_asked(self):
        server = self.filled(count=3)
        os.chmod(object_path(server.data, CONTENT), 0o644)
        os.unlink(os.path.join(server.data, "tree/downloads/n000"))
        os.unlink(object_path(server.data, b"1" * 2000))
        harness.write_file(os.path.join(server.data, "tree/downloads/foreign"), b"put here by hand")
        defects, _ = self.verify(server, "--quick", expect=1)
        self.assertEqual(sorted(event["defect"] for event in defects),
                         ["lost_object", "orphan", "stale_row", "unknown_file", "wrong_mode"])
        mended = [event["defect"] for event in defects if "action" in event]
        self.assertEqual(mended, ["orphan"])  # nobody can miss it
        self.assertEqual(server.get("/downloads/foreign").status, 404)
        self.assertEqual(server.get("/downloads/n001").body, b"1" * 2000)

        self.verify(server, "--quick", "--repair", expect=1)
        self.verify(server, expect=0)
        self.assertEqual(server.get("/downloads/foreign").body, b"put here by hand")
        self.assertEqual(os.stat(object_path(server.data, CONTENT)).st_mode & 0o777, 0o444)
        self.assertTrue(os.path.exists(object_path(server.data, b"1" * 2000)))
        self.assertEqual(server.stop(), 0)

    def test_an_archive_that_cannot_be_read_to_its_end(self):
        server = self.filled()
        name = "/sstate-cache/ab/cd/sstate:broken.tar.zst"
        self.assertEqual(server.put(name, b"no archive at all").status, 201)
        defects, _ = self.verify(server, expect=1)
        self.assertEqual([event["defect"] for event in defects], ["broken_archive"])
        self.assertEqual(server.get(name).status, 200)  # its bytes are as they came
        self.verify(server, "--repair", expect=1)
        self.assertEqual(server.get(name).status, 404)
        self.verify(server, expect=0)
        self.assertEqual(server.stop(), 0)

    def test_a_run_bound_by_time_is_gone_on_from(self):
        server = self.filled(count=60)
        flip(object_path(server.data, b"41" * 2000))
        bound = ("--time-budget", "300ms", "--rate", "100KiB")
        runs = 0
        found = []
        while True:
            done = server.client("verify", "--json", *bound, expect=None)
            events = [json.loads(line) for line in done.stdout.splitlines()]
            defects = [event for event in events if "defect" in event]
            self.assertEqual(done.returncode, 1 if defects else 0)
            found += defects
            self.assertEqual(events[-1]["resumed"], runs > 0)
            runs += 1
            if runs == 2:
                self.assertEqual(server.stop(), 0)
                server.start()
            if events[-1]["complete"]:
                break
            self.assertLess(runs, 60)
        self.assertGreater(runs, 2)
        self.assertEqual(len(found), 1)
        self.assertEqual(events[-1]["hashed"], 62)
        self.assertEqual(server.stop(), 0)

    def test_one_check_at_a_time_and_who_may_ask(self):
        server = self.filled(count=20)
        slow = threading.Thread(target=lambda: server.client("verify", "--rate", "20KiB", expect=None))
        slow.start()
        wait_until(lambda: server.stat()["scrub"]["running"], "the check begins")
        refused = server.request("POST", "/-/v1/verify?level=quick", body=b"")
        self.assertEqual((refused.status, refused.json()["code"]), (409, "busy"))
        slow.join()
        for query in ("level=all", "sample=0", "sample=200%25", "time_budget=soon", "rate=fast"):
            self.assertEqual(server.request("POST", "/-/v1/verify?" + query, body=b"").status, 400, query)
        self.assertEqual(server.get("/-/v1/verify").status, 405)
        self.assertEqual(server.client("verify", "--quick", "--sample", "10%", expect=None).returncode, 2)
        self.assertEqual(server.client("verify", "--rate", "fast", expect=None).returncode, 2)
        self.assertEqual(server.stop(), 0)

        closed = self.own_server({"write": "nobody"})
        self.assertEqual(closed.request("POST", "/-/v1/verify", body=b"").status, 403)
        closed.client("verify", expect=3)
        self.assertEqual(closed.stop(), 0)

    def test_the_daemon_checks_by_itself(self):
        server = self.filled({"scrub": {"rate": "10MiB", "period": "1s"}})
        wait_until(lambda: server.stat()["scrub"]["finished"] > 0, "a pass is complete")
        flip(object_path(server.data, CONTENT))
        wait_until(lambda: server.get(NAME).status == 404, "the damage is noticed")
        wait_until(lambda: "corrupt" in server.log(), "the log tells of it")
        wait_until(lambda: "larder_scrub_last_complete_seconds" in server.get("/-/metrics").body.decode(), "metrics")
        self.assertIn("checked", server.client("stat").stdout)
        self.verify(server, expect=0)  # makes way
        self.assertEqual(server.stop(), 0)

    def test_fsck_without_a_daemon(self):
        server = self.filled(count=3)
        self.fsck(server.data, expect=1)  # the daemon has it
        self.assertEqual(server.get(NAME).body, CONTENT)
        self.assertEqual(server.stop(), 0)
        self.fsck(server.data, expect=0)
        flip(object_path(server.data, CONTENT))
        self.fsck(server.data, "--quick", expect=0)
        self.assertIn("corrupt", self.fsck(server.data, expect=1))
        self.fsck(server.data, expect=0)
        self.fsck(os.path.join(self.work, "nothing"), expect=1)
        self.assertFalse(os.path.exists(os.path.join(self.work, "nothing")))
        server.start()
        self.assertEqual(server.get(NAME).status, 404)
        self.assertEqual(server.stop(), 0)

    def test_fsck_makes_the_index_anew_from_the_tree(self):
        server = self.filled(count=3)
        names = server.index("downloads")
        self.assertEqual(server.stop(), 0)
        index = os.path.join(server.data, "index")
        for name in os.listdir(index):
            if name == "CURRENT" or name.startswith("MANIFEST"):
                harness.write_file(os.path.join(index, name), b"rubbish")
        self.fsck(server.data, expect=1)
        flip(object_path(server.data, b"1" * 2000))
        self.assertIn("1 damaged", self.fsck(server.data, "--rebuild-index", expect=1))
        self.fsck(server.data, expect=0)
        server.start()
        self.assertEqual(server.index("downloads"), [name for name in names if name != "n001"])
        self.assertEqual(server.get("/downloads/n001").status, 404)
        self.assertEqual(server.get(NAME).body, CONTENT)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()

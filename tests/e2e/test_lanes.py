"""Trust lanes: builds of pull requests read what is trusted, and write beside it."""
import ftplib
import io
import json
import os
import unittest

from harness import LARDERD, LarderTest, quoted, run_tool, wait_until, write_file

HASH = "a" * 64
ARCHIVE = "aa/aa/sstate:busybox:core2-64-poky-linux:1.0:r0:core2-64:14:%s_package.tar.zst" % HASH
NAMESPACES = [{"name": "sstate-cache", "kind": "sstate"},
              {"name": "sstate-pr", "kind": "sstate", "overlay": "sstate-cache"}]


class Lanes(LarderTest):
    config = {"namespaces": NAMESPACES, "lease": 0, "grace_period": 0}

    def setUp(self):
        self.own_server(self.config)

    def put(self, name, content, headers=None):
        return self.server.put("/" + quoted(name), content, headers).status

    def get(self, name):
        answer = self.server.get("/" + quoted(name))
        return answer.body if answer.status == 200 else answer.status

    def test_reads_fall_through_and_writes_stay(self):
        self.put("sstate-cache/trusted", b"trusted")
        self.assertEqual(self.get("sstate-pr/trusted"), b"trusted")
        self.assertEqual(self.server.head("/sstate-pr/trusted").headers["Content-Length"], "7")
        self.assertEqual(self.put("sstate-pr/" + ARCHIVE, b"new"), 201)
        self.assertEqual(self.get("sstate-pr/" + ARCHIVE), b"new")
        self.assertEqual(self.get("sstate-cache/" + ARCHIVE), 404)
        body = ("trusted\n%s\nnothing\n" % ARCHIVE).encode()
        missing = self.server.request("POST", "/-/v1/find-missing?namespace=sstate-pr", body).lines()
        self.assertEqual(missing, ["nothing"])
        missing = self.server.request("POST", "/-/v1/find-missing?namespace=sstate-cache", body).lines()
        self.assertEqual(missing, [ARCHIVE, "nothing"])
        self.assertEqual(self.server.index("sstate-pr"), [ARCHIVE])  # what the lane adds
        self.assertEqual(self.server.index("sstate-cache"), ["trusted"])

    def test_ftp_falls_through_as_http_does(self):
        self.put("sstate-cache/aa/bb/trusted", b"trusted")
        with ftplib.FTP() as ftp:
            ftp.connect("127.0.0.1", self.server.ftp_port)
            ftp.login()
            ftp.voidcmd("TYPE I")
            ftp.cwd("/sstate-pr/aa/bb")
            self.assertEqual(ftp.size("trusted"), 7)
            got = io.BytesIO()
            ftp.retrbinary("RETR trusted", got.write)
            self.assertEqual(got.getvalue(), b"trusted")
            ftp.storbinary("STOR /sstate-pr/new", io.BytesIO(b"new"))
        self.assertEqual(self.get("sstate-pr/new"), b"new")
        self.assertEqual(self.get("sstate-cache/new"), 404)

    def test_a_directory_of_the_trusted_namespace_is_an_empty_one_in_the_lane(self):
        self.put("sstate-cache/aa/bb/trusted", b"trusted")
        self.put("sstate-pr/cc/own", b"own")
        json_please = {"Accept": "application/json"}
        for directory in ("aa/", "aa/bb/"):
            answer = self.server.get("/sstate-pr/" + directory, json_please)
            self.assertEqual((answer.status, answer.status == 200 and answer.json()["entries"]), (200, []), directory)
        self.assertEqual(self.server.request("PROPFIND", "/sstate-pr/aa/bb/", None, {"Depth": "1"}).status, 207)
        self.assertEqual(self.server.get("/sstate-pr/dd/", json_please).status, 404)
        self.assertEqual([each["name"] for each in self.server.get("/sstate-pr/", json_please).json()["entries"]], ["cc"])
        with ftplib.FTP() as ftp:
            ftp.connect("127.0.0.1", self.server.ftp_port)
            ftp.login()
            ftp.cwd("/sstate-pr/aa")
            self.assertEqual(ftp.nlst(), [])
            self.assertEqual(ftp.nlst("/sstate-pr/aa/bb"), [])
            self.assertEqual(list(ftp.mlsd("/sstate-pr/aa/bb")), [])
            with self.assertRaisesRegex(ftplib.error_perm, "^550 "):
                ftp.nlst("/sstate-pr/dd")

    def test_a_trusted_name_keeps_its_content_in_the_lane(self):
        self.put("sstate-cache/" + ARCHIVE, b"trusted")
        self.assertEqual(self.put("sstate-pr/" + ARCHIVE, b"trusted"), 200)
        self.assertEqual(self.put("sstate-pr/" + ARCHIVE, b"other"), 409)
        self.assertEqual(self.get("sstate-pr/" + ARCHIVE), b"trusted")
        self.assertEqual(self.server.index("sstate-pr"), [])
        self.assertEqual(self.server.request("DELETE", "/" + quoted("sstate-pr/" + ARCHIVE)).status, 204)
        self.assertEqual(self.get("sstate-cache/" + ARCHIVE), b"trusted")

    def test_what_is_read_through_a_lane_counts_as_used(self):
        self.server.kill()
        self.own_server({**self.config, "lease": "1h"})
        self.put("sstate-cache/read", b"read")
        self.put("sstate-cache/not", b"not")
        self.get("sstate-pr/read")
        done = self.server.client("prune", "sstate-cache", "--match", "*", "--list", "--json")
        names = [json.loads(line).get("path") for line in done.stdout.splitlines()]
        self.assertIn("sstate-cache/not", names)
        self.assertNotIn("sstate-cache/read", names)

    def test_promoting_after_a_green_build(self):
        tree = os.path.join(self.temporary_directory(), "sstate")
        write_file(os.path.join(tree, ARCHIVE), b"archive")
        write_file(os.path.join(tree, ARCHIVE + ".siginfo"), b"siginfo")
        for name in os.listdir(os.path.join(tree, "aa/aa")):
            os.chmod(os.path.join(tree, "aa/aa", name), 0o644)
        self.server.client("seed", "--no-verify", "--namespace", "sstate-pr", "--build", "4711", tree)
        self.put("sstate-pr/of-another-build", b"x", {"Larder-Build": "4712"})
        plan = self.server.client("promote", "sstate-pr", "--build", "4711", "--list")
        self.assertIn("2 names", plan.stdout)
        self.assertIn("Nothing has been promoted; --yes", plan.stdout)
        self.assertEqual(self.server.index("sstate-cache"), [])
        self.server.client("promote", "sstate-pr", "--build", "4711", "--yes")
        self.assertEqual(self.server.index("sstate-cache"), [ARCHIVE, ARCHIVE + ".siginfo"])
        self.assertEqual(self.get("sstate-cache/" + ARCHIVE), b"archive")
        objects = os.path.join(self.server.data, "tree", "sstate-cache", ARCHIVE)
        self.assertEqual(os.stat(objects).st_nlink, 3)  # the object and two names
        line = self.server.client("log", "--action", "promote", "-n", "1").stdout
        self.assertIn("from sstate-pr, stored there by 127.0.0.1", line)
        self.assertIn("0 names", self.server.client("promote", "sstate-pr", "--build", "4711", "--yes").stdout)

    def test_a_conflict_is_reported_and_held_back(self):
        self.put("sstate-pr/" + ARCHIVE, b"of the lane")
        self.put("sstate-pr/" + ARCHIVE + ".siginfo", b"siginfo")
        self.put("sstate-cache/" + ARCHIVE, b"came meanwhile")
        done = self.server.client("promote", "sstate-pr", "--yes", expect=1)
        self.assertIn("1 conflicts", done.stdout)
        self.assertIn("sstate-cache/%s holds other bytes" % ARCHIVE, done.stdout)
        self.assertEqual(self.server.index("sstate-cache"), [ARCHIVE])
        self.assertEqual(self.get("sstate-pr/" + ARCHIVE), b"of the lane")

    def test_a_group_is_not_promoted_for_one_members_uploader(self):
        self.put("sstate-pr/" + ARCHIVE, b"not of the build", {"Larder-Build": "4710"})
        self.put("sstate-pr/" + ARCHIVE + ".siginfo", b"siginfo", {"Larder-Build": "4711"})
        done = self.server.client("promote", "sstate-pr", "--build", "4711", "--yes", expect=1)
        self.assertIn("%s: was not stored by build 4711" % ARCHIVE, done.stdout)
        self.assertIn("2 held back", done.stdout)
        done = self.server.client("promote", "sstate-pr", "--uploaded-by", "127.0.0.2", "--yes")
        self.assertIn("0 names", done.stdout)
        self.assertEqual(self.server.index("sstate-cache"), [])

    def test_only_lanes_are_promoted(self):
        self.assertIn("is no lane", self.server.client("promote", "sstate-cache", expect=3).stderr)
        self.server.client("promote", "nothing", expect=1)


class LanesWithTokens(LarderTest):
    config = {"namespaces": NAMESPACES, "access": {"anonymous": {"read": ["sstate-cache"], "admin": ["none"]}}}

    def test_a_builder_of_pull_requests_writes_its_lane_and_nothing_else(self):
        # This machine may read and write what is trusted; the lane is for those with a token.
        made = run_tool(LARDERD, "--config", os.path.join(self.server.work, "larderd.yaml"), "--data", self.server.data,
                        "token", "create", "--name", "ci-pr", "--can", "read,write", "--namespace", "sstate-pr")
        builder = {"Authorization": "Bearer " + made.stdout.split()[-1 if made.stdout.startswith("This") else 0]}
        wait_until(lambda: self.server.get("/sstate-pr/x", builder).status == 404, "the daemon notices the token")
        self.server.put("/sstate-cache/trusted", b"trusted")
        self.assertEqual(self.server.put("/sstate-pr/new", b"new", builder).status, 201)
        self.assertEqual(self.server.get("/sstate-pr/new", builder).body, b"new")
        self.assertEqual(self.server.get("/sstate-pr/trusted", builder).body, b"trusted")
        for name in ("new", "trusted", "nothing"):
            self.assertEqual(self.server.get("/sstate-pr/" + name).status, 401)


class WrongLanes(LarderTest):
    with_server = False

    def test_check_config_names_what_is_wrong_with_a_lane(self):
        for overlay, kind, complaint in (("nothing", "sstate", "no 'nothing'"), ("sstate-pr", "sstate", "itself"),
                                         ("downloads", "sstate", "of one kind"),
                                         ("sstate-dev", "sstate", "one level is all")):
            file = os.path.join(self.temporary_directory(), "c.yaml")
            text = json.dumps({"namespaces": [
                {"name": "sstate-cache", "kind": "sstate"}, {"name": "downloads", "kind": "downloads"},
                {"name": "sstate-dev", "kind": "sstate", "overlay": "sstate-cache"},
                {"name": "sstate-pr", "kind": kind, "overlay": overlay}]})
            write_file(file, text.encode())
            done = run_tool(LARDERD, "check-config", file)
            self.assertEqual(done.returncode, 1)
            self.assertIn(complaint, done.stdout)


if __name__ == "__main__":
    unittest.main()

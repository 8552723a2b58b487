"""BitBake's own fetcher against a running larderd, when there is a checkout:
BITBAKE_DIR names it. tests/support/bb_client.py drives the fetcher as the
classes do, without a build."""
import json
import os
import shutil
import subprocess
import sys
import unittest

import harness
from harness import LarderTest, SampleTree, flat_and_nested, needs, sha256_of_file

BB_CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support", "bb_client.py")


@unittest.skipUnless(os.environ.get("BITBAKE_DIR"), "BITBAKE_DIR is not set: no checkout of BitBake to test with")
class BitBake(LarderTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sstate = SampleTree("sstate", os.path.join(cls.work, "sstate"), "--objects", "150", "--median-size", "6KiB")
        cls.downloads = SampleTree("downloads", os.path.join(cls.work, "downloads"), "--objects", "28",
                                   "--median-size", "30KiB")
        cls.server.client("seed", cls.sstate.directory)
        cls.server.client("seed", "--namespace", "downloads", cls.downloads.directory)

    def drive(self, *arguments, expect=0, names=()):
        """Runs the driver; returns its lines and the summary."""
        # Plain http needs no certificates; BitBake loads the whole bundle for each check otherwise.
        done = subprocess.run([sys.executable, BB_CLIENT, "--set", "BB_CHECK_SSL_CERTS=0", *arguments],
                              input="".join(name + "\n" for name in names), text=True, timeout=200,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, "HOME": self.work, "http_proxy": ""})
        if expect is not None:
            self.assertEqual(done.returncode, expect, done.stdout[-2000:] + done.stderr[-2000:])
        lines = done.stdout.splitlines()
        return lines[:-1], json.loads(lines[-1])

    def archives(self):
        return [name for name in self.sstate.taken() if name.endswith((".tar.zst", ".tgz"))]

    def test_the_availability_check_finds_what_is_there_and_only_that(self):
        wanted = self.archives()
        absent = [name[:-3] + "xyz" for name in wanted[:20]]
        base = self.server.url + "/sstate-cache"
        lines, summary = self.drive("check", "-j", "8", base, "-", names=wanted + absent, expect=1)
        self.assertEqual((summary["hit"], summary["miss"], summary["errors"]), (len(wanted), len(absent), 0))
        self.assertEqual({line[5:] for line in lines if line.startswith("miss ")}, set(absent))

    def test_setscene_fetches_bring_every_byte(self):
        wanted = [name for name in self.archives() if len(os.path.basename(name)) <= 200][:15]
        store = os.path.join(self.temporary_directory(), "sstate")
        lines, _ = self.drive("get", "-s", store, "--siginfo", self.server.url + "/sstate-cache", "-", names=wanted)
        got = {}
        for line in lines:
            verb, name, _, digest = line.split(" ")
            self.assertEqual(verb, "got", line)
            got[name] = digest
        taken = self.sstate.taken()
        self.assertEqual(got, {name: taken[name][0] for each in wanted for name in (each, each + ".siginfo")})

    def test_an_ftp_mirror_is_checked_and_fetched_from_like_one_of_http(self):
        wanted = [name for name in self.archives() if len(os.path.basename(name)) <= 200][:20]
        absent = [name[:-3] + "xyz" for name in wanted[:5]] + ["zz/" + name for name in wanted[:5]]
        base = self.server.ftp_url + "/sstate-cache"
        before = self.server.namespace_stat("sstate-cache")
        lines, summary = self.drive("check", "-j", "4", base, "-", names=wanted + absent, expect=1)
        self.assertEqual((summary["hit"], summary["miss"], summary["errors"]), (len(wanted), len(absent), 0))
        self.assertEqual({line[5:] for line in lines if line.startswith("miss ")}, set(absent))
        after = self.server.namespace_stat("sstate-cache")
        self.assertEqual(after["hits"] - before["hits"], len(wanted))

        store = os.path.join(self.temporary_directory(), "sstate")
        lines, _ = self.drive("get", "-s", store, "--siginfo", base, "-", names=wanted)
        got = {line.split(" ")[1]: line.split(" ")[3] for line in lines if line.startswith("got ")}
        taken = self.sstate.taken()
        self.assertEqual(got, {name: taken[name][0] for each in wanted for name in (each, each + ".siginfo")})

    def test_a_leftover_of_a_broken_fetch_is_completed(self):
        name = max((name for name in self.archives() if len(name) < 200), key=lambda name: self.sstate.taken()[name][1])
        store = os.path.join(self.temporary_directory(), "sstate")
        half = harness.read_file(self.sstate.file(name))[:1000]
        harness.write_file(os.path.join(store, name + ".tmp"), half)
        self.drive("get", "-s", store, self.server.url + "/sstate-cache", name)
        self.assertEqual(sha256_of_file(os.path.join(store, name)), self.sstate.taken()[name][0])

    def test_a_missing_object_is_lost_and_leaves_no_object(self):
        store = os.path.join(self.temporary_directory(), "sstate")
        name = "ab/cd/sstate:none::1.0:r0::14:%064d_populate_lic.tar.zst" % 0
        lines, summary = self.drive("get", "-s", store, self.server.url + "/sstate-cache", name, expect=1)
        self.assertEqual(summary["got"], 0)
        self.assertTrue(lines[0].startswith("lost "))

    def test_sources_come_from_the_premirror_alone(self):
        plain = [name for name in flat_and_nested(self.downloads.taken())
                 if "/" not in name and not name.startswith(("git", "hg_")) and "@" not in name]
        uris = ["https://nowhere.invalid/some/path/%s;sha256sum=%s" % (name, flat_and_nested(self.downloads.taken())[name][0])
                for name in plain]
        dl = os.path.join(self.temporary_directory(), "dl")
        lines, summary = self.drive("src", "-d", dl, "-m", self.server.url + "/downloads", "--premirror-only", *uris)
        self.assertEqual(summary["got"], len(uris))
        for name in plain:
            self.assertEqual(sha256_of_file(os.path.join(dl, name)), flat_and_nested(self.downloads.taken())[name][0])

    def test_checkuri_and_missing_sources(self):
        name = next(name for name in self.downloads.taken() if name.endswith(".patch"))
        base = self.server.url + "/downloads"
        self.drive("src", "-m", base, "--premirror-only", "--check-only", "https://nowhere.invalid/" + name)
        self.drive("src", "-m", base, "--premirror-only", "https://nowhere.invalid/not-there-1.0.tar.gz", expect=1)

    @needs("git")
    def test_a_git_repository_comes_as_a_mirror_tarball(self):
        work = self.temporary_directory()
        source, bare = os.path.join(work, "source"), os.path.join(work, "bare")
        environment = {**os.environ, "HOME": work, "GIT_CONFIG_NOSYSTEM": "1"}
        for name in ("AUTHOR", "COMMITTER"):
            environment.update({"GIT_%s_NAME" % name: "Test", "GIT_%s_EMAIL" % name: "test@example.org"})

        def git(*arguments):
            return subprocess.run(["git", *arguments], env=environment, check=True, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout.strip()

        git("init", "--quiet", "--initial-branch=main", source)
        harness.write_file(os.path.join(source, "file"), b"content\n")
        git("-C", source, "add", "file")
        git("-C", source, "commit", "--quiet", "--message=first")
        revision = git("-C", source, "rev-parse", "HEAD")
        git("clone", "--quiet", "--bare", "--mirror", source, bare)
        tarball = shutil.make_archive(os.path.join(work, "mirror"), "gztar", bare)
        target = "/downloads/git2_git.example.invalid.team.repo.git.tar.gz"
        self.assertEqual(self.server.put(target, harness.read_file(tarball)).status, 201)

        uri = "git://git.example.invalid/team/repo.git;protocol=https;branch=main"
        dl = os.path.join(work, "dl")
        _, summary = self.drive("src", "-d", dl, "-m", self.server.url + "/downloads", "--premirror-only",
                                "--srcrev", revision, uri)
        self.assertEqual(summary["got"], 1)
        clone = os.path.join(dl, "git2", "git.example.invalid.team.repo.git")
        self.assertEqual(git("-C", clone, "-c", "safe.directory=*", "rev-parse", "main"), revision)

    def test_a_subversion_mirror_does_not_take_a_listing_for_a_source_archive(self):
        base = self.server.url + "/downloads"
        dl = os.path.join(self.temporary_directory(), "dl")
        lines, summary = self.drive("src", "-d", dl, "-m", base, "--premirror-only",
                                    "svn://svn.example.invalid/repo;module=trunk;protocol=https", expect=None)
        self.assertEqual(summary["got"], 0, lines)


if __name__ == "__main__":
    unittest.main()

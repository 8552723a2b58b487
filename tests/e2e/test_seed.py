"""Fill a mirror from a build's directories; then every client finds everything."""
import json
import os
import signal
import subprocess
import time
import unittest

import harness
from harness import LarderTest, SampleTree, flat_and_nested, needs, quoted, run_tool, sha256_of_file
from proxy import Proxy


class SeedAndFetch(LarderTest):
    """One server, filled once from an SSTATE_DIR and a DL_DIR full of what builds leave behind."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sstate = SampleTree("sstate", os.path.join(cls.work, "sstate"), "--objects", "400",
                                "--median-size", "6KiB", "--junk")
        cls.downloads = SampleTree("downloads", os.path.join(cls.work, "downloads"), "--objects", "42",
                                   "--median-size", "30KiB", "--junk")
        # 1: something is left over that ought to be there, the corrupt archives.
        done = cls.server.client("seed", cls.sstate.directory, "--json", "--verbose", expect=1)
        cls.first = json.loads(done.stdout)
        cls.server.client("seed", "--namespace", "downloads", cls.downloads.directory)
        cls.expected = {"sstate-cache": cls.sstate.taken(), "downloads": flat_and_nested(cls.downloads.taken())}

    def a_few(self, namespace="sstate-cache", count=30):
        """Some names of the namespace, the longest one and odd ones among them."""
        names = sorted(self.expected[namespace])
        odd = [name for name in names if "+" in name or "~" in name or "::" in name][:10]
        return sorted({max(names, key=lambda name: len(os.path.basename(name))), *odd, *names[::len(names) // count]})

    def test_every_object_is_served_byte_for_byte_and_nothing_else(self):
        for namespace, names in self.expected.items():
            with self.subTest(namespace):
                self.assert_served(self.server, namespace, names)
                self.assertEqual(self.server.index(namespace), sorted(names))

    def test_corrupt_archives_are_reported_by_name_and_not_sent(self):
        corrupt = self.sstate.paths("corrupt")
        self.assertEqual({each["path"] for each in self.first["corrupt"]}, set(corrupt))
        for path in corrupt:
            self.assertEqual(self.server.head("/sstate-cache/" + quoted(path)).status, 404)

    def test_the_summary_counts_what_was_sent_and_says_why_the_rest_was_not(self):
        self.assertEqual(self.first["sent"], len(self.expected["sstate-cache"]))
        self.assertEqual(self.first["present"], 0)
        self.assertEqual(self.first["failed"], [])
        self.assertEqual(self.first["conflicts"], [])
        skipped = {each["path"]: each["reason"] for each in self.first["skipped_names"]}
        for path in self.sstate.paths("skip"):
            # A directory that is left out stands for all below it.
            above = {path[:end + 1] for end, letter in enumerate(path) if letter == "/"}
            self.assertTrue(path in skipped or above & set(skipped), path)
        self.assertTrue(all(skipped.values()))

    def test_a_head_storm_as_bitbake_sends_it_stays_on_one_connection(self):
        # Every miss is asked for twice, on the same connection.
        connection = self.server.connection()
        headers = {"Accept-Encoding": "identity", "User-Agent": "bitbake/2.19.0", "Connection": "Keep-Alive"}
        socket_used = None
        for name in sorted(self.expected["sstate-cache"]):
            gone = name[:-1] + "?"  # as long as the name itself
            for target, status in ((name, 200), (gone, 404), (gone, 404)):
                answer = self.server.head("/sstate-cache/" + quoted(target), headers, connection)
                self.assertEqual(answer.status, status, target)
                self.assertEqual(answer.body, b"")
                socket_used = socket_used or connection.sock
                self.assertIs(connection.sock, socket_used, "the connection was closed after %d" % answer.status)
        connection.close()

    @needs("curl")
    def test_curl_fetches_raw_and_encoded_names(self):
        out = self.temporary_directory()
        lines, files = [], []
        for namespace in self.expected:
            for name in self.a_few(namespace):
                for spelling in (name, quoted(name)):
                    file = os.path.join(out, str(len(files)))
                    files.append((namespace, name, file))
                    lines.append('url = "%s/%s/%s"\noutput = "%s"\n' % (self.server.url, namespace, spelling, file))
        config = os.path.join(out, "config")
        harness.write_file(config, "".join(lines).encode())
        done = run_tool("curl", "--silent", "--show-error", "--fail", "--globoff", "--config", config)
        self.assertEqual(done.returncode, 0, done.stdout)
        for namespace, name, file in files:
            self.assertEqual(sha256_of_file(file), self.expected[namespace][name][0], name)

    @needs("wget")
    def test_wget_fetches_as_bitbake_calls_it(self):
        out = self.temporary_directory()
        for name in self.a_few():
            file = os.path.join(out, "object")
            done = run_tool("wget", "--tries=2", "--timeout=100", "--output-document=" + file + ".tmp", "--continue",
                            "--directory-prefix=" + out, self.server.url + "/sstate-cache/" + quoted(name),
                            "--progress=dot", "--verbose")
            self.assertEqual(done.returncode, 0, done.stdout)
            os.rename(file + ".tmp", file)
            self.assertEqual(sha256_of_file(file), self.expected["sstate-cache"][name][0], name)

    @needs("aria2c")
    def test_aria2c_fetches_in_parallel_pieces(self):
        out = self.temporary_directory()
        names = self.a_few("downloads")
        listing = "".join("%s/downloads/%s\n  out=%d\n" % (self.server.url, quoted(name), number)
                          for number, name in enumerate(names))
        harness.write_file(os.path.join(out, "list"), listing.encode())
        done = run_tool("aria2c", "--quiet", "--no-conf", "--dir", out, "--input-file", os.path.join(out, "list"),
                        "--split=4", "--min-split-size=1M", "--max-connection-per-server=4", "--file-allocation=none")
        self.assertEqual(done.returncode, 0, done.stdout)
        for number, name in enumerate(names):
            self.assertEqual(sha256_of_file(os.path.join(out, str(number))), self.expected["downloads"][name][0], name)

    def test_a_file_named_like_the_list_of_names_is_left_out_and_no_failure(self):
        server = self.own_server()
        source = os.path.join(self.temporary_directory(), "with-index")
        for name in ("index.txt", "a.txt", "d/index.txt"):
            harness.write_file(os.path.join(source, name), name.encode())
        done = server.client("seed", "--namespace", "downloads", "--json", "--verbose", source)
        skipped = json.loads(done.stdout)["skipped_names"]
        self.assertEqual([(each["path"], each["reason"]) for each in skipped], [("index.txt", "reserved-name")])
        self.assertEqual(server.index("downloads"), ["a.txt", "d/index.txt"])

    def test_a_second_seed_sends_nothing_and_is_quick(self):
        before = {name: self.server.namespace_stat(name) for name in self.expected}
        begin = time.monotonic()
        self.server.client("seed", "--namespace", "downloads", self.downloads.directory)
        self.server.client("seed", self.sstate.directory, expect=1)
        self.assertLess(time.monotonic() - begin, 15)
        for name in self.expected:
            after = self.server.namespace_stat(name)
            self.assertEqual(after["uploads"], before[name]["uploads"])
            self.assertEqual(after["duplicates"], before[name]["duplicates"])
            self.assertEqual(after["bytes_received"], before[name]["bytes_received"])

    def test_a_dry_run_sends_nothing(self):
        tree = SampleTree("sstate", os.path.join(self.temporary_directory(), "t"), "--seed", "77", "--objects", "20")
        self.server.client("seed", "--dry-run", tree.directory)
        self.assertEqual(self.server.index("sstate-cache"), sorted(self.expected["sstate-cache"]))

    def test_stat_counts_what_is_there(self):
        stat = json.loads(self.server.client("stat", "--json").stdout)
        for each in stat["namespaces"]:
            names = self.expected[each["name"]]
            self.assertEqual(each["artifacts"], len(names))
            self.assertEqual(each["logical_bytes"], sum(size for _, size in names.values()))
        contents = {digest: size for names in self.expected.values() for digest, size in names.values()}
        self.assertEqual(stat["objects"], len(contents))
        self.assertEqual(stat["logical_bytes"], sum(each["logical_bytes"] for each in stat["namespaces"]))
        self.assertLess(stat["physical_bytes"], stat["logical_bytes"])
        page = self.server.client("stat").stdout
        for word in ("sstate-cache", "downloads"):
            self.assertIn(word, page)

    def test_ls_shows_directories_and_files(self):
        name = self.a_few()[0]
        directory, _, base = name.rpartition("/")
        self.assertIn(base, self.server.client("ls", "sstate-cache/" + directory).stdout)
        self.assertIn("npm2", self.server.client("ls", "downloads").stdout)

    def test_get_writes_a_file_or_standard_output(self):
        name = self.a_few()[0]
        file = os.path.join(self.temporary_directory(), "object")
        self.server.client("get", "sstate-cache/" + name, "--output", file)
        self.assertEqual(sha256_of_file(file), self.expected["sstate-cache"][name][0])
        done = subprocess.run([harness.LARDER, "--server", self.server.url, "get", "sstate-cache/" + name, "--output", "-"],
                              stdout=subprocess.PIPE, timeout=60)
        self.assertEqual(harness.sha256(done.stdout), self.expected["sstate-cache"][name][0])

    def test_get_of_a_missing_name_fails_and_leaves_no_file(self):
        file = os.path.join(self.temporary_directory(), "object")
        done = self.server.client("get", "sstate-cache/no/such/thing", "--output", file, expect=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertFalse(os.path.exists(file))
        self.assertIn("no/such/thing", done.stderr)

    def test_conf_prints_the_lines_for_this_server(self):
        lines = self.server.client("conf").stdout
        self.assertIn("SSTATE_MIRRORS", lines)
        self.assertIn("%s/sstate-cache/PATH;downloadfilename=PATH" % self.server.url, lines)
        self.assertIn(self.server.url + "/downloads", lines)

    def test_an_unreachable_server_is_named_in_the_message(self):
        done = subprocess.run([harness.LARDER, "--server", "http://127.0.0.1:%d" % harness.unused_port(), "stat"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("127.0.0.1", done.stderr)


class BuildrootSeed(LarderTest):
    def test_a_buildroot_download_directory_is_found_both_ways(self):
        tree = SampleTree("downloads", os.path.join(self.work, "dl"), "--objects", "20", "--median-size", "10KiB",
                          "--buildroot", "--junk")
        self.server.client("seed", "--namespace", "downloads", tree.directory)
        self.assert_served(self.server, "downloads", flat_and_nested(tree.taken()))
        for path in tree.paths("skip"):
            self.assertEqual(self.server.head("/downloads/" + quoted(path)).status, 404, path)


class Conflicts(LarderTest):
    def test_other_bytes_under_a_taken_name_are_a_conflict_and_the_first_stay(self):
        tree = SampleTree("sstate", os.path.join(self.work, "tree"), "--objects", "30", "--median-size", "2KiB")
        self.server.client("seed", tree.directory)
        name = next(path for path in tree.taken() if path.endswith(".siginfo"))
        before = self.server.get("/sstate-cache/" + quoted(name)).body
        harness.write_file(tree.file(name), b"rebuilt, with other bytes")

        # A rebuild of one hash differs every time: what has its name is there.
        done = self.server.client("seed", "--json", tree.directory)
        self.assertEqual((json.loads(done.stdout)["present"], json.loads(done.stdout)["conflicts"]), (30, []))

        done = self.server.client("seed", "--json", "--compare", tree.directory, expect=1)
        summary = json.loads(done.stdout)
        self.assertEqual([each["path"] for each in summary["conflicts"]], [name])
        self.assertEqual((summary["sent"], summary["present"]), (0, 29))
        self.assertEqual(self.server.get("/sstate-cache/" + quoted(name)).body, before)

        # Once somebody has removed the old ones, the name is free.
        self.assertEqual(self.server.request("DELETE", "/sstate-cache/" + quoted(name)).status, 204)
        done = self.server.client("seed", "--json", tree.directory)
        self.assertEqual(json.loads(done.stdout)["sent"], 1)
        self.assertEqual(self.server.get("/sstate-cache/" + quoted(name)).body, b"rebuilt, with other bytes")

    def test_a_growing_tarball_is_replaced_by_the_newer_one(self):
        directory = os.path.join(self.work, "dl")
        name = "git2_git.example.org.team.repo.git.tar.gz"
        for content in (b"old", b"newer and longer"):
            harness.write_file(os.path.join(directory, name), content)
            self.server.client("seed", "--no-verify", "--namespace", "downloads", directory)
            self.assertEqual(self.server.get("/downloads/" + name).body, content)


class SmallFilesTogether(LarderTest):
    def seed_through(self, refusal, seed=1):
        tree = SampleTree("sstate", os.path.join(self.work, "tree-%s" % refusal), "--objects", "150",
                          "--median-size", "20KiB", "--seed", str(seed))
        proxy = Proxy(self.server, refusal)
        self.addCleanup(proxy.close)
        before = self.server.namespace_stat("sstate-cache")["artifacts"]
        done = harness.run_tool(harness.LARDER, "--server", proxy.url, "seed", "--json", "--jobs", "2", tree.directory)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout)["sent"], len(tree.taken()))
        self.assertEqual(self.server.namespace_stat("sstate-cache")["artifacts"], before + len(tree.taken()))
        self.assert_served(self.server, "sstate-cache", tree.taken())
        return tree, proxy

    def test_small_files_share_requests_and_large_ones_have_their_own(self):
        tree, proxy = self.seed_through(None)
        small = [name for name in tree.taken() if os.path.getsize(tree.file(name)) <= 64 << 10]
        self.assertEqual(proxy.count("PUT", "/sstate-cache/"), len(tree.taken()) - len(small))
        self.assertLess(proxy.count("POST", "/-/v1/uploads"), len(small) / 5)

    def test_a_full_server_is_asked_no_more(self):
        tree = SampleTree("sstate", os.path.join(self.work, "full"), "--objects", "600", "--median-size", "2KiB",
                          "--seed", "507")
        proxy = Proxy(self.server, 507)
        self.addCleanup(proxy.close)
        done = harness.run_tool(harness.LARDER, "--server", proxy.url, "seed", "--json", "--retry-for", "0s", "--jobs",
                                "2", tree.directory)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("507", json.loads(done.stdout)["stopped"])
        self.assertLessEqual(proxy.count("POST", "/-/v1/uploads"), 2)
        self.assertLess(proxy.count("PUT", "/sstate-cache/"), 10)

    def test_where_that_is_not_known_each_has_its_own(self):
        for refusal in (404, 405, 413):
            with self.subTest(refusal=refusal):
                tree, proxy = self.seed_through(refusal, refusal)
                self.assertEqual(proxy.count("PUT", "/sstate-cache/"), len(tree.taken()))
                self.assertLessEqual(proxy.count("POST", "/-/v1/uploads"), 2)  # one of each worker

    def test_where_such_requests_are_cut_off_each_has_its_own(self):
        tree, proxy = self.seed_through("reset", 7)
        self.assertEqual(proxy.count("PUT", "/sstate-cache/"), len(tree.taken()))
        self.assertLessEqual(proxy.count("POST", "/-/v1/uploads"), 8)  # four; curl asks twice where it had a connection


class KilledWhileSeeding(LarderTest):
    with_server = False

    def begin_seed(self, server, tree, **options):
        seed = harness.start_process([harness.LARDER, "--server", server.url, "seed", "--jobs", "2", tree.directory],
                                     **options)
        self.addCleanup(harness.end_process, seed)
        return seed

    def test_seed_outlives_the_server_and_completes(self):
        tree = SampleTree("sstate", os.path.join(self.work, "tree"), "--objects", "4000", "--median-size", "4KiB")
        server = self.own_server()
        seed = self.begin_seed(server, tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        harness.wait_until(lambda: server.namespace_stat("sstate-cache")["artifacts"] > 100, "the seed is under way")
        server.kill()
        self.assertIsNone(seed.poll(), "the seed was over before the server was killed: make the tree larger")
        server.start()
        output, _ = seed.communicate(timeout=120)
        self.assertEqual(seed.returncode, 0, output[-3000:])
        self.assert_served(server, "sstate-cache", tree.taken())
        self.assertEqual(server.index("sstate-cache"), sorted(tree.taken()))
        self.assertEqual(server.stop(), 0)

    def test_an_interrupted_seed_leaves_nothing_half_and_resumes(self):
        tree = SampleTree("sstate", os.path.join(self.work, "again"), "--objects", "4000", "--median-size", "4KiB")
        server = self.own_server()
        seed = self.begin_seed(server, tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        harness.wait_until(lambda: server.namespace_stat("sstate-cache")["artifacts"] > 100, "the seed is under way")
        seed.send_signal(signal.SIGINT)
        self.assertNotEqual(seed.wait(60), 0)
        there = server.index("sstate-cache")
        taken = tree.taken()
        self.assertLess(len(there), len(taken), "the seed was over before it was interrupted: make the tree larger")
        self.assert_served(server, "sstate-cache", {name: taken[name] for name in there})
        server.client("seed", tree.directory)
        self.assertEqual(server.index("sstate-cache"), sorted(taken))
        self.assertEqual(server.namespace_stat("sstate-cache")["uploads"], len(taken))
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()

"""PUT, DELETE and their kin: what is accepted, what is refused, and when."""
import base64
import hashlib
import os
import subprocess
import unittest

from harness import LarderTest, needs, quoted, run_tool, sha256, wait_until, write_file

MIB = 1 << 20


def sha256_base64(content):
    return base64.b64encode(hashlib.sha256(content).digest()).decode()


class Writing(LarderTest):
    # The daemon may refuse large bodies early: a limit that tests can exceed.
    config = {"http": {"max_object_size": "1MiB"}}

    def name(self):
        """A fresh name for this test."""
        Writing.count = getattr(Writing, "count", 0) + 1
        return "/sstate-cache/%02x/%s" % (Writing.count, self.id().rpartition(".")[2])

    def staged(self):
        return os.listdir(os.path.join(self.server.data, "tmp"))

    def test_new_same_and_other_bytes(self):
        name = self.name()
        self.assertEqual(self.server.put(name, b"one").status, 201)
        self.assertEqual(self.server.put(name, b"one").status, 200)
        refused = self.server.put(name, b"two")
        self.assertEqual(refused.status, 409)
        self.assertEqual(refused.headers["Content-Type"].partition(";")[0], "application/problem+json")
        problem = refused.json()
        self.assertEqual((problem["existing"], problem["offered"]), (sha256(b"one"), sha256(b"two")))
        self.assertEqual(self.server.get(name).body, b"one")

    def test_a_refused_upload_keeps_the_etag_and_the_time(self):
        name = self.name()
        self.server.put(name, b"one")
        before = self.server.head(name).headers
        self.server.put(name, b"two")
        self.server.put(name, b"one")
        after = self.server.head(name).headers
        self.assertEqual((after["ETag"], after["Last-Modified"]), (before["ETag"], before["Last-Modified"]))

    def test_growing_vcs_tarballs_in_downloads_may_be_replaced(self):
        for name in ("git2_git.example.org.a.git.tar.gz", "hg_m_host_path.tar.gz", "sub/gitshallow_x_0123456-1_main.tar.gz"):
            target = "/downloads/" + name
            self.assertEqual(self.server.put(target, b"old").status, 201, name)
            self.assertEqual(self.server.put(target, b"newer").status, 200, name)
            self.assertEqual(self.server.get(target).body, b"newer")
            self.assertEqual(self.server.head(target).headers["ETag"], '"%s"' % sha256(b"newer"))
        self.assertEqual(self.server.put("/downloads/plain-1.0.tar.gz", b"old").status, 201)
        self.assertEqual(self.server.put("/downloads/plain-1.0.tar.gz", b"newer").status, 409)
        self.assertEqual(self.server.put("/sstate-cache/git2_x.tar.gz", b"old").status, 201)
        self.assertEqual(self.server.put("/sstate-cache/git2_x.tar.gz", b"newer").status, 409)

    def test_create_only_puts_get_412_when_the_name_is_taken(self):
        name = self.name()
        only_new = {"If-None-Match": "*"}
        self.assertEqual(self.server.put(name, b"one", only_new).status, 201)
        self.assertEqual(self.server.put(name, b"one", only_new).status, 412)
        self.assertEqual(self.server.put(name, b"two", only_new).status, 412)
        self.assertEqual(self.server.get(name).body, b"one")

    def test_declared_digests_are_held_to(self):
        body = b"some bytes"
        for header, right, wrong in (
            ("X-Checksum-Sha256", sha256(body), sha256(b"others")),
            ("Repr-Digest", "sha-256=:%s:" % sha256_base64(body), "sha-256=:%s:" % sha256_base64(b"others")),
            ("Digest", "SHA-256=" + sha256_base64(body), "SHA-256=" + sha256_base64(b"others")),
        ):
            with self.subTest(header):
                name = self.name()
                self.assertEqual(self.server.put(name, body, {header: wrong}).status, 422)
                self.assertEqual(self.server.get(name).status, 404)
                self.assertEqual(self.server.put(name, body, {header: right}).status, 201)
                self.assertEqual(self.server.get(name).body, body)
        wait_until(lambda: self.staged() == [], "the staged bytes are dropped")

    def test_a_body_that_is_encoded_is_refused(self):
        name = self.name()
        self.assertEqual(self.server.put(name, b"x", {"Content-Encoding": "gzip"}).status, 415)
        self.assertEqual(self.server.get(name).status, 404)

    def test_an_empty_artifact_is_refused(self):
        # BitBake takes an empty file for a failed fetch.
        for target in (self.name(), "/downloads/empty.tar.gz"):
            self.assertEqual(self.server.put(target, b"").status, 400, target)
            self.assertEqual(self.server.get(target).status, 404)

    def test_a_digest_that_is_none_is_a_bad_request(self):
        name = self.name()
        self.assertEqual(self.server.put(name, b"x", {"X-Checksum-Sha256": "abc"}).status, 400)
        self.assertEqual(self.server.get(name).status, 404)

    def test_chunked_bodies(self):
        name = self.name()
        with self.server.raw() as raw:
            raw.send(b"PUT %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % name.encode())
            raw.send(b"3\r\nabc\r\n")
            raw.send(b"A;name=value\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n")
            self.assertEqual(raw.response("PUT").status, 201)
            raw.send(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % name.encode())
            self.assertEqual(raw.response().body, b"abc0123456789")

    def test_a_chunked_body_over_the_limit_is_refused_midway(self):
        name = self.name()
        with self.server.raw() as raw:
            raw.send(b"PUT %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" % name.encode())
            for _ in range(20):
                raw.send(b"10000\r\n" + bytes(0x10000) + b"\r\n")
            self.assertEqual(raw.response("PUT").status, 413)
        self.assertEqual(self.server.get(name).status, 404)
        wait_until(lambda: self.staged() == [], "the staged bytes are dropped")

    def test_the_limit_itself_is_still_accepted(self):
        self.assertEqual(self.server.put(self.name(), bytes(MIB)).status, 201)

    def expect_first_answer(self, head, status):
        """Sends only a head that expects 100-continue; the answer must come without the body."""
        with self.server.raw() as raw:
            raw.send(head)
            answer = raw.response("PUT")
            self.assertEqual(answer.status, status)
            return answer

    def test_expect_100_continue_is_answered_after_the_decision(self):
        name = self.name().encode()
        with self.server.raw() as raw:
            raw.send(b"PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n" % name)
            self.assertEqual(raw.response("PUT").status, 100)
            raw.send(b"one")
            self.assertEqual(raw.response("PUT").status, 201)

        taken = b"PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n" % name
        self.expect_first_answer(taken + b"X-Checksum-Sha256: %s\r\n\r\n" % sha256(b"two").encode(), 409)
        self.expect_first_answer(taken + b"If-None-Match: *\r\n\r\n", 412)
        self.expect_first_answer(b"PUT /sstate-cache/large HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n"
                                 b"Expect: 100-continue\r\n\r\n" % (MIB + 1), 413)
        self.expect_first_answer(b"PUT /sstate-cache/../x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                                 b"Expect: 100-continue\r\n\r\n", 400)
        self.expect_first_answer(b"PUT /nothing/x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n"
                                 b"Expect: 100-continue\r\n\r\n", 404)
        wait_until(lambda: self.staged() == [], "the staged bytes are dropped")

    def put_head(self, name, size, *fields):
        lines = ["PUT %s HTTP/1.1" % name, "Host: x", "Content-Length: %d" % size, *fields]
        return "".join(line + "\r\n" for line in [*lines, ""]).encode()

    def test_a_declared_digest_decides_before_the_body(self):
        name = self.name()
        self.server.put(name, b"one")
        received = self.server.namespace_stat("sstate-cache")["bytes_received"]
        for content, status in ((b"one", 200), (b"two", 409)):
            with self.subTest(status), self.server.raw() as raw:
                raw.send(self.put_head(name, 3, "Expect: 100-continue", "X-Checksum-Sha256: " + sha256(content)))
                answer = raw.response("PUT")
                self.assertEqual((answer.status, answer.headers["Connection"]), (status, "close"))
                self.assertTrue(raw.closed())
                if status == 409:
                    problem = answer.json()
                    self.assertEqual((problem["existing"], problem["offered"]), (sha256(b"one"), sha256(b"two")))
        self.assertEqual(self.server.namespace_stat("sstate-cache")["bytes_received"], received)
        self.assertEqual(self.server.get(name).body, b"one")

    def test_after_an_early_answer_a_small_body_is_read_and_the_connection_kept(self):
        name = self.name()
        self.server.put(name, b"one")
        with self.server.raw() as raw:
            for content, status in ((b"one", 200), (b"two", 409), (b"one", 200)):
                raw.send(self.put_head(name, 3, "X-Checksum-Sha256: " + sha256(content)))
                raw.send(content)
                answer = raw.response("PUT")
                self.assertEqual((answer.status, answer.headers["Connection"]), (status, None))
            raw.send(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % name.encode())
            self.assertEqual(raw.response().body, b"one")

    def test_after_an_early_answer_the_connection_closes_rather_than_to_take_a_large_body(self):
        for size, kept in ((MIB, True), (MIB + 1, False)):
            with self.subTest(size), self.server.raw() as raw:
                raw.send(self.put_head("/unknown-namespace/x", size) + bytes(size))
                answer = raw.response("PUT")
                self.assertEqual((answer.status, answer.headers["Connection"]), (404, None if kept else "close"))
                if kept:
                    raw.send(b"GET /-/health HTTP/1.1\r\nHost: x\r\n\r\n")
                    self.assertEqual(raw.response().status, 200)
                else:
                    self.assertTrue(raw.closed())

    def test_an_early_refusal_reaches_a_client_that_is_still_sending(self):
        # The server must drain or close gracefully: a reset would eat the answer.
        name = self.name()
        self.server.put(name, b"one")
        for size in (MIB, 4 * MIB):
            with self.subTest(size):
                answer = self.server.put(name, bytes(size), {"If-None-Match": "*"})
                self.assertEqual(answer.status, 413 if size > MIB else 412)

    def test_a_body_without_a_length_is_refused(self):
        with self.server.raw() as raw:
            raw.send(b"PUT %s HTTP/1.1\r\nHost: x\r\n\r\n" % self.name().encode())
            self.assertEqual(raw.response("PUT").status, 411)

    def test_a_partial_put_is_refused(self):
        # Stored as if whole, it would be a truncated artifact (RFC 9110, 14.4).
        name = self.name()
        self.assertEqual(self.server.put(name, b"abc", {"Content-Range": "bytes 0-2/10"}).status, 400)
        self.assertEqual(self.server.get(name).status, 404)

    def test_a_name_cannot_be_a_file_and_a_directory(self):
        name = self.name()
        self.assertEqual(self.server.put(name, b"file").status, 201)
        self.assertEqual(self.server.put(name + "/below", b"x").status, 409)
        self.assertEqual(self.server.put(name.rpartition("/")[0], b"x").status, 409)
        self.assertEqual(self.server.get(name).body, b"file")

    def test_puts_that_name_no_artifact_are_refused(self):
        for target, status in (("/", 405), ("/sstate-cache", 405), ("/sstate-cache/", 405), ("/sstate-cache/ab/", 405),
                               ("/unknown-namespace/x", 404), ("/-/health", 405), ("/-/v1/x", 404),
                               ("/@snap/sstate-cache/x", 404), ("/sstate-cache/index.txt", 400),
                               ("/sstate-cache/..", 400), ("/sstate-cache/" + "x" * 256, 400)):
            with self.subTest(target):
                self.assertEqual(self.server.put(target, b"x").status, status)
        self.assertLessEqual(set(os.listdir(os.path.join(self.server.data, "tree"))), {"downloads", "sstate-cache"})

    def test_delete_removes_the_name_and_only_the_name(self):
        name, other = self.name(), self.name()
        self.server.put(name, b"shared")
        self.server.put(other, b"shared")
        answer = self.server.request("DELETE", name)
        self.assertEqual((answer.status, answer.body), (204, b""))
        self.assertEqual(self.server.get(name).status, 404)
        self.assertEqual(self.server.head(name).status, 404)
        self.assertEqual(self.server.get(other).body, b"shared")
        self.assertEqual(self.server.put(name, b"other bytes").status, 201, "a removed name is free again")

    def test_delete_of_what_is_not_there_succeeds_and_changes_nothing(self):
        # isar-sstate deletes some files twice and gives up at the first error.
        name = self.name()
        self.server.put(name, b"x")
        self.assertEqual(self.server.request("DELETE", name).status, 204)
        before = self.server.stat()
        for target in (name, name, self.name(), "/downloads/never-there"):
            self.assertEqual(self.server.request("DELETE", target).status, 204, target)
        after = self.server.stat()
        self.assertEqual(after["generation"], before["generation"], "no line in the ledger")
        self.assertEqual([each["removals"] for each in after["namespaces"]],
                         [each["removals"] for each in before["namespaces"]])
        self.assertEqual(self.server.request("DELETE", "/unknown-namespace/x").status, 404)

    def test_delete_honours_if_match(self):
        name = self.name()
        self.server.put(name, b"one")
        self.assertEqual(self.server.request("DELETE", name, headers={"If-Match": '"%s"' % sha256(b"x")}).status, 412)
        self.assertEqual(self.server.get(name).body, b"one")
        self.assertEqual(self.server.request("DELETE", name, headers={"If-Match": '"%s"' % sha256(b"one")}).status, 204)
        self.assertEqual(self.server.get(name).status, 404)

    def test_delete_of_a_directory_or_a_namespace_is_refused(self):
        name = self.name()
        self.server.put(name, b"x")
        for target in ("/", "/sstate-cache", "/sstate-cache/", "/-/health", "/sstate-cache/index.txt"):
            self.assertEqual(self.server.request("DELETE", target).status, 405, target)
        self.assertEqual(self.server.get(name).status, 200)

    def test_mkcol_and_options(self):
        for target in ("/sstate-cache/ab/", "/sstate-cache/zz", "/sstate-cache/ab/"):  # again is no failure
            self.assertEqual(self.server.request("MKCOL", target).status, 201, target)
        self.assertEqual(self.server.request("MKCOL", "/unknown-namespace/zz").status, 404)
        options = self.server.request("OPTIONS", "/sstate-cache/ab/x")
        self.assertEqual(options.status, 204)
        for method in ("GET", "HEAD", "PUT", "DELETE"):
            self.assertIn(method, options.headers["Allow"])
        self.assertEqual(self.server.request("OPTIONS", "*").status, 204)

    def test_other_methods_get_405_and_say_what_is_allowed(self):
        name = self.name()
        self.server.put(name, b"x")
        for method, target in (("POST", name), ("PATCH", name), ("TRACE", name), ("POST", "/"), ("PUT", "/-/health"),
                               ("DELETE", "/-/metrics")):
            with self.subTest(method + " " + target):
                answer = self.server.request(method, target, body=b"" if method != "TRACE" else None)
                self.assertEqual(answer.status, 405)
                self.assertIn("GET", answer.headers["Allow"])
        with self.server.raw() as raw:
            raw.send(b"BREW %s HTTP/1.1\r\nHost: x\r\n\r\n" % name.encode())
            self.assertEqual(raw.response().status, 405)

    def test_uploads_are_counted(self):
        before = self.server.namespace_stat("sstate-cache")
        name = self.name()
        for body in (b"new", b"new", b"other"):
            self.server.put(name, body)
        after = self.server.namespace_stat("sstate-cache")
        self.assertEqual([after[each] - before[each] for each in ("uploads", "duplicates", "rejects")], [1, 1, 1])
        self.assertEqual(after["artifacts"] - before["artifacts"], 1)


    def test_pipelined_writes_and_reads_are_answered_in_order(self):
        name = self.name()
        target = name.encode()
        steps = [(b"PUT", b"one", 201), (b"GET", b"", 200), (b"PUT", b"two", 409), (b"DELETE", b"", 204),
                 (b"HEAD", b"", 404), (b"PUT", b"two", 201), (b"GET", b"", 200)]
        with self.server.raw() as raw:
            raw.send(b"".join(b"%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (
                method, target, len(body), body) for method, body, _ in steps))
            answers = [raw.response(method.decode()) for method, _, _ in steps]
        self.assertEqual([answer.status for answer in answers], [status for _, _, status in steps])
        self.assertEqual((answers[1].body, answers[6].body), (b"one", b"two"))

    def test_a_name_of_255_bytes_and_a_path_of_3_000_live_like_any_other(self):
        deep = "/".join(["d" * 255] * 11 + ["e" * 184])
        self.assertEqual(len(deep), 3000)
        for path in ("n" * 255, "\u00e4" * 127 + "z", deep):
            with self.subTest(len(path.encode())):
                target = "/sstate-cache/" + quoted(path)
                self.assertEqual(self.server.put(target, b"x").status, 201)
                self.assertEqual(self.server.get(target).body, b"x")
                self.assertEqual(self.server.request("DELETE", target).status, 204)
                self.assertEqual(self.server.head(target).status, 404)


@needs("curl")
class CurlUploads(LarderTest):
    """What people type; curl expects 100-continue of large bodies, and sends chunks of what it is piped."""

    def curl(self, *arguments, **options):
        return run_tool("curl", "--silent", "--show-error", "--noproxy", "*", "--write-out", "%{http_code}",
                        "--output", os.devnull, *arguments, **options).stdout

    def test_files_of_all_sizes_arrive(self):
        for size in (1, 1000, MIB, 3 * MIB + 1):
            with self.subTest(size):
                content = os.urandom(size)
                file = os.path.join(self.temporary_directory(), "file")
                write_file(file, content)
                url = "%s/sstate-cache/curl/%d" % (self.server.url, size)
                self.assertEqual(self.curl("--upload-file", file, url), "201")
                self.assertEqual(self.server.get("/sstate-cache/curl/%d" % size).body, content)
                self.assertEqual(self.curl("--upload-file", file, url), "200")
                declared = "X-Checksum-Sha256: " + sha256(content)
                self.assertEqual(self.curl("--upload-file", file, "--header", declared, url), "200")
                write_file(file, content[:-1] + bytes([content[-1] ^ 1]))
                self.assertEqual(self.curl("--upload-file", file, url), "409")
                self.assertEqual(self.curl("--upload-file", file, "--header", declared, url + "-new"), "422")

    def test_a_pipe_arrives_in_chunks(self):
        content = os.urandom(2 * MIB)
        file = os.path.join(self.temporary_directory(), "file")
        write_file(file, content)
        with open(file, "rb") as pipe:
            done = subprocess.run(["curl", "--silent", "--noproxy", "*", "--upload-file", "-",
                                   self.server.url + "/sstate-cache/curl/pipe"], stdin=pipe, timeout=60)
        self.assertEqual(done.returncode, 0)
        self.assertEqual(self.server.get("/sstate-cache/curl/pipe").body, content)

    def test_a_download_is_continued(self):
        content = os.urandom(MIB)
        self.server.put("/sstate-cache/curl/continued", content)
        file = os.path.join(self.temporary_directory(), "file")
        write_file(file, content[:12345])
        code = run_tool("curl", "--silent", "--noproxy", "*", "--continue-at", "-", "--output", file,
                        self.server.url + "/sstate-cache/curl/continued").returncode
        self.assertEqual(code, 0)
        with open(file, "rb") as got:
            self.assertEqual(got.read(), content)

    def test_removing(self):
        self.server.put("/sstate-cache/curl/removed", b"x")
        self.assertEqual(self.curl("--request", "DELETE", self.server.url + "/sstate-cache/curl/removed"), "204")
        self.assertEqual(self.server.get("/sstate-cache/curl/removed").status, 404)


class NobodyWrites(LarderTest):
    config = {"write": "nobody"}

    def test_writes_are_refused_and_reads_go_on(self):
        for method in ("PUT", "DELETE", "MKCOL"):
            answer = self.server.request(method, "/sstate-cache/x", body=b"x" if method == "PUT" else None)
            self.assertEqual(answer.status, 403, method)
        self.assertEqual(self.server.get("/sstate-cache/x").status, 404)


class NamespacesFromTheConfiguration(LarderTest):
    config = {"namespaces": [{"name": "toolchains", "kind": "generic", "max_object_size": "10KiB"},
                             {"name": "sstate-cache", "kind": "sstate"}]}

    def test_a_namespace_of_ones_own_has_its_own_limit(self):
        self.assertEqual(self.server.put("/toolchains/gcc/13.tar", bytes(10240)).status, 201)
        self.assertEqual(self.server.put("/toolchains/gcc/14.tar", bytes(10241)).status, 413)
        self.assertEqual(self.server.put("/sstate-cache/x", bytes(10241)).status, 201)
        self.assertEqual(self.server.put("/downloads/x", b"x").status, 404)
        self.assertEqual([each["name"] for each in self.server.stat()["namespaces"]], ["toolchains", "sstate-cache"])


class AFullNamespace(LarderTest):
    config = {"namespaces": [{"name": "small", "kind": "generic", "max_size": "100KiB"}]}

    def test_507_when_full_while_what_fits_is_taken(self):
        self.assertEqual(self.server.put("/small/a", bytes([1]) * 60_000).status, 201)
        self.assertEqual(self.server.put("/small/b", bytes([2]) * 60_000).status, 507)
        self.assertEqual(self.server.get("/small/b").status, 404)
        self.assertEqual(self.server.put("/small/c", bytes([3]) * 30_000).status, 201)
        self.assertEqual(self.server.get("/small/a").status, 200)


class AFullDisk(LarderTest):
    config = {"free_space_floor": "1000000TiB"}

    def test_it_is_told_at_the_start(self):
        self.assertIn("are to be kept (free_space_floor): uploads are refused", self.server.log())

    def test_507_when_the_disk_has_no_room_left(self):
        for headers in ({}, {"Transfer-Encoding": "chunked"}):
            with self.subTest(headers):
                body = b"1\r\nx\r\n0\r\n\r\n" if headers else b"x"
                answer = self.server.request("PUT", "/sstate-cache/x", body, headers or {"Content-Length": "1"})
                self.assertEqual(answer.status, 507)
        self.assertEqual(self.server.get("/sstate-cache/x").status, 404)
        self.assertEqual(os.listdir(os.path.join(self.server.data, "tmp")), [])


if __name__ == "__main__":
    unittest.main()

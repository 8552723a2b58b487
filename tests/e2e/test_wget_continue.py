"""wget --continue against what an earlier attempt left: the way a truncated
artifact gets into a build, and nobody notices."""
import os
import unittest

import harness
from harness import LarderTest, needs, run_tool, sha256, wait_until

SIZES = (1, 2, 34, 20480, (1 << 20) + 3)


def content_of(size):
    return bytes((7 * i + i // 251) % 256 for i in range(min(size, 65536))) * (size // 65536 + 1)


def content(size):
    return content_of(size)[:size]


@needs("wget")
class Leftovers(LarderTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for size in SIZES:
            answer = cls.server.put("/sstate-cache/leftover/%d" % size, content(size))
            assert answer.status == 201, answer.status

    def fetch(self, name, leftover):
        """Runs wget as BitBake does; returns exit code and what is in the file then."""
        directory = self.temporary_directory()
        file = os.path.join(directory, "object.tmp")
        if leftover is not None:
            harness.write_file(file, leftover)
        done = run_tool("wget", "--tries=2", "--timeout=100", "--output-document=" + file, "--continue",
                        "--directory-prefix=" + directory, self.server.url + "/sstate-cache/" + name,
                        "--progress=dot", "--verbose")
        return done.returncode, harness.read_file(file)

    def test_a_leftover_up_to_the_whole_length_is_completed(self):
        for size in SIZES:
            whole = content(size)
            for length in sorted({0, 1, size // 2, size - 1, size}):
                with self.subTest(size=size, leftover=length):
                    code, got = self.fetch("leftover/%d" % size, whole[:length])
                    self.assertEqual(code, 0)
                    self.assertEqual(sha256(got), sha256(whole))

    def test_without_a_leftover_the_whole_is_fetched(self):
        code, got = self.fetch("leftover/20480", None)
        self.assertEqual((code, sha256(got)), (0, sha256(content(20480))))

    def test_a_leftover_one_byte_too_long_is_answered_416_and_left_alone(self):
        # wget takes 416 for "already complete": only the client can know that
        # its file never was a part of this one.
        leftover = content(20480) + b"!"
        answer = self.server.get("/sstate-cache/leftover/20480", {"Range": "bytes=20481-"})
        self.assertEqual(answer.status, 416)
        self.assertEqual(answer.headers["Content-Range"], "bytes */20480")
        _, got = self.fetch("leftover/20480", leftover)
        self.assertEqual(got, leftover)

    def test_a_missing_object_leaves_the_leftover_as_it_is(self):
        code, got = self.fetch("leftover/missing", b"abc")
        self.assertEqual((code, got), (8, b"abc"))


class Arriving(LarderTest):
    """An object whose upload is under way does not exist, for anybody."""

    NAME = "/sstate-cache/ab/cd/arriving"

    def begin(self, size, sent):
        upload = self.server.raw()
        self.addCleanup(upload.close)
        upload.send(b"PUT %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (self.NAME.encode(), size))
        upload.send(content(size)[:sent])
        # The daemon has it in hand once something is staged.
        staging = os.path.join(self.server.data, "tmp")
        wait_until(lambda: os.path.isdir(staging) and os.listdir(staging), "the upload is staged")
        return upload

    def assert_not_there(self):
        for headers in ({}, {"Range": "bytes=10-"}, {"Range": "bytes=999999-"}, {"Range": "bytes=-5"}):
            self.assertEqual(self.server.get(self.NAME, headers).status, 404, headers)
        self.assertEqual(self.server.head(self.NAME).status, 404)
        self.assertEqual(self.server.index("sstate-cache"), [])
        name = self.NAME.split("/", 2)[2].encode()
        answer = self.server.request("POST", "/-/v1/find-missing?namespace=sstate-cache", body=name + b"\n")
        self.assertEqual(answer.lines(), [name.decode()])

    def test_it_is_missing_until_it_is_complete(self):
        size = 300_000
        upload = self.begin(size, size // 2)
        self.assert_not_there()
        if harness.shutil.which("wget"):
            file = os.path.join(self.temporary_directory(), "object.tmp")
            harness.write_file(file, content(size)[:1000])
            done = run_tool("wget", "--tries=2", "--timeout=100", "-O", file, "-c", self.server.url + self.NAME)
            self.assertEqual(done.returncode, 8, done.stdout)
            self.assertEqual(harness.read_file(file), content(size)[:1000])
        upload.send(content(size)[size // 2:])
        self.assertEqual(upload.response("PUT").status, 201)
        self.assertEqual(self.server.get(self.NAME).body, content(size))
        self.assertEqual(self.server.request("DELETE", self.NAME).status // 100, 2)

    def test_an_upload_that_breaks_off_leaves_nothing(self):
        upload = self.begin(300_000, 100_000)
        upload.close()
        wait_until(lambda: os.listdir(os.path.join(self.server.data, "tmp")) == [], "the staged bytes are dropped")
        self.assert_not_there()
        self.assertEqual(self.server.put(self.NAME, b"whole").status, 201)
        self.assertEqual(self.server.get(self.NAME).body, b"whole")
        self.assertEqual(self.server.request("DELETE", self.NAME).status // 100, 2)


if __name__ == "__main__":
    unittest.main()

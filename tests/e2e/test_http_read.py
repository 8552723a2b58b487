"""GET and HEAD as RFC 9110 and 9112 have them, and as build clients need them."""
import calendar
import email.utils
import socket
import unittest

from harness import BROWSER_ACCEPT, LarderTest, quoted, sha256

CONTENT = bytes(range(256)) * 80  # 20480 bytes
SIZE = len(CONTENT)
NAME = "/sstate-cache/ab/cd/object"
LONG = "ab/cd/sstate:" + "x" * (254 - len("sstate:"))  # the longest a siginfo gets


def seconds(http_date):
    return calendar.timegm(email.utils.parsedate(http_date))


def http_date(when):
    return email.utils.formatdate(when, usegmt=True)


class Reading(LarderTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for target in (NAME, "/sstate-cache/" + LONG, "/sstate-cache/a%2Bb%3Ac%40d~e", "/downloads/foo-1.0.tar.gz"):
            answer = cls.server.put(target, CONTENT)
            assert answer.status == 201, (target, answer.status, answer.body)
        cls.etag = '"%s"' % sha256(CONTENT)

    def test_get_and_head_agree_and_head_has_no_body(self):
        whole = self.server.get(NAME)
        head = self.server.head(NAME)
        self.assertEqual((whole.status, head.status), (200, 200))
        self.assertEqual((whole.body, head.body), (CONTENT, b""))
        for name in ("Content-Length", "ETag", "Last-Modified", "Accept-Ranges", "Content-Type"):
            self.assertEqual(whole.headers[name], head.headers[name], name)
            self.assertIsNotNone(whole.headers[name], name)
        self.assertEqual(whole.headers["Content-Length"], str(SIZE))
        self.assertEqual(whole.headers["ETag"], self.etag)
        self.assertEqual(whole.headers["Accept-Ranges"], "bytes")
        self.assertIsNotNone(whole.headers["Date"])

    def test_not_one_byte_follows_the_answer_to_a_head(self):
        # A stray byte would be read as the start of the next answer.
        with self.server.raw() as raw:
            for target, status in ((NAME, 200), (NAME + ".gone", 404), ("/-/health", 200)):
                raw.send(b"HEAD %s HTTP/1.1\r\nHost: x\r\n\r\n" % target.encode())
                self.assertEqual(raw.response("HEAD").status, status)
                self.assertTrue(raw.silent_for(0.2), target)

    def test_artifacts_are_never_encoded(self):
        answer = self.server.get(NAME, {"Accept-Encoding": "gzip, zstd, br"})
        self.assertIsNone(answer.headers["Content-Encoding"])
        self.assertEqual(answer.body, CONTENT)

    def test_names_are_found_raw_and_encoded(self):
        for path in ("a+b:c@d~e", "a%2Bb%3Ac%40d~e", "a%2bb%3ac%40d%7Ee", "%61+b:c@d~e"):
            self.assertEqual(self.server.get("/sstate-cache/" + path).status, 200, path)
        self.assertEqual(self.server.get("/sstate-cache/a%20b:c@d~e").status, 404, "+ is no space")

    def test_a_name_of_254_bytes_is_served(self):
        self.assertEqual(len(LONG.rpartition("/")[2]), 254)
        self.assertEqual(self.server.get("/sstate-cache/" + quoted(LONG)).body, CONTENT)

    def test_a_miss_is_a_small_404_and_keeps_the_connection(self):
        connection = self.server.connection()
        for target in ("/sstate-cache/nothing", "/downloads/nothing", "/sstate-cache/ab/nothing/at/all",
                       "/sstate-cache/ab/cd/object/below-a-file"):
            for method in ("HEAD", "GET"):
                answer = self.server.request(method, target, headers={"Accept": "*/*"}, connection=connection)
                self.assertEqual(answer.status, 404, target)
                self.assertLess(len(answer.body), 512)
                self.assertNotIn(b"<html", answer.body.lower())
                self.assertIsNotNone(connection.sock, "closed after a miss")
        connection.close()

    def test_single_ranges(self):
        last = SIZE - 1
        for value, begin, end in (
            ("bytes=0-0", 0, 0), ("bytes=0-", 0, last), ("bytes=5-9", 5, 9), ("bytes=100-99999999", 100, last),
            ("bytes=%d-" % last, last, last), ("bytes=%d-%d" % (last, last), last, last), ("bytes=-1", last, last),
            ("bytes=-5", SIZE - 5, last), ("bytes=-%d" % SIZE, 0, last), ("bytes=-99999999999999999999", 0, last),
            ("bytes=0-99999999999999999999", 0, last), ("Bytes=1-2", 1, 2),
        ):
            with self.subTest(value):
                answer = self.server.get(NAME, {"Range": value})
                self.assertEqual(answer.status, 206)
                self.assertEqual(answer.headers["Content-Range"], "bytes %d-%d/%d" % (begin, end, SIZE))
                self.assertEqual(answer.body, CONTENT[begin:end + 1])
                self.assertEqual(answer.headers["ETag"], self.etag)

    def test_416_only_at_or_behind_the_end(self):
        for value in ("bytes=%d-" % SIZE, "bytes=%d-%d" % (SIZE, SIZE), "bytes=%d-" % (SIZE + 1),
                      "bytes=99999999999999999999-"):
            with self.subTest(value):
                answer = self.server.get(NAME, {"Range": value})
                self.assertEqual(answer.status, 416)
                self.assertEqual(answer.headers["Content-Range"], "bytes */%d" % SIZE)

    def test_ranges_that_are_none_get_the_whole(self):
        for value in ("bytes=5-3", "bytes=a-b", "bytes", "bytes=", "bytes=-", "items=0-5", "bytes 0-5", "bytes=1",
                      "bytes=0x1-2", "bytes=+1-2", "bytes=1--2"):
            with self.subTest(value):
                answer = self.server.get(NAME, {"Range": value})
                self.assertEqual((answer.status, answer.body), (200, CONTENT))

    def test_several_ranges_get_the_whole_or_a_multipart(self):
        answer = self.server.get(NAME, {"Range": "bytes=0-1,5-6"})
        if answer.status == 206:
            self.assertTrue(answer.headers["Content-Type"].startswith("multipart/byteranges"))
        else:
            self.assertEqual((answer.status, answer.body), (200, CONTENT))

    def test_a_range_on_head_is_ignored(self):
        answer = self.server.head(NAME, {"Range": "bytes=0-1"})
        self.assertEqual((answer.status, answer.headers["Content-Length"]), (200, str(SIZE)))

    def test_if_range(self):
        stored = self.server.head(NAME).headers["Last-Modified"]
        earlier = http_date(seconds(stored) - 3600)
        for validator, statuses in ((self.etag, {206}), ('"other"', {200}), ("W/" + self.etag, {200}),
                                    (earlier, {200}), (stored, {200, 206})):
            with self.subTest(validator):
                answer = self.server.get(NAME, {"Range": "bytes=5-9", "If-Range": validator})
                self.assertIn(answer.status, statuses)
                self.assertEqual(answer.body, CONTENT[5:10] if answer.status == 206 else CONTENT)

    def test_if_none_match(self):
        for value, status in ((self.etag, 304), ("W/" + self.etag, 304), ("*", 304), ('"x", %s' % self.etag, 304),
                              ('"x"', 200), (self.etag.strip('"'), 200)):
            with self.subTest(value):
                for method in ("GET", "HEAD"):
                    answer = self.server.request(method, NAME, headers={"If-None-Match": value})
                    self.assertEqual(answer.status, status)
                    if status == 304:
                        self.assertEqual(answer.body, b"")
                        self.assertEqual(answer.headers["ETag"], self.etag)

    def test_if_modified_since(self):
        stored = self.server.head(NAME).headers["Last-Modified"]
        earlier = http_date(seconds(stored) - 3600)
        for headers, status in (
            ({"If-Modified-Since": stored}, 304), ({"If-Modified-Since": earlier}, 200),
            ({"If-Modified-Since": "yesterday"}, 200),
            ({"If-Modified-Since": stored, "If-None-Match": '"x"'}, 200),  # the stronger one decides
            ({"If-Modified-Since": earlier, "If-None-Match": self.etag}, 304),
        ):
            with self.subTest(headers):
                self.assertEqual(self.server.get(NAME, headers).status, status)

    def test_pipelined_requests_are_answered_in_order(self):
        wanted = [("GET", NAME, 200), ("HEAD", NAME, 200), ("GET", NAME + ".gone", 404), ("HEAD", NAME + ".gone", 404),
                  ("GET", "/downloads/foo-1.0.tar.gz", 200)] * 20
        with self.server.raw() as raw:
            raw.send("".join("%s %s HTTP/1.1\r\nHost: x\r\nX: %d\r\n\r\n" % (method, target, number)
                             for number, (method, target, _) in enumerate(wanted)).encode())
            for method, target, status in wanted:
                answer = raw.response(method)
                self.assertEqual(answer.status, status, target)
                if method == "GET" and status == 200:
                    self.assertEqual(answer.body, CONTENT)

    def test_a_request_in_single_bytes_is_understood(self):
        with self.server.raw() as raw:
            for byte in b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % NAME.encode():
                raw.send(bytes([byte]))
            self.assertEqual(raw.response().body, CONTENT)

    def test_connection_close_is_honoured_in_lower_case(self):
        # BitBake drops the socket only for exactly this value.
        with self.server.raw() as raw:
            raw.send(b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % NAME.encode())
            answer = raw.response()
            self.assertEqual((answer.body, answer.headers["Connection"]), (CONTENT, "close"))
            self.assertTrue(raw.closed())

    def test_what_follows_a_connection_close_does_not_cost_the_answer(self):
        # A socket that is closed with bytes unread is reset.
        large = CONTENT * 400
        self.assertEqual(self.server.put("/sstate-cache/large", large).status, 201)
        for more in (b"\r\n", b"GET /-/health HTTP/1.1\r\nHost: x\r\n\r\n" * 2000):
            with self.subTest(len(more)), self.server.raw() as raw:
                raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
                raw.send(b"GET /sstate-cache/large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" + more)
                self.assertEqual(sha256(raw.response().body), sha256(large))
                self.assertTrue(raw.closed(), "what follows was answered")

    def test_http_1_0(self):
        with self.server.raw() as raw:
            raw.send(b"GET %s HTTP/1.0\r\n\r\n" % NAME.encode())
            self.assertEqual(raw.response().body, CONTENT)
            self.assertTrue(raw.closed())
        with self.server.raw() as raw:
            for _ in range(2):
                raw.send(b"GET %s HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n" % NAME.encode())
                self.assertEqual(raw.response().body, CONTENT)

    def test_a_browser_gets_the_artifact_too(self):
        self.assertEqual(self.server.get(NAME, {"Accept": BROWSER_ACCEPT}).body, CONTENT)

    def test_a_query_string_does_not_change_the_name(self):
        self.assertEqual(self.server.get(NAME + "?x=1").body, CONTENT)

    def test_buildroots_package_directory_falls_back_to_the_flat_name(self):
        self.assertEqual(self.server.get("/downloads/foo/foo-1.0.tar.gz").body, CONTENT)
        self.assertEqual(self.server.head("/downloads/foo/foo-1.0.tar.gz").status, 200)
        self.assertEqual(self.server.get("/downloads/foo/bar-1.0.tar.gz").status, 404)
        self.assertEqual(self.server.put("/sstate-cache/flat", CONTENT).status, 201)
        self.assertEqual(self.server.get("/sstate-cache/pkg/flat").status, 404, "only downloads have it")

    def test_reading_counts_hits_and_misses(self):
        before = self.server.namespace_stat("sstate-cache")
        self.server.get(NAME)
        self.server.head(NAME)
        self.server.get(NAME + ".gone")
        after = self.server.namespace_stat("sstate-cache")
        self.assertEqual(after["hits"] - before["hits"], 2)
        self.assertEqual(after["misses"] - before["misses"], 1)


if __name__ == "__main__":
    unittest.main()

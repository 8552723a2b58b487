"""What a server must not fall for: requests that two parsers would read
differently, names that lead elsewhere, and peers that never get on."""
import os
import socket
import time
import unittest

from harness import LarderTest, RawConnection, wait_until, write_file

PUT = b"PUT /sstate-cache/smuggled HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /sstate-cache/x HTTP/1.1\r\nHost: x\r\n"
NEXT = b"GET /-/health HTTP/1.1\r\nHost: x\r\n\r\n"  # what would be smuggled behind


class Smuggling(LarderTest):
    # Each is answered 400, and the connection is closed: where the next request
    # begins is anybody's guess.
    AMBIGUOUS = {
        "both lengths": PUT + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "both lengths, other order": PUT + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        "two differing lengths": PUT + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "differing lengths in one field": PUT + b"Content-Length: 3, 4\r\n\r\nabcd",
        "a signed length": PUT + b"Content-Length: +3\r\n\r\nabc",
        "a negative length": PUT + b"Content-Length: -3\r\n\r\nabc",
        "a hexadecimal length": PUT + b"Content-Length: 0x3\r\n\r\nabc",
        "a length with a space inside": PUT + b"Content-Length: 3 3\r\n\r\nabc",
        "an empty length": PUT + b"Content-Length:\r\n\r\n",
        "a length beyond 64 bits": PUT + b"Content-Length: 18446744073709551617\r\n\r\nabc",
        "chunked twice": PUT + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "chunked not last": PUT + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "chunked in disguise": PUT + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        "a vertical tab before chunked": PUT + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
        "chunked in HTTP/1.0": PUT.replace(b"1.1", b"1.0") + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "a folded field": GET + b"X: a\r\n b\r\n\r\n",
        "a space before the colon": GET + b"X : a\r\n\r\n",
        "a space before a length's colon": PUT + b"Content-Length : 3\r\n\r\nabc",
        "a field without a colon": GET + b"nonsense\r\n\r\n",
        "an empty field name": GET + b": a\r\n\r\n",
        "a NUL in a field": GET + b"X: a\0b\r\n\r\n",
        "a bare CR in a field": GET + b"X: a\rb\r\n\r\n",
        "bare LF after the request line": b"GET /sstate-cache/x HTTP/1.1\nHost: x\r\n\r\n",
        "bare LF after a field": b"GET /sstate-cache/x HTTP/1.1\r\nHost: x\n\r\n",
        "bare LF at the end": b"GET /sstate-cache/x HTTP/1.1\r\nHost: x\r\n\n",
        "a field before the first": b"GET /sstate-cache/x HTTP/1.1\r\n Host: x\r\n\r\n",
        "no Host": b"GET /sstate-cache/x HTTP/1.1\r\n\r\n",
        "two Hosts": GET + b"Host: y\r\n\r\n",
        "two spaces in the request line": b"GET  /sstate-cache/x HTTP/1.1\r\nHost: x\r\n\r\n",
        "a tab in the request line": b"GET\t/sstate-cache/x HTTP/1.1\r\nHost: x\r\n\r\n",
        "no version": b"GET /sstate-cache/x\r\nHost: x\r\n\r\n",
        "a version that is none": b"GET /sstate-cache/x HTTP/1.x\r\nHost: x\r\n\r\n",
        "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    }
    BAD_CHUNKS = {
        "no number": b"zz\r\nabc\r\n0\r\n\r\n",
        "an empty size": b"\r\nabc\r\n0\r\n\r\n",
        "a prefix": b"0x3\r\nabc\r\n0\r\n\r\n",
        "a sign": b"-1\r\nabc\r\n0\r\n\r\n",
        "a plus": b"+3\r\nabc\r\n0\r\n\r\n",
        "beyond 64 bits": b"fffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "space before the size": b" 3\r\nabc\r\n0\r\n\r\n",
        "longer than it says": b"2\r\nabc\r\n0\r\n\r\n",
        "bare LF after the size": b"3\nabc\r\n0\r\n\r\n",
        "bare LF after the data": b"3\r\nabc\n0\r\n\r\n",
        "a bare CR in an extension": b"3;a\rb\r\nabc\r\n0\r\n\r\n",
    }

    def assert_refused_and_closed(self, request):
        with self.server.raw() as raw:
            raw.send(request + NEXT)
            answer = raw.response()
            self.assertEqual(answer.status, 400)
            self.assertTrue(raw.closed(), "the connection stays open")

    def test_ambiguous_requests(self):
        for what, request in self.AMBIGUOUS.items():
            with self.subTest(what):
                self.assert_refused_and_closed(request)
        self.assertEqual(self.server.get("/sstate-cache/smuggled").status, 404)

    def test_bad_chunks(self):
        for what, body in self.BAD_CHUNKS.items():
            with self.subTest(what):
                self.assert_refused_and_closed(PUT + b"Transfer-Encoding: chunked\r\n\r\n" + body)
        self.assertEqual(self.server.get("/sstate-cache/smuggled").status, 404)
        self.assertEqual(self.server.index("sstate-cache"), [])

    def test_the_same_length_twice_is_refused_too(self):
        self.assert_refused_and_closed(PUT + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc")

    def test_an_unknown_transfer_coding_is_refused(self):
        with self.server.raw() as raw:
            raw.send(PUT + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + NEXT)
            self.assertEqual(raw.response("PUT").status, 501)
            self.assertTrue(raw.closed())

    def test_a_body_on_a_get_is_not_the_next_request(self):
        with self.server.raw() as raw:
            raw.send(GET + b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT)
            self.assertEqual(raw.response().status, 404)
            self.assertTrue(raw.silent_for(0.3), "the body was answered")
            raw.send(NEXT)
            self.assertEqual(raw.response().status, 200)

    def test_other_versions_are_refused(self):
        for version, status in ((b"HTTP/2.0", 505), (b"HTTP/0.9", 505), (b"HTTP/1.10", 400), (b"HTTP/11", 400)):
            with self.subTest(version), self.server.raw() as raw:
                raw.send(b"GET /sstate-cache/x " + version + b"\r\nHost: x\r\n\r\n")
                self.assertEqual(raw.response().status, status)
                self.assertTrue(raw.closed())

    def test_heads_without_end_are_refused(self):
        for what, request, status in (
            ("a long target", b"GET /sstate-cache/" + b"a/" * 40_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
            ("a long field", GET + b"X: " + b"a" * 100_000 + b"\r\n\r\n", 431),
            ("many fields", GET + b"X: a\r\n" * 20_000 + b"\r\n", 431),
            ("a long method", b"G" * 100_000, 400),
        ):
            with self.subTest(what), self.server.raw() as raw:
                raw.send(request)
                self.assertEqual(raw.response().status, status)
                self.assertTrue(raw.closed())


class Traversal(LarderTest):
    SECRET = b"outside of every namespace"

    TARGETS = (
        "/sstate-cache/../secret", "/sstate-cache/../../secret", "/sstate-cache/../../../secret",
        "/sstate-cache/%2e%2e/%2e%2e/secret", "/sstate-cache/%2E%2E/secret", "/sstate-cache/.%2e/secret",
        "/sstate-cache/..%2fsecret", "/sstate-cache/..%2Fsecret", "/sstate-cache/ab%2fcd", "/sstate-cache/ab/../cd",
        "/sstate-cache/ab/..", "/sstate-cache/./ab", "/sstate-cache/ab/.", "/sstate-cache/%2e/ab",
        "/sstate-cache//ab", "/sstate-cache/ab//cd", "//sstate-cache/ab", "//etc/passwd", "/../secret", "/%2e%2e/secret",
        "/sstate-cache/a%00b", "/sstate-cache/a%0ab", "/sstate-cache/a%0d%0ab", "/sstate-cache/a%7fb",
        "/sstate-cache/a%1bb", "/sstate-cache/%ff%fe", "/sstate-cache/%c0%ae%c0%ae/secret", "/sstate-cache/%ed%a0%80",
        "/sstate-cache/a%", "/sstate-cache/a%2", "/sstate-cache/a%zz", "/sstate-cache/%u002e",
        "/sstate-cache/" + "x" * 256, "/sstate-cache/" + "%78" * 256, "/sstate-cache/" + "/".join(["x" * 200] * 20),
        "http://example.org/sstate-cache/ab", "sstate-cache/ab", "?",
    )

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for directory in (os.path.join(cls.server.data, "tree"), cls.server.data, cls.server.work):
            write_file(os.path.join(directory, "secret"), cls.SECRET)

    def ask(self, method, target, body=b""):
        with self.server.raw() as raw:
            raw.send(b"%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s" % (
                method.encode(), target.encode("latin-1"), len(body), body))
            return raw.response(method)

    def test_names_that_lead_elsewhere_are_bad_requests_to_every_method(self):
        for target in self.TARGETS:
            for method in ("GET", "HEAD", "PUT", "DELETE"):
                with self.subTest(method + " " + target[:80]):
                    answer = self.ask(method, target, b"evil" if method == "PUT" else b"")
                    self.assertEqual(answer.status, 400)
                    self.assertNotIn(self.SECRET, answer.body)
        self.assertEqual(self.server.index("sstate-cache"), [])

    def test_raw_bytes_that_are_no_utf_8_are_bad_requests(self):
        for target in ("/sstate-cache/\xff\xfe", "/sstate-cache/a\x80b"):
            self.assertEqual(self.ask("GET", target).status, 400)

    def test_the_data_directory_itself_is_not_served(self):
        for target in ("/secret", "/index/CURRENT", "/objects/", "/tmp/", "/tree/secret", "/data/secret",
                       "/sstate-cache/secret", "/etc/passwd", "/-/secret", "/-/../secret", "/-/v1/../../secret",
                       "/@x/sstate-cache/secret", "/@../secret"):
            with self.subTest(target):
                answer = self.ask("GET", target)
                self.assertIn(answer.status, (400, 404))
                self.assertNotIn(self.SECRET, answer.body)

    def test_a_symbolic_link_in_the_tree_is_not_followed_out_of_it(self):
        os.makedirs(os.path.join(self.server.data, "tree", "sstate-cache"), exist_ok=True)
        os.symlink(os.path.join(self.server.work, "secret"),
                   os.path.join(self.server.data, "tree", "sstate-cache", "link"))
        os.symlink(self.server.work, os.path.join(self.server.data, "tree", "sstate-cache", "directory"))
        for target in ("/sstate-cache/link", "/sstate-cache/directory/secret"):
            answer = self.ask("GET", target)
            self.assertEqual(answer.status, 404)
            self.assertNotIn(self.SECRET, answer.body)
        self.assertGreaterEqual(self.ask("PUT", "/sstate-cache/directory/planted", b"evil").status, 400)
        self.assertFalse(os.path.exists(os.path.join(self.server.work, "planted")))
        for name in ("link", "directory"):
            os.unlink(os.path.join(self.server.data, "tree", "sstate-cache", name))

    def test_escapes_do_not_reach_the_page_unquoted(self):
        self.assertEqual(self.server.put("/downloads/%3Cscript%3Ealert(1)%3C/x", b"x").status, 201)
        page = self.server.get("/downloads/", {"Accept": "text/html"})
        self.assertEqual(page.status, 200)
        self.assertNotIn(b"<script", page.body)


class Patience(LarderTest):
    """Timeouts hold against peers that send a byte now and then."""

    config = {"http": {"header_timeout": "1s", "idle_timeout": "1s", "body_timeout": "1s"}}

    def assert_ends_within(self, raw, seconds, drip=b""):
        """Sends `drip` bytes until the peer closes; an answer (408) before that is fine."""
        raw.socket.settimeout(0.1)
        end = time.monotonic() + seconds
        sent = 0
        while time.monotonic() < end:
            try:
                if not raw.socket.recv(65536):
                    return
            except TimeoutError:
                pass
            except ConnectionResetError:
                return
            if drip:
                raw.send(drip[sent % len(drip):][:1])
                sent += 1
        self.fail("still open after %.0f s" % seconds)

    def test_a_connection_that_says_nothing_is_closed(self):
        with self.server.raw() as raw:
            self.assert_ends_within(raw, 10)

    def test_an_idle_connection_is_closed_after_its_answer(self):
        with self.server.raw() as raw:
            raw.send(GET + b"\r\n")
            self.assertEqual(raw.response().status, 404)
            self.assert_ends_within(raw, 10)

    def test_a_head_that_drips_is_cut(self):
        with self.server.raw() as raw:
            raw.send(GET + b"X: ")
            self.assert_ends_within(raw, 10, drip=b"a")

    def test_a_body_that_stops_is_cut_and_leaves_nothing(self):
        with self.server.raw() as raw:
            raw.send(PUT + b"Content-Length: 1000000\r\n\r\n" + bytes(1000))
            self.assert_ends_within(raw, 10)
        self.assertEqual(self.server.get("/sstate-cache/smuggled").status, 404)
        wait_until(lambda: os.listdir(os.path.join(self.server.data, "tmp")) == [], "the staged bytes are dropped")

    def test_a_body_that_drips_is_cut(self):
        with self.server.raw() as raw:
            raw.send(PUT + b"Content-Length: 1000000\r\n\r\n")
            self.assert_ends_within(raw, 10, drip=b"a")
        with self.server.raw() as raw:
            raw.send(PUT + b"Transfer-Encoding: chunked\r\n\r\n")
            self.assert_ends_within(raw, 10, drip=b"1\r\na\r\n")
        self.assertEqual(self.server.get("/sstate-cache/smuggled").status, 404)
        wait_until(lambda: os.listdir(os.path.join(self.server.data, "tmp")) == [], "the staged bytes are dropped")

    def test_a_reader_that_sips_is_cut(self):
        size = 30 << 20  # more than the buffers of two sockets
        self.assertEqual(self.server.put("/sstate-cache/sipped", bytes(size)).status, 201)
        with self.server.raw() as raw:
            raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            raw.send(b"GET /sstate-cache/sipped HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertEqual(self.server.stat()["connections"], 2)
            end = time.monotonic() + 20
            while self.server.stat()["connections"] > 1:
                self.assertLess(time.monotonic(), end, "still being served")
                raw.socket.recv(10)

    def test_a_busy_connection_outlives_the_idle_timeout(self):
        connection = self.server.connection()
        end = time.monotonic() + 2.5
        first = None
        while time.monotonic() < end:
            self.assertEqual(self.server.get("/sstate-cache/x", connection=connection).status, 404)
            first = first or connection.sock
            self.assertIs(connection.sock, first)
        connection.close()


class Crowds(LarderTest):
    config = {"http": {"max_connections_per_address": 8}}

    def test_connections_over_the_limit_are_turned_away_and_room_is_made_again(self):
        held = [self.server.raw() for _ in range(7)]
        for raw in held:
            raw.send(GET + b"\r\n")
            self.assertEqual(raw.response().status, 404)
        extra = [RawConnection(self.server.port) for _ in range(4)]
        answered = 0
        for raw in extra:
            raw.send(GET + b"\r\n")
            try:
                answered += raw.response().status == 404
            except EOFError:
                pass
        self.assertLessEqual(answered, 1)
        for raw in held + extra:
            raw.close()

        def served():
            try:
                return self.server.get("/sstate-cache/x").status == 404
            except OSError:
                return False
        wait_until(served, "closed connections make room")


if __name__ == "__main__":
    unittest.main()

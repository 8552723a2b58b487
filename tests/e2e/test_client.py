"""What the client does by itself: downloads that meet, answers it must not believe, exit codes."""
import http.server
import os
import subprocess
import threading
import unittest

from harness import LARDER, LarderTest


class Client(LarderTest):
    def setUp(self):
        self.server.put("/downloads/a.bin", b"x" * 100_000)

    def test_two_downloads_of_one_object_do_not_mix(self):
        target = os.path.join(self.temporary_directory(), "a.bin")
        stalling, asked = self.stalling()
        holder = subprocess.Popen([LARDER, "--server", stalling, "get", "downloads/a.bin", "-o", target],
                                  stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        self.assertTrue(asked.wait(60))
        done = subprocess.run([LARDER, "--server", stalling, "get", "downloads/a.bin", "-o", target],
                              stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(done.returncode, 1)
        self.assertIn("another larder fetches the same", done.stderr)
        self.assertFalse(os.path.exists(target))

    def stalling(self):
        asked, release = threading.Event(), threading.Event()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.set()
                release.wait(60)

            def log_message(self, *_):
                pass

        self.addCleanup(release.set)
        return self.serve(Handler), asked

    def serve(self, handler):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return "http://127.0.0.1:%d" % server.server_port

    def test_an_answer_without_a_digest_is_no_object(self):
        class Page(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "6")
                self.send_header("ETag", '"5f-61"')
                self.end_headers()
                self.wfile.write(b"log in")

            def log_message(self, *_):
                pass

        directory = self.temporary_directory()
        done = subprocess.run([LARDER, "--server", self.serve(Page), "get", "downloads/a.bin", "-o",
                               os.path.join(directory, "a.bin")], stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(done.returncode, 3)
        self.assertIn("states no SHA-256", done.stderr)
        self.assertEqual(os.listdir(directory), [])

    def test_this_machine_is_asked_without_a_proxy(self):
        nowhere = {**os.environ, "http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
        for host in ("127.0.0.1", "localhost"):
            done = subprocess.run([LARDER, "--server", self.server.url.replace("127.0.0.1", host), "stat"], env=nowhere,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
        done = subprocess.run([LARDER, "--server", "http://cache.example:8480", "stat"], env=nowhere,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertIn("127.0.0.1", done.stderr, "others are asked by the proxy")

    def test_a_full_disk_is_no_trouble_of_the_server(self):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([LARDER, "--server", self.server.url, "get", "downloads/a.bin", "-o", "-"], stdout=full,
                                  stderr=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(done.returncode, 1, done.stderr)

    def test_who_has_read_enough_is_no_failure(self):
        for number in range(300):
            self.server.put("/downloads/%03d-%s" % (number, "n" * 200), b"")
        for command in (["log", "--limit", "0"], ["ls", "--recursive", "downloads"]):
            script = 'set -o pipefail; "$@" | head -n 1'
            done = subprocess.run(["bash", "-c", script, "-", LARDER, "--server", self.server.url, *command],
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, (command, done.stderr))
            self.assertEqual(len(done.stdout.splitlines()), 1)

    def test_what_makes_no_sense_says_so(self):
        nowhere = os.path.join(self.temporary_directory(), "typo")
        for arguments in (("diff", nowhere, "downloads"), ("diff", "downloads", "./typo"),
                          ("verify", "--against", nowhere), ("verify", "downloads"),
                          ("verify", "--against", ".", "--repair"), ("verify", "--checksums", "x", "--sample", "10%"),
                          ("conf", "--namespace", "none")):
            self.server.client(*arguments, expect=2)


if __name__ == "__main__":
    unittest.main()

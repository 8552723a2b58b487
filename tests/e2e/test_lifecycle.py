"""Starting, stopping, dying: what signals do, and what is there afterwards."""
import hashlib
import http.client
import itertools
import json
import os
import signal
import socket
import subprocess
import time
import unittest

import harness
from harness import InBackground, LARDERD, LarderTest, wait_until

MIB = 1 << 20
LARGE = 200 * MIB


class Large:
    """A body of 200 MiB that needs no memory; http.client sends iterables."""

    BLOCK = os.urandom(MIB)

    def __init__(self):
        self.digest = hashlib.sha256()
        for _ in range(LARGE // MIB):
            self.digest.update(self.BLOCK)
        self.digest = self.digest.hexdigest()

    def __iter__(self):
        return iter([self.BLOCK] * (LARGE // MIB))


class Stopping(LarderTest):
    with_server = False

    def put_large(self, server):
        large = Large()
        answer = server.put("/sstate-cache/large", large, {"Content-Length": str(LARGE)})
        self.assertEqual(answer.status, 201)
        return large

    def begin_download(self, server):
        """A slow reader that has a first piece of a large object."""
        raw = server.raw()
        self.addCleanup(raw.close)
        raw.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        raw.send(b"GET /sstate-cache/large HTTP/1.1\r\nHost: x\r\n\r\n")
        received = b""
        while b"\r\n\r\n" not in received:
            received += raw.socket.recv(4096)
        head, _, body = received.partition(b"\r\n\r\n")
        self.assertTrue(head.startswith(b"HTTP/1.1 200"))
        return raw, body

    def test_sigterm_lets_a_running_download_finish(self):
        server = self.own_server()
        large = self.put_large(server)
        raw, begun = self.begin_download(server)
        server.signal(signal.SIGTERM)

        def refuses():
            try:
                socket.create_connection(("127.0.0.1", server.port), timeout=5).close()
                return False
            except ConnectionRefusedError:
                return True
        wait_until(refuses, "no new connection is accepted")
        self.assertTrue(server.running(), "ended with a transfer under way")

        digest, length = hashlib.sha256(begun), len(begun)
        while length < LARGE:
            block = raw.socket.recv(MIB)
            self.assertTrue(block, "the download broke off after %d bytes" % length)
            digest.update(block)
            length += len(block)
        self.assertEqual(digest.hexdigest(), large.digest)
        self.assertEqual(server.wait(), 0)

    def test_a_download_that_does_not_get_on_ends_with_the_deadline(self):
        server = self.own_server({"shutdown_timeout": "1s"})
        self.put_large(server)
        self.begin_download(server)
        begin = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - begin, 15)

    def test_idle_connections_do_not_hold_up_a_stop(self):
        server = self.own_server()
        idle = [server.raw() for _ in range(5)]
        used = server.connection()
        self.assertEqual(server.get("/-/health", connection=used).status, 200)
        begin = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - begin, 10)
        for raw in idle:
            raw.close()
        used.close()

    def test_an_upload_under_way_is_finished_or_leaves_nothing(self):
        server = self.own_server({"shutdown_timeout": "1s"})
        raw = server.raw()
        raw.send(b"PUT /sstate-cache/half HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n" + bytes(500_000))
        wait_until(lambda: os.listdir(os.path.join(server.data, "tmp")), "the upload is staged")
        self.assertEqual(server.stop(), 0)
        raw.close()
        self.assertEqual(os.listdir(os.path.join(server.data, "tmp")), [])
        server.start()
        self.assertEqual(server.get("/sstate-cache/half").status, 404)
        self.assertEqual(server.stop(), 0)

    def test_sigint_stops_as_well(self):
        server = self.own_server()
        server.signal(signal.SIGINT)
        self.assertEqual(server.wait(), 0)


class Surviving(LarderTest):
    with_server = False

    def test_what_was_acknowledged_survives_kill_9(self):
        for durability in ("each", "batch", "none"):
            with self.subTest(durability):
                server = self.own_server({"durability": durability})
                self.assertEqual(server.stat()["durability"], durability)
                bodies = {"/sstate-cache/%d" % number: b"%d" % number * 1000 for number in range(50)}
                for target, body in bodies.items():
                    self.assertEqual(server.put(target, body).status, 201)
                self.assertEqual(server.request("DELETE", "/sstate-cache/7").status // 100, 2)
                half = server.raw()
                half.send(b"PUT /sstate-cache/half HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n" + bytes(5000))
                wait_until(lambda: os.listdir(os.path.join(server.data, "tmp")), "the upload is staged")
                server.kill()
                half.close()

                server.start()
                del bodies["/sstate-cache/7"]
                for target, body in bodies.items():
                    self.assertEqual(server.get(target).body, body)
                wait_until(lambda: not server.stat()["reconciling"], "index and tree are compared")
                self.assertEqual(server.index("sstate-cache"), sorted(target[14:] for target in bodies))
                self.assertEqual(server.get("/sstate-cache/7").status, 404)
                self.assertEqual(server.get("/sstate-cache/half").status, 404)
                self.assertEqual(os.listdir(os.path.join(server.data, "tmp")), [])
                self.assertEqual(server.namespace_stat("sstate-cache")["artifacts"], len(bodies))
                self.assertEqual(server.stop(), 0)

    def test_tree_and_index_are_compared_after_an_unclean_stop_only(self):
        compares = "comparing"
        server = self.own_server()
        self.assertFalse(server.stat()["reconciling"])
        server.put("/sstate-cache/x", b"x")
        self.assertEqual(server.stop(), 0)
        self.assertNotIn(compares, server.log(), "there was nothing to compare in a new directory")
        server.start()
        server.kill()
        self.assertNotIn(compares, server.log(), "the stop was a clean one")
        server.start()
        wait_until(lambda: not server.stat()["reconciling"], "index and tree are compared")
        self.assertIn(compares, server.log())
        self.assertEqual(server.stop(), 0)

    def test_validators_and_counts_are_the_same_after_a_restart(self):
        server = self.own_server()
        server.put("/sstate-cache/x", b"x" * 1000)
        server.put("/downloads/x", b"x" * 1000)
        before = server.head("/sstate-cache/x").headers
        self.assertEqual(server.stop(), 0)
        server.start()
        after = server.head("/sstate-cache/x").headers
        self.assertEqual((after["ETag"], after["Last-Modified"]), (before["ETag"], before["Last-Modified"]))
        stat = server.stat()
        self.assertEqual((stat["objects"], stat["logical_bytes"]), (1, 2000))
        self.assertEqual(server.stop(), 0)

    def test_what_vanished_from_the_tree_is_a_miss_and_what_appeared_is_found(self):
        server = self.own_server()
        server.put("/sstate-cache/ab/gone", b"gone")
        server.put("/sstate-cache/ab/kept", b"kept")
        self.assertEqual(server.stop(), 0)  # what was just uploaded would be placed again, by the journal
        server.start()
        server.kill()
        tree = os.path.join(server.data, "tree", "sstate-cache", "ab")
        os.unlink(os.path.join(tree, "gone"))
        os.link(os.path.join(tree, "kept"), os.path.join(tree, "appeared"))
        server.start()
        self.assertEqual(server.get("/sstate-cache/ab/gone").status, 404)
        self.assertEqual(server.head("/sstate-cache/ab/gone").status, 404)
        wait_until(lambda: server.index("sstate-cache") == ["ab/appeared", "ab/kept"], "index and tree agree")
        self.assertEqual(server.get("/sstate-cache/ab/appeared").body, b"kept")
        self.assertEqual(server.stop(), 0)

    def test_a_second_daemon_on_the_same_data_is_turned_away(self):
        server = self.own_server()
        second = subprocess.run([LARDERD, "--config", os.path.join(server.work, "larderd.yaml"), "--data", server.data,
                                 "--listen-http", "127.0.0.1:0"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(server.data, second.stdout)
        self.assertEqual(server.put("/sstate-cache/x", b"x").status, 201, "the first one goes on")
        self.assertEqual(server.stop(), 0)

    def test_a_port_that_is_taken_is_named(self):
        server = self.own_server()
        second = subprocess.run([LARDERD, "--config", os.path.join(server.work, "larderd.yaml"),
                                 "--data", os.path.join(self.work, "elsewhere"),
                                 "--listen-http", "127.0.0.1:%d" % server.port], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertNotEqual(second.returncode, 0)
        self.assertIn(str(server.port), second.stdout)
        self.assertEqual(server.stop(), 0)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


class Listening(LarderTest):
    with_server = False

    def listeners(self, arguments, config=""):
        """Starts a daemon and returns the addresses of its port file."""
        directory = self.temporary_directory()
        port_file, file = os.path.join(directory, "ports"), os.path.join(directory, "larderd.yaml")
        harness.write_file(file, config.encode())
        daemon = harness.start_process([LARDERD, "--config", file, "--data", os.path.join(directory, "data"),
                                        "--port-file", port_file, *arguments],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(harness.end_process, daemon)
        wait_until(lambda: daemon.poll() is not None or os.path.exists(port_file), "larderd writes its port file")
        self.assertIsNone(daemon.poll(), "larderd ended at start")
        with open(port_file) as lines:
            return [line.split()[1] for line in lines if line.startswith("http ")]

    def assert_serves(self, host, port):
        connection = http.client.HTTPConnection(host, port, timeout=60)
        connection.request("GET", "/-/health")
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()

    @unittest.skipUnless(has_ipv6(), "this machine has no IPv6")
    def test_several_addresses_of_both_kinds(self):
        for arguments, config in (
            (["--listen-http", "127.0.0.1:0", "--listen-http", "[::1]:0", "--listen-http", "127.0.0.1:0"], ""),
            ([], "http: {listen: ['127.0.0.1:0', '[::1]:0', '127.0.0.1:0']}\n"),
        ):
            with self.subTest(arguments):
                addresses = [address.rpartition(":") for address in self.listeners(arguments, config)]
                self.assertEqual([host for host, _, _ in addresses], ["127.0.0.1", "[::1]", "127.0.0.1"])
                self.assertEqual(len({(host, port) for host, _, port in addresses}), 3)
                for host, _, port in addresses:
                    self.assert_serves(host.strip("[]"), int(port))

    @unittest.skipUnless(has_ipv6(), "this machine has no IPv6")
    def test_a_star_means_every_address(self):
        addresses = self.listeners(["--listen-http", "*:0"])
        for host in ("127.0.0.1", "::1"):
            self.assert_serves(host, int(addresses[0].rpartition(":")[2]))


class Logging(LarderTest):
    with_server = False

    def test_sighup_opens_the_log_files_again(self):
        logs = {name: os.path.join(self.work, name) for name in ("larderd.log", "access.log")}
        server = self.own_server({"log": {"file": logs["larderd.log"], "access": logs["access.log"], "format": "json"}})
        server.put("/sstate-cache/before", b"x")
        wait_until(lambda: b"before" in harness.read_file(logs["access.log"]), "the access log line is written")
        for path in logs.values():
            os.rename(path, path + ".1")
        server.signal(signal.SIGHUP)
        wait_until(lambda: all(os.path.exists(path) for path in logs.values()), "the log files are there again")
        server.get("/sstate-cache/after")
        wait_until(lambda: b"after" in harness.read_file(logs["access.log"]), "the new file is written to")
        self.assertNotIn(b"after", harness.read_file(logs["access.log"] + ".1"))
        self.assertEqual(server.stop(), 0)

    def test_an_access_log_line_tells_who_asked_for_what_and_got_what(self):
        path = os.path.join(self.work, "access.json")
        server = self.own_server({"log": {"access": path, "format": "json"}})
        server.put("/sstate-cache/ab/named", b"12345")
        server.get("/sstate-cache/ab/named")
        server.head("/sstate-cache/ab/nothing")
        self.assertEqual(server.stop(), 0)
        lines = [json.loads(line) for line in harness.read_file(path).splitlines()]
        named = [line for line in lines if "named" in json.dumps(line) or "nothing" in json.dumps(line)]
        self.assertEqual(len(named), 3)
        self.assertTrue(all("127.0.0.1" in json.dumps(line) for line in named))
        self.assertEqual([line["status"] for line in named], [201, 200, 404])
        self.assertTrue(all("sstate-cache" in json.dumps(line) for line in named))

    def test_a_name_cannot_forge_a_log_line(self):
        path = os.path.join(self.work, "forged.json")
        server = self.own_server({"log": {"access": path, "format": "json"}})
        server.get('/sstate-cache/x%22%7D%5C"', {"User-Agent": 'x"}\\'})
        for target in (b"/sstate-cache/\xff\xfe", b"/sstate-cache/%ff%0a{}", b"/sstate-cache/\xc2\x85"):
            with server.raw() as raw:
                raw.send(b"GET " + target + b" HTTP/1.1\r\nHost: x\r\n\r\n")
                self.assertEqual(raw.response().status, 400)
        self.assertEqual(server.stop(), 0)
        lines = harness.read_file(path).splitlines()
        self.assertGreater(len(lines), 0)
        for line in lines:
            json.loads(line)  # which wants UTF-8, too


class Reloading(LarderTest):
    with_server = False

    def reload(self, server, config, expect):
        """Writes another configuration, sends SIGHUP and waits for `expect` in the log."""
        server.config = config
        server.write_config()
        before = len(server.log())
        server.signal(signal.SIGHUP)
        wait_until(lambda: expect in server.log()[before:], "the log says: " + expect)

    def test_sighup_reads_the_configuration_again(self):
        server = self.own_server()
        connection = server.connection()
        put = lambda name: server.put("/sstate-cache/" + name, b"x", connection=connection).status
        self.assertEqual(put("before"), 201)
        self.reload(server, {"write": "nobody"}, "configuration read again")
        self.assertEqual(put("refused"), 403)
        self.assertEqual(server.get("/sstate-cache/before", connection=connection).status, 200)
        self.reload(server, {"durability": "sometimes"}, "stays as it was")
        self.assertIn("durability", server.log())
        self.assertEqual(put("refused"), 403, "a wrong configuration changes nothing")
        self.reload(server, {"durability": "none"}, "configuration read again")
        self.assertIn("durability takes effect at the next start", server.log())
        self.assertEqual(server.stat()["durability"], "batch")
        self.assertEqual(put("after"), 201)
        connection.close()
        self.assertEqual(server.stop(), 0)

    def test_a_reload_tells_of_no_change_where_descriptors_allow_less_than_is_configured(self):
        config = {"http": {"max_connections": 2000000000}}  # more than any system allows
        server = self.own_server(config)
        self.assertEqual(server.log().count("open files are allowed"), 1)
        self.reload(server, config, "configuration read again")
        self.assertNotIn("takes effect at the next start", server.log())
        self.assertEqual(server.log().count("open files are allowed"), 1)

    def test_reloading_again_and_again_disturbs_no_transfer(self):
        server = self.own_server()
        wrong = []

        def work(number, stop):
            connection = server.connection()
            for round_ in itertools.takewhile(lambda _: not stop.is_set(), itertools.count()):
                body = b"%d %d" % (number, round_) * 1000
                target = "/sstate-cache/%d/%d" % (number, round_)
                if server.put(target, body, connection=connection).status != 201:
                    wrong.append("PUT " + target)
                if server.get(target, connection=connection).body != body:
                    wrong.append("GET " + target)
            connection.close()

        with InBackground(work):
            for seconds in range(60, 70):
                self.reload(server, {"http": {"idle_timeout": "%ds" % seconds}}, "configuration read again")
        self.assertEqual(wrong, [])
        self.assertEqual(server.stop(), 0)


class Configuration(LarderTest):
    with_server = False

    def check(self, text):
        file = os.path.join(self.temporary_directory(), "larderd.yaml")
        harness.write_file(file, text)
        return subprocess.run([LARDERD, "check-config", file], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=60)

    def test_the_installed_configuration_is_good(self):
        installed = os.path.join(harness.PREFIX, "etc", "larder", "larderd.yaml")
        done = self.check(harness.read_file(installed))
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_all_defects_are_told_at_once_with_their_lines(self):
        done = self.check(b"durability: sometimes\nhttp:\n  idle_timeout: soon\n  listne: ['*:1']\n")
        self.assertNotEqual(done.returncode, 0)
        for text in ("larderd.yaml:1", "larderd.yaml:3", "larderd.yaml:4", "listen"):
            self.assertIn(text, done.stdout)

    def test_flags_beat_the_environment_and_that_the_file(self):
        file = os.path.join(self.work, "precedence.yaml")
        data = {name: os.path.join(self.work, name) for name in ("from-file", "from-environment", "from-flag")}
        harness.write_file(file, ("data: %s\nhttp: {listen: ['127.0.0.1:0']}\n" % data["from-file"]).encode())
        for arguments, environment, expected in (
            ([], {}, "from-file"), ([], {"LARDER_DATA": data["from-environment"]}, "from-environment"),
            (["--data", data["from-flag"]], {"LARDER_DATA": data["from-environment"]}, "from-flag"),
        ):
            with self.subTest(expected):
                daemon = harness.start_process([LARDERD, "--config", file, *arguments],
                                               env={**os.environ, **environment},
                                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                self.addCleanup(harness.end_process, daemon)
                wait_until(lambda: os.path.isdir(os.path.join(data[expected], "tree")), "the data directory is made")
                daemon.terminate()
                self.assertEqual(daemon.wait(60), 0)

    def test_version_and_help(self):
        for program in (LARDERD, harness.LARDER):
            for flag in ("--version", "--help"):
                done = subprocess.run([program, flag], stdout=subprocess.PIPE, text=True, timeout=60)
                self.assertEqual(done.returncode, 0)
                self.assertTrue(done.stdout.strip())


if __name__ == "__main__":
    unittest.main()

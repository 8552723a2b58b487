"""FTP on the wire: what BitBake's check sends, byte for byte, and what misbehaving
peers do. Other clients are in test_ftp_clients.py."""
import concurrent.futures
import ftplib
import io
import os
import signal
import socket
import struct
import subprocess
import tarfile
import threading
import unittest

import harness
from harness import LarderTest, SampleTree, sha256, wait_until

NAMESPACES = [{"name": "sstate-cache", "kind": "sstate"}, {"name": "downloads", "kind": "downloads"},
              {"name": "generic", "kind": "generic"}]


class Control:
    """A control connection that says just what a test says."""

    def __init__(self, server, login=True, host="127.0.0.1"):
        self.host = host
        self.socket = socket.create_connection((host, server.ftp_port), timeout=harness.DEADLINE)
        self.stream = self.socket.makefile("rb")
        self.greeting = self.reply()
        if login:
            assert self.ask("USER anonymous").startswith("230"), "anonymous is let in"
            assert self.ask("TYPE I").startswith("200")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stream.close()
        self.socket.close()

    def send(self, text):
        self.socket.sendall(text if isinstance(text, bytes) else text.encode() + b"\r\n")

    def reply(self):
        """One reply, its lines joined; "" when the connection has ended."""
        lines = [self.stream.readline().decode()]
        while lines[-1][3:4] == "-" or (len(lines) > 1 and not lines[-1].startswith(lines[0][:3] + " ")):
            lines.append(self.stream.readline().decode())
            if not lines[-1]:
                break
        return "".join(lines).rstrip("\r\n")

    def ask(self, text):
        self.send(text)
        return self.reply()

    def passive_port(self):
        answer = self.ask("EPSV")
        assert answer.startswith("229"), answer
        return int(answer.split("|")[3])

    def passive(self, source=None):
        port = self.passive_port()
        return socket.create_connection((self.host, port), timeout=harness.DEADLINE,
                                        source_address=source and (source, 0))

    def retrieve(self, name):
        with self.passive() as data:
            preliminary = self.ask("RETR " + name)
            if not preliminary.startswith("150"):
                return preliminary, b""
            content = read_all(data)
        return self.reply(), content

    def store(self, name, content, verb="STOR"):
        with self.passive() as data:
            preliminary = self.ask("%s %s" % (verb, name))
            if not preliminary.startswith("150"):
                return preliminary
            data.sendall(content)
        return self.reply()

    def listing(self, command):
        with self.passive() as data:
            preliminary = self.ask(command)
            if not preliminary.startswith("150"):
                return preliminary
            content = read_all(data)
        assert self.reply().startswith("226")
        return content.decode()


def read_all(data):
    pieces = []
    while True:
        piece = data.recv(1 << 20)
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)


def can_listen(port):
    try:
        socket.create_server(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


def reset(connection):
    """Closes with RST, as a peer that is cut off does."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class FtpTest(LarderTest):
    config = {"namespaces": NAMESPACES}

    def control(self, server=None, **options):
        control = Control(server or self.server, **options)
        self.addCleanup(control.close)
        return control

    def listening_on(self, endpoint):
        """Another daemon, its FTP listener as given; returns the port."""
        directory = self.temporary_directory()
        file, ports = os.path.join(directory, "c.yaml"), os.path.join(directory, "ports")
        harness.write_file(file, b"http: {listen: '127.0.0.1:0'}\n")
        daemon = harness.start_process([harness.LARDERD, "--config", file, "--data", os.path.join(directory, "data"),
                                        "--listen-ftp", endpoint, "--port-file", ports],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(harness.end_process, daemon)
        wait_until(lambda: os.path.exists(ports), "larderd writes its port file")
        return self.server._port_from(ports, "ftp")

    def staged(self, server=None):
        return os.listdir(os.path.join((server or self.server).data, "tmp"))

    def assert_absent(self, name, server=None):
        self.assertEqual((server or self.server).get("/" + name).status, 404)

    def assert_code(self, code, reply):
        self.assertEqual(reply[:3], str(code), reply)


class Sessions(FtpTest):
    def test_the_greeting_names_no_version(self):
        greeting = self.control(login=False).greeting
        self.assertRegex(greeting, r"^220 \D*$")

    def test_anonymous_is_let_in_and_others_wait_before_they_are_not(self):
        before = self.server.stat()["failed_logins"]
        control = self.control(login=False)
        self.assert_code(530, control.ask("RETR /downloads/x"))
        self.assert_code(331, control.ask("USER root"))
        self.assert_code(530, control.ask("PASS secret"))
        self.assert_code(230, control.ask("USER anonymous"))
        self.assert_code(230, control.ask("PASS me@example.org"))
        self.assertEqual(self.server.stat()["failed_logins"], before + 1)
        self.assertNotIn("secret", self.server.log())

    def test_commands_may_come_in_one_piece_or_byte_by_byte(self):
        control = self.control()
        control.send(b"NOOP\r\nPWD\nCWD /downloads\r\nPWD\r\n")
        self.assertEqual([control.reply()[:3] for _ in range(4)], ["200", "257", "250", "257"])
        for byte in b"CWD /generic\r\nPWD\r\n":
            control.send(bytes([byte]))
        self.assert_code(250, control.reply())
        self.assertIn('"/generic"', control.reply())

    def test_a_line_that_is_too_long_costs_a_reply_and_not_the_session(self):
        control = self.control()
        self.assert_code(500, control.ask("RETR " + "x" * 100000))
        self.assert_code(500, control.ask("WHAT is this"))
        self.assert_code(200, control.ask("NOOP"))

    def test_a_web_browser_gets_refusals(self):
        control = self.control(login=False)
        control.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual([control.reply()[:3] for _ in range(3)], ["500", "500", "500"])

    def test_sessions_over_the_limit_are_closed(self):
        server = self.own_server({"ftp": {"max_sessions": 2, "max_sessions_per_address": 2}})
        first, second = self.control(server), self.control(server)
        self.assertEqual(self.control(server, login=False).greeting, "")
        second.close()
        wait_until(lambda: Control(server, login=False).greeting != "", "a place gets free")
        self.assert_code(200, first.ask("NOOP"))

    def test_who_says_nothing_is_sent_away(self):
        server = self.own_server({"ftp": {"idle_timeout": "1s"}})
        control = self.control(server)
        control.send(b"NO")  # half a command stretches nothing
        self.assert_code(421, control.reply())
        self.assertEqual(control.reply(), "")

    def test_the_end_of_the_daemon_is_told(self):
        server = self.own_server()
        control = self.control(server)
        server.signal(signal.SIGTERM)
        self.assert_code(421, control.reply())
        self.assertEqual(server.wait(), 0)


class Checks(FtpTest):
    """What BitBake's availability check sends: a new session each time, dropped without QUIT."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.content = os.urandom(3 << 20)
        cls.server.put("/sstate-cache/ab/cd/sstate:x.siginfo", cls.content)

    def begin(self, directory):
        control = self.control(login=False)
        control.ask("USER anonymous")
        return control, control.ask("CWD " + directory)

    def test_a_directory_that_is_not_there(self):
        control, answer = self.begin("sstate-cache/ab/ce")
        self.assert_code(550, answer)

    def test_an_object_that_is_not_there(self):
        before = self.server.namespace_stat("sstate-cache")
        control, answer = self.begin("sstate-cache/ab/cd")
        self.assert_code(250, answer)
        with control.passive():
            self.assert_code(550, control.ask("RETR sstate:y.siginfo"))
        self.assert_code(200, control.ask("TYPE A"))
        self.assert_code(257, control.ask("PWD"))
        self.assert_code(550, control.ask("CWD sstate:y.siginfo"))
        self.assertEqual(self.server.namespace_stat("sstate-cache")["misses"], before["misses"] + 1)

    def test_a_file_is_no_directory(self):
        control, _ = self.begin("sstate-cache/ab/cd")
        self.assert_code(550, control.ask("CWD sstate:x.siginfo"))

    def test_an_object_that_is_there_counts_as_a_hit_though_nobody_reads_it(self):
        before, logged = self.server.namespace_stat("sstate-cache"), len(self.server.log())
        for _ in range(5):
            control, _ = self.begin("sstate-cache/ab/cd")
            data = control.passive()
            self.assert_code(150, control.ask("RETR sstate:x.siginfo"))
            data.close()
            control.close()
        wait_until(lambda: self.server.stat()["connections"] <= 1, "the sessions are over")
        after = self.server.namespace_stat("sstate-cache")
        self.assertEqual((after["hits"] - before["hits"], after["misses"] - before["misses"]), (5, 0))
        said = self.server.log()[logged:]
        self.assertNotIn('"level":', said, "only the access log tells of what is usual")

    def test_a_snapshot_and_the_admin_pages_are_not_there_yet(self):
        control, answer = self.begin("@release/sstate-cache")
        self.assert_code(550, answer)
        self.assert_code(550, control.ask("CWD /-"))
        self.assert_code(550, control.ask("SIZE /-/health"))


class Reading(FtpTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.content = os.urandom(3 << 20)
        cls.name = "downloads/a/b c+d%41~@:\u00e4.bin"
        cls.server.put("/" + harness.quoted(cls.name), cls.content)

    def test_what_http_stored_is_read_byte_for_byte(self):
        control = self.control()
        answer, content = control.retrieve("/" + self.name)
        self.assert_code(226, answer)
        self.assertEqual(sha256(content), sha256(self.content))
        self.assertEqual(control.ask("SIZE /" + self.name), "213 %d" % len(self.content))
        stored = self.server.head("/" + harness.quoted(self.name)).headers["Last-Modified"]
        self.assertEqual(control.ask("MDTM /" + self.name)[4:8], stored.split()[3])

    def test_type_a_changes_nothing_and_says_so(self):
        control = self.control()
        control.ask("TYPE A")
        with control.passive() as data:
            self.assertIn("without text conversion", control.ask("RETR /" + self.name))
            self.assertEqual(sha256(read_all(data)), sha256(self.content))

    def test_rest_starts_anywhere_up_to_the_end_and_not_behind_it(self):
        control = self.control()
        for offset in (1, 1000, len(self.content) - 1, len(self.content)):
            self.assert_code(350, control.ask("REST %d" % offset))
            answer, content = control.retrieve("/" + self.name)
            self.assert_code(226, answer)
            self.assertEqual(sha256(content), sha256(self.content[offset:]))
        control.ask("REST %d" % (len(self.content) + 1))
        self.assert_code(554, control.retrieve("/" + self.name)[0])
        self.assertEqual(sha256(control.retrieve("/" + self.name)[1]), sha256(self.content), "REST holds once")

    def test_active_connections_go_to_the_peer_only(self):
        control = self.control()
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            self.assert_code(200, control.ask("EPRT |1|127.0.0.1|%d|" % port))
            self.assert_code(150, control.ask("RETR /" + self.name))
            data, _ = listener.accept()
            self.assertEqual(sha256(read_all(data)), sha256(self.content))
            self.assert_code(226, control.reply())
        for bounce in ("PORT 127,0,0,2,19,137", "EPRT |1|192.0.2.1|5001|", "PORT 127,0,0,1,0,25", "EPRT |1|0.0.0.0|5001|"):
            self.assert_code(504, control.ask(bounce))
        self.assert_code(425, control.ask("RETR /" + self.name))

    def test_a_data_connection_from_another_address_is_a_stranger(self):
        control = self.control()
        port = control.passive_port()
        thief = socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.2", 0), timeout=harness.DEADLINE)
        control.send("RETR /" + self.name)
        self.assertEqual(thief.recv(1), b"", "closed without a byte")
        with socket.create_connection(("127.0.0.1", port), timeout=harness.DEADLINE) as data:
            self.assert_code(150, control.reply())
            self.assertEqual(sha256(read_all(data)), sha256(self.content))
        self.assert_code(226, control.reply())

    def test_abor_ends_a_transfer_and_not_the_session(self):
        big = "/generic/big"
        self.server.put(big, b"x" * (64 << 20))
        control = self.control()
        with control.passive() as data:
            self.assert_code(150, control.ask("RETR " + big))
            control.send(b"\xff\xf4\xff")
            control.socket.send(b"\xf2", socket.MSG_OOB)
            control.send("ABOR")
            self.assert_code(426, control.reply())
            self.assert_code(226, control.reply())
            self.assertLess(len(self.read_what_is_left(data)), 64 << 20)
        self.assertEqual(sha256(control.retrieve("/" + self.name)[1]), sha256(self.content))

    @staticmethod
    def read_what_is_left(data):
        try:
            return read_all(data)
        except ConnectionResetError:
            return b""

    def test_stat_is_answered_during_a_transfer(self):
        self.server.put("/generic/big", b"x" * (64 << 20))
        control = self.control()
        with control.passive() as data:
            self.assert_code(150, control.ask("RETR /generic/big"))
            self.assert_code(213, control.ask("STAT"))
            self.assertEqual(len(read_all(data)), 64 << 20)
        self.assert_code(226, control.reply())

    def test_a_reader_that_stands_still_is_cut_off(self):
        server = self.own_server({"namespaces": NAMESPACES, "ftp": {"data_timeout": "1s"}})
        server.put("/generic/big", b"x" * (64 << 20))
        control = self.control(server)
        with control.passive() as data:
            self.assert_code(150, control.ask("RETR /generic/big"))
            self.assert_code(426, control.reply())
            self.assertLess(len(self.read_what_is_left(data)), 64 << 20)
        self.assert_code(200, control.ask("NOOP"))

    def test_a_data_connection_that_never_comes_is_not_waited_for(self):
        server = self.own_server({"ftp": {"connect_timeout": "1s"}})
        server.put("/downloads/x", b"x")
        control = self.control(server)
        control.passive_port()
        self.assert_code(425, control.ask("RETR /downloads/x"))
        self.assert_code(226, control.retrieve("/downloads/x")[0])

    def test_passive_ports_come_from_the_range_until_it_is_used_up(self):
        port = next(port for port in range(20000, 30000, 2) if can_listen(port) and can_listen(port + 1))
        server = self.own_server({"ftp": {"passive_ports": "%d-%d" % (port, port + 1)}})
        sessions = [self.control(server) for _ in range(3)]
        self.assertEqual({session.passive_port() for session in sessions[:2]}, {port, port + 1})
        self.assert_code(425, sessions[2].ask("EPSV"))
        sessions[0].close()
        wait_until(lambda: sessions[2].ask("EPSV").startswith("229"), "a port gets free")

    def test_passive_replies_name_the_address_that_the_configuration_names(self):
        self.assertIn("(127,0,0,1,", self.control().ask("PASV"))
        server = self.own_server()
        server.ftp_port = self.listening_on("127.0.0.1:0 as 203.0.113.9")
        self.assertIn("(203,0,113,9,", self.control(server).ask("PASV"))


class Listings(FtpTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name in ("a/x.tar", "a/y.tar", "a/y.zip", "a-b", "zero"):
            cls.server.put("/generic/" + name, b"" if name == "zero" else b"content")

    def test_directories_are_there_by_the_names_below_them(self):
        control = self.control()
        self.assertEqual(control.listing("NLST /").splitlines(), ["/" + each["name"] for each in NAMESPACES])
        self.assertEqual(sorted(control.listing("NLST /generic").splitlines()),
                         ["/generic/a", "/generic/a-b", "/generic/zero"])
        control.ask("CWD generic")
        self.assertEqual(control.listing("NLST a").splitlines(), ["a/x.tar", "a/y.tar", "a/y.zip"])
        self.assertEqual(control.listing("NLST a/*.tar").splitlines(), ["a/x.tar", "a/y.tar"])
        self.assertEqual(control.listing("NLST -la a/x.tar").splitlines(), ["a/x.tar"])
        self.assertEqual(control.listing("LIST *.none"), "")
        self.assertEqual(control.listing("LIST /sstate-cache"), "", "an empty namespace")
        self.assert_code(550, control.listing("LIST none"))
        self.assert_code(501, control.listing("MLSD a-b"))

    def test_machines_read_types_sizes_and_times(self):
        control = self.control()
        facts = dict(reversed(line.split("; ", 1)) for line in control.listing("MLSD /generic").splitlines())
        self.assertIn("type=dir", facts["a"])
        self.assertRegex(facts["a-b"], r"type=file;size=7;modify=20\d{12};perm=rdf")
        self.assertIn("size=0;", facts["zero"])
        self.assertIn(" type=dir;perm=elcmp; /generic/a", control.ask("MLST /generic/a").splitlines())

    def test_stat_lists_on_the_control_connection(self):
        answer = self.control().ask("STAT -l /generic")
        self.assert_code(213, answer)
        self.assertEqual(len(answer.splitlines()), 5)

    def test_a_large_directory_is_listed_whole(self):
        names = {"n%05d" % number for number in range(3000)}
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: self.server.put("/downloads/many/" + name, b"x"), sorted(names)))
        self.assertEqual({os.path.basename(each) for each in self.control().listing("NLST /downloads/many").splitlines()},
                         names)


class Writing(FtpTest):
    def test_what_is_stored_is_read_over_http_and_the_other_way_round(self):
        content = os.urandom(2 << 20)
        control = self.control()
        self.assert_code(226, control.store("/downloads/w/over ftp", content))
        answer = self.server.get("/downloads/w/over%20ftp")
        self.assertEqual((answer.status, sha256(answer.body)), (200, sha256(content)))
        self.assertEqual(answer.headers["ETag"], '"%s"' % sha256(content))

    def test_a_name_keeps_its_content(self):
        control = self.control()
        self.assert_code(226, control.store("/sstate-cache/once", b"first"))
        self.assert_code(226, control.store("/sstate-cache/once", b"first"))
        self.assert_code(553, control.store("/sstate-cache/once", b"other"))
        self.assertEqual(self.server.put("/sstate-cache/once", b"other").status, 409)
        self.assertEqual(self.server.get("/sstate-cache/once").body, b"first")
        self.assert_code(226, control.store("/downloads/git2_h.r.tar", self.tar(b"1")))
        self.assert_code(226, control.store("/downloads/git2_h.r.tar", self.tar(b"2")))  # this one may grow
        self.assertEqual(self.server.get("/downloads/git2_h.r.tar").body, self.tar(b"2"))

    @staticmethod
    def tar(content):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            member = tarfile.TarInfo("file")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        return out.getvalue()

    def test_the_first_writer_wins_whatever_it_speaks(self):
        for number in range(8):
            name = "/generic/race/%d" % number
            barrier = threading.Barrier(8)

            def write(writer):
                content = b"%d" % writer * 100000
                control = Control(self.server) if writer % 2 else None
                barrier.wait()
                if control:
                    won = control.store(name, content).startswith("226")
                    control.close()
                else:
                    won = self.server.put(name, content).status == 201
                return content if won else None

            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                winners = [content for content in pool.map(write, range(8)) if content]
            self.assertEqual(len(winners), 1)
            self.assertEqual(self.server.get(name).body, winners[0])

    def test_an_upload_that_breaks_leaves_nothing(self):
        def end_data_by_reset(control, data):
            reset(data)
            self.assert_code(426, control.reply())

        def vanish(control, data):  # as kill -9 does: both end, the control connection first
            control.close()
            data.close()

        def vanish_by_reset(control, data):
            control.stream.close()
            reset(control.socket)
            data.close()

        def abort(control, data):
            control.send("ABOR")
            self.assert_code(426, control.reply())
            self.assert_code(226, control.reply())

        for number, end in enumerate((end_data_by_reset, vanish, vanish_by_reset, abort)):
            with self.subTest(end.__name__):
                name = "generic/broken/%d" % number
                control = Control(self.server)
                data = control.passive()
                self.assert_code(150, control.ask("STOR /" + name))
                data.sendall(b"x" * 300000)
                self.assert_absent(name)
                end(control, data)
                control.close()
                wait_until(lambda: not self.staged(), "what was received is thrown away")
                self.assert_absent(name)

    def test_an_unfinished_upload_goes_on_in_its_own_session_only(self):
        content = os.urandom(600000)
        control = self.control()

        def break_off(name, at):
            data = control.passive()
            self.assert_code(150, control.ask("STOR " + name))
            data.sendall(content[:at])
            wait_until(lambda: any(os.path.getsize(os.path.join(self.server.data, "tmp", each)) == at
                                   for each in self.staged()), "the first part is there")
            reset(data)
            self.assertIn("%d bytes are kept" % at, control.reply())

        break_off("/generic/resumed", 262144)
        self.assert_code(550, control.ask("SIZE /generic/resumed"))
        self.assert_code(554, self.stranger_resumes("/generic/resumed", content[262144:]))
        self.assert_code(226, control.store("/generic/resumed", content[262144:], verb="APPE"))
        self.assertEqual(sha256(self.server.get("/generic/resumed").body), sha256(content))

        break_off("/generic/rested", 262144)
        control.ask("REST 1000")
        self.assert_code(554, control.store("/generic/rested", content[1000:]))
        control.ask("REST 262144")
        self.assert_code(226, control.store("/generic/rested", content[262144:]))
        self.assertEqual(sha256(self.server.get("/generic/rested").body), sha256(content))
        self.assert_code(553, control.store("/generic/rested", b"more", verb="APPE"))

    def stranger_resumes(self, name, rest):
        with Control(self.server) as other:
            other.ask("REST 262144")
            return other.store(name, rest)

    def test_a_cut_archive_is_refused_though_the_connection_ended_well(self):
        tree = SampleTree("sstate", os.path.join(self.temporary_directory(), "tree"), "--objects", "12",
                          "--median-size", "20KiB")
        path = next(each for each in tree.taken() if each.endswith(".tar.zst") and tree.taken()[each][1] > 4000)
        content = harness.read_file(tree.file(path))
        control = self.control()
        self.assert_code(553, control.store("/sstate-cache/" + path, content[:-100]))
        self.assert_absent("sstate-cache/" + harness.quoted(path))
        self.assert_code(226, control.store("/sstate-cache/" + path, content))

    def test_an_announced_length_is_kept_to(self):
        control = self.control()
        for announced in (4, 6):
            control.ask("ALLO %d" % announced)
            self.assert_code(553, control.store("/downloads/announced", b"12345"))
        self.assert_absent("downloads/announced")
        control.ask("ALLO 5")
        self.assert_code(226, control.store("/downloads/announced", b"12345"))

    def test_limits_have_their_own_codes(self):
        server = self.own_server({"namespaces": [{"name": "small", "kind": "generic", "max_size": "1MiB",
                                                  "max_object_size": "600KiB"}]})
        control = self.control(server)
        self.assert_code(552, control.store("/small/large", os.urandom(700000)))
        self.assert_code(226, control.store("/small/a", os.urandom(600000)))
        self.assert_code(452, control.store("/small/b", os.urandom(600000)))
        control.ask("ALLO 700000")
        self.assert_code(552, control.store("/small/large", b""))
        self.assertEqual(self.staged(server), [])

    def test_names_that_cannot_be_stored(self):
        control = self.control()
        for name in ("/x", "/nowhere/x", "/downloads", "/", "/downloads/index.txt", "/-/x", "/@x/y",
                     "/downloads/" + "x" * 256, "/downloads/a\x01b"):
            with self.subTest(name[:40]):
                self.assert_code(553, control.store(name, b"x"))
        self.assert_code(502, control.ask("STOU"))

    def test_a_writer_that_trickles_is_cut_off(self):
        server = self.own_server({"namespaces": NAMESPACES, "ftp": {"data_timeout": "1s", "min_rate": "1MiB"}})
        control = self.control(server)
        with control.passive() as data:
            self.assert_code(150, control.ask("STOR /generic/slow"))
            stop = threading.Event()

            def trickle():
                while not stop.wait(0.05):
                    try:
                        data.send(b"x")
                    except OSError:
                        return
            thread = threading.Thread(target=trickle)
            thread.start()
            self.assert_code(426, control.reply())
            stop.set()
            thread.join()
        self.assert_absent("generic/slow", server)

    def test_who_may_not_write_is_told_so(self):
        server = self.own_server({"write": "nobody"})
        control = self.control(server)
        for command in ("DELE /downloads/x", "MKD /downloads/d", "RMD /downloads/d", "RNFR /downloads/x"):
            self.assertIn("write: nobody", control.ask(command))
        self.assertIn("write: nobody", control.store("/downloads/x", b"x"))

    def test_an_upload_goes_on_while_the_daemon_ends(self):
        server = self.own_server({"namespaces": NAMESPACES})
        control = self.control(server)
        with control.passive() as data:
            self.assert_code(150, control.ask("STOR /generic/last"))
            data.sendall(b"first ")
            server.signal(signal.SIGTERM)
            wait_until(lambda: not self.accepts(server), "no new sessions")
            data.sendall(b"second")
        self.assert_code(226, control.reply())
        self.assert_code(421, control.reply())
        self.assertEqual(server.wait(), 0)
        again = self.start_server({"namespaces": NAMESPACES}, data=server.data)
        self.assertEqual(again.get("/generic/last").body, b"first second")
        self.assertEqual(again.stop(), 0)

    @staticmethod
    def accepts(server):
        try:
            with Control(server, login=False) as control:
                return control.greeting != ""
        except OSError:
            return False


class Managing(FtpTest):
    def test_directories_that_were_made_are_there_for_the_session(self):
        control = self.control()
        self.assert_code(257, control.ask("MKD /downloads/made/deep"))
        self.assert_code(250, control.ask("CWD /downloads/made/deep"))
        self.assertEqual(control.listing("LIST"), "")
        self.assert_code(550, self.control().ask("CWD /downloads/made"))
        self.assert_code(226, control.store("x", b"x"))
        self.assert_code(250, self.control().ask("CWD /downloads/made"))
        self.assert_code(550, control.ask("MKD /downloads/made"))
        self.assert_code(550, control.ask("RMD /downloads/made"))
        self.assert_code(250, control.ask("DELE /downloads/made/deep/x"))
        self.assert_code(257, control.ask("MKD /downloads/empty"))
        self.assert_code(250, control.ask("RMD /downloads/empty"))
        self.assert_code(550, control.ask("CWD /downloads/empty"))

    def test_removing(self):
        control = self.control()
        control.store("/downloads/gone", b"x")
        self.assert_code(250, control.ask("DELE /downloads/gone"))
        self.assert_code(550, control.ask("DELE /downloads/gone"))
        self.assert_code(550, control.ask("DELE /downloads"))
        self.assert_absent("downloads/gone")

    def test_renaming_gives_a_content_its_final_name(self):
        control = self.control()
        control.store("/downloads/r.part", b"content")
        control.store("/downloads/taken", b"other")
        self.assert_code(550, control.ask("RNFR /downloads/none"))
        self.assert_code(350, control.ask("RNFR /downloads/r.part"))
        self.assert_code(553, control.ask("RNTO /downloads/taken"))
        self.assert_code(350, control.ask("RNFR /downloads/r.part"))
        self.assert_code(250, control.ask("RNTO /downloads/r"))
        self.assertEqual(self.server.get("/downloads/r").body, b"content")
        self.assert_absent("downloads/r.part")
        self.assert_code(503, control.ask("RNTO /downloads/again"))


class Many(FtpTest):
    def test_many_sessions_at_once_get_every_byte(self):
        contents = {"m/%02d" % number: os.urandom(1 + number * 40000) for number in range(20)}
        for name, content in contents.items():
            self.server.put("/generic/" + name, content)

        def fetch(_):
            wrong = []
            with ftplib.FTP() as client:
                client.connect("127.0.0.1", self.server.ftp_port, timeout=harness.DEADLINE)
                client.login()
                client.cwd("generic")
                for name, content in contents.items():
                    got = io.BytesIO()
                    client.retrbinary("RETR " + name, got.write)
                    if got.getvalue() != content:
                        wrong.append(name)
            return wrong

        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            self.assertEqual([each for each in pool.map(fetch, range(12)) if each], [])

    @unittest.skipUnless(socket.has_ipv6 and os.path.exists("/proc/net/if_inet6"), "this machine has no IPv6")
    def test_ipv6_sessions_use_epsv(self):
        server = self.own_server()
        server.ftp_port = self.listening_on("*:0")
        for host, passive in (("::1", "425"), ("127.0.0.1", "227")):
            control = self.control(server, host=host)
            self.assert_code(passive, control.ask("PASV"))
            self.assert_code(226, control.store("/downloads/six", b"six"))
            self.assertEqual(control.retrieve("/downloads/six")[1], b"six")


if __name__ == "__main__":
    unittest.main()

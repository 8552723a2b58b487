"""FTP on the wire: what BitBake's check sends, byte for byte, and what misbehaving
peers do. Uploads are in test_ftp_write.py, other clients in test_ftp_clients.py."""
import concurrent.futures
import ftplib
import io
import os
import signal
import socket
import subprocess
import unittest

import harness
from ftp_harness import NAMESPACES, FtpTest, read_all
from harness import sha256, wait_until


def can_listen(port):
    try:
        socket.create_server(("127.0.0.1", port)).close()
        return True
    except OSError:
        return False


class Sessions(FtpTest):
    def test_the_greeting_names_no_version(self):
        greeting = self.control(login=False).greeting
        self.assertRegex(greeting, r"^220 \D*$")

    def test_anonymous_is_let_in(self):
        control = self.control(login=False)
        self.assert_code(530, control.ask("RETR /downloads/x"))
        self.assert_code(230, control.ask("USER anonymous"))
        self.assert_code(230, control.ask("PASS me@example.org"))

    def test_whoever_says_a_name_where_nobody_can_log_in_is_anonymous(self):
        before = self.server.stat()["failed_logins"]
        control = self.control(login=False)
        self.assert_code(331, control.ask("USER root"))
        self.assert_code(230, control.ask("PASS secret"))
        self.assertIn("Logged in as anonymous", control.ask("STAT"))
        self.assert_code(550, control.ask("SIZE /downloads/missing"))
        self.assertEqual(self.server.stat()["failed_logins"], before)
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

    def test_a_line_without_an_end_ends_the_session(self):
        control = self.control(login=False)
        try:
            for _ in range(64):
                control.send(b"x" * 65536)
            self.assertIn(control.reply()[:3], ("", "421"))
        except ConnectionError:
            pass  # closed with bytes unread: it is reset

    def test_a_web_page_cannot_speak_through_a_browser(self):
        self.server.put("/downloads/target", b"x")
        control = self.control(login=False)
        control.send(b"POST / HTTP/1.1\r\nHost: x\r\n\r\nUSER ftp\r\nDELE /downloads/target\r\n")
        self.assert_code(421, control.reply())
        self.assertEqual(control.reply(), "")
        self.assertEqual(self.server.head("/downloads/target").status, 200)

    def test_a_port_that_is_taken_ends_the_start(self):
        second = subprocess.run([harness.LARDERD, "--data", os.path.join(self.work, "second"), "--listen-http", "127.0.0.1:0",
                                 "--listen-ftp", "127.0.0.1:%d" % self.server.ftp_port], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=harness.DEADLINE)
        self.assertEqual(second.returncode, 1)
        self.assertIn(str(self.server.ftp_port), second.stdout)

    def test_replies_do_not_pile_up(self):
        for number in range(100):
            self.server.put("/generic/long/%03d%s" % (number, "x" * 200), b"x")
        grown = []
        for _ in range(5):  # a sanitizer's memory grows, too, but not for ever
            control, before = self.control(), self.server.stat()["resident_bytes"]
            control.send(b"STAT /generic/long\r\n" * 1000)
            self.assertEqual(len({len(control.reply()) for _ in range(1000)}), 1)
            grown.append(self.server.stat()["resident_bytes"] - before)
        self.assertLess(min(grown), 8 << 20, grown)

    def test_sessions_over_the_limit_are_closed(self):
        server = self.own_server({"ftp": {"max_sessions": 2, "max_sessions_per_address": 2}})
        first, second = self.control(server), self.control(server)
        self.assertEqual(self.control(server, login=False).greeting, "")
        second.close()
        wait_until(lambda: self.control(server, login=False).greeting != "", "a place gets free")
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

    def test_a_snapshot_that_is_not_there_and_the_admin_pages(self):
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

    def test_abor_right_behind_its_command_is_heard(self):
        control = self.control()
        control.passive_port()
        control.send(b"RETR /" + self.name.encode() + b"\r\nABOR\r\n")
        self.assert_code(426, control.reply())
        self.assert_code(226, control.reply())

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
        self.assertEqual(control.listing("NLST /d*").splitlines(), ["/downloads"])
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

#!/usr/bin/env python3
"""TLS as real clients speak it: https by curl, wget, wget2 and larder, FTP by curl, lftp and ftplib."""
import ftplib
import http.client
import io
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import unittest

import harness
from harness import LARDER, LARDERD, needs, read_file, run_tool, wait_until, write_file
from tls_harness import TlsTest

BB_CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support", "bb_client.py")
CONTENT = os.urandom(3_000_001)


class ReusingFtp(ftplib.FTP_TLS):
    """ftplib opens data connections with a session of their own; this one resumes."""

    def ntransfercmd(self, cmd, rest=None):
        connection, size = ftplib.FTP.ntransfercmd(self, cmd, rest)
        if self._prot_p:
            connection = self.context.wrap_socket(connection, server_hostname=self.host, session=self.sock.session)
        return connection, size


class Https(TlsTest):
    def setUp(self):
        self.directory = self.temporary_directory()
        self.source = os.path.join(self.directory, "source")
        self.target = os.path.join(self.directory, "target")
        write_file(self.source, CONTENT)

    def curl(self, *arguments, expect=0):
        done = run_tool("curl", "-sS", "--cacert", self.authority.certificate, *arguments)
        self.assertEqual(done.returncode, expect, done.stdout)
        return done.stdout

    def assert_got(self):
        self.assertEqual(read_file(self.target), CONTENT)

    @needs("curl")
    def test_curl_stores_and_fetches_with_both_versions_and_both_kinds_of_key(self):
        for number, options in enumerate([("--tlsv1.3",), ("--tls-max", "1.2"),
                                          ("--tls-max", "1.2", "--ciphers", "ECDHE-RSA-AES128-GCM-SHA256")]):
            url = self.url("/downloads/curl-%d.bin" % number)
            self.assertEqual(self.curl(*options, "-T", self.source, "-w", "%{http_code}", url), "201")
            self.curl(*options, "-o", self.target, url)
            self.assert_got()

    @needs("curl")
    def test_curl_refuses_a_server_that_nobody_vouches_for(self):
        self.assertIn("certificate", run_tool("curl", "-sS", self.url("/")).stdout)

    def test_wget_and_wget2_fetch_and_check(self):
        self.curl("-T", self.source, self.url("/downloads/wget.bin"))
        for tool in ("wget", "wget2"):
            with self.subTest(tool):
                if not harness.shutil.which(tool):
                    self.skipTest(tool + " is not installed")
                check = ["--ca-certificate=" + self.authority.certificate, "-q"]
                self.assertEqual(run_tool(tool, *check, "--spider", self.url("/downloads/wget.bin")).returncode, 0)
                self.assertNotEqual(run_tool(tool, *check, "--spider", self.url("/downloads/none")).returncode, 0)
                self.assertEqual(run_tool(tool, *check, "-O", self.target, self.url("/downloads/wget.bin")).returncode, 0)
                self.assert_got()

    def test_old_versions_are_refused(self):
        for version, taken in (("-tls1", False), ("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
            done = run_tool("openssl", "s_client", "-connect", "127.0.0.1:%d" % self.server.port_of("https"), version,
                            "-cipher", "DEFAULT@SECLEVEL=0", "-CAfile", self.authority.certificate)
            self.assertEqual("Cipher is (NONE)" not in done.stdout, taken, version + "\n" + done.stdout)

    def test_ciphers_without_forward_secrecy_and_renegotiation_are_refused(self):
        for cipher in ("AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES256-SHA384"):
            done = run_tool("openssl", "s_client", "-connect", "127.0.0.1:%d" % self.server.port_of("https"), "-tls1_2",
                            "-cipher", cipher + ":@SECLEVEL=0")
            self.assertIn("Cipher is (NONE)", done.stdout, cipher)

    def ask_by_session(self, context, session):
        """(the session of this connection, whether it was the one given)"""
        port = self.server.port_of("https")
        with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="localhost",
                                 session=session) as connection:
            connection.sendall(b"HEAD /downloads/none HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            self.assertTrue(connection.recv(4096).startswith(b"HTTP/1.1 404"))
            return connection.session, connection.session_reused

    def test_sessions_of_tls_1_2_are_resumed(self):
        context = self.authority.context()
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        session = None
        for number in range(3):
            session, resumed = self.ask_by_session(context, session)
            self.assertEqual(resumed, number > 0)

    def test_with_tls_1_3_nobody_pays_for_tickets_that_bitbake_does_not_use(self):
        context = self.authority.context()
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        session, _ = self.ask_by_session(context, None)
        self.assertFalse(session.has_ticket)

    def test_pipelined_answers_are_whole_when_the_client_reads_late(self):
        count, body = 100, bytes(range(256)) * 235  # small enough to be kept in memory
        self.server.put("/downloads/piped", body)
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        raw.settimeout(60)
        raw.connect(("127.0.0.1", self.server.port_of("https")))
        with self.authority.context().wrap_socket(raw, server_hostname="localhost") as connection:
            one = b"GET /downloads/piped HTTP/1.1\r\nHost: x\r\n\r\n"
            last = b"GET /downloads/piped HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            connection.sendall(one * (count - 1) + last)
            received = b""
            while piece := connection.recv(1 << 16):
                received += piece
        self.assertEqual(received.count(b"HTTP/1.1 200"), count)
        self.assertEqual(received.count(body), count)

    def test_plain_http_is_told_to_begin_with_https(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port_of("https"), timeout=20)
        connection.request("GET", "/downloads/a")
        answer = connection.getresponse()
        self.assertEqual(answer.status, 400)
        self.assertIn("https://", json.loads(answer.read())["detail"])

    def test_tls_on_the_plain_port_fails_soon(self):
        started = time.monotonic()
        with self.assertRaises(OSError):
            self.authority.context().wrap_socket(socket.create_connection(("127.0.0.1", self.server.port), timeout=20),
                                                 server_hostname="localhost")
        self.assertLess(time.monotonic() - started, 10)

    def test_larder_believes_the_authority_it_is_given(self):
        def larder(*arguments, expect=0, **environment):
            done = subprocess.run([LARDER, "--server", self.url(), *arguments], stdin=subprocess.DEVNULL, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
                                  env={**os.environ, **environment})
            self.assertEqual(done.returncode, expect, done.stdout + done.stderr)
            return done
        tree = os.path.join(self.directory, "tree")
        write_file(os.path.join(tree, "seeded.bin"), CONTENT)
        larder("--cacert", self.authority.certificate, "seed", "--namespace", "downloads", tree)
        larder("get", "downloads/seeded.bin", "-o", self.target, LARDER_CACERT=self.authority.certificate)
        self.assert_got()
        self.assertIn("the certificate expires on", larder("stat", LARDER_CACERT=self.authority.certificate).stdout)
        self.assertIn("--cacert FILE", larder("stat", expect=3).stderr)
        self.assertIn("NOT CHECKED", larder("--insecure", "ls").stderr)

    def test_larder_tells_what_is_wrong_with_the_port(self):
        for server, hint in (("https://localhost:%d" % self.server.port, "plain http://"),):
            done = run_tool(LARDER, "--server", server, "--cacert", self.authority.certificate, "stat")
            self.assertEqual(done.returncode, 3)
            self.assertIn(hint, done.stdout)

    def test_stat_and_metrics_tell_when_the_certificate_ends(self):
        expires = self.server.stat()["tls_certificate_expires"]
        self.assertAlmostEqual(expires - time.time(), 30 * 86400, delta=3600)
        self.assertIn("larder_tls_certificate_expiry_seconds %d\n" % expires, self.server.get("/-/metrics").body.decode())


class Ftps(TlsTest):
    def setUp(self):
        self.directory = self.temporary_directory()
        self.source = os.path.join(self.directory, "source")
        self.target = os.path.join(self.directory, "target")
        write_file(self.source, CONTENT)

    def curl(self, *arguments, expect=0):
        done = run_tool("curl", "-sS", "--max-time", "60", "--cacert", self.authority.certificate, *arguments)
        self.assertEqual(done.returncode, expect, done.stdout)
        return done.stdout

    @needs("curl")
    def test_curl_stores_and_fetches_explicitly_and_implicitly(self):
        for number, options in enumerate([("--tlsv1.3",), ("--tls-max", "1.2")]):
            for way, url in (("explicit", self.ftp_url()), ("implicit", self.ftps_url())):
                with self.subTest(way, options=options):
                    url += "/downloads/curl-%s-%d.bin" % (way, number)
                    self.curl("--ssl-reqd", *options, "-T", self.source, url)
                    self.curl("--ssl-reqd", *options, "-o", self.target, url)
                    self.assertEqual(read_file(self.target), CONTENT)
        self.assertIn("curl-explicit-0.bin", self.curl("--ssl-reqd", self.ftp_url("/downloads/")))

    @needs("lftp")
    def test_lftp_stores_and_fetches_explicitly_and_implicitly(self):
        for way, url in (("explicit", self.ftp_url()), ("implicit", self.ftps_url())):
            with self.subTest(way):
                script = os.path.join(self.directory, "script")
                name = "downloads/lftp-%s.bin" % way
                write_file(script, ("set ssl:ca-file %s\nset ftp:ssl-force true\nset ftp:ssl-protect-data true\n"
                                    "set net:max-retries 1\nset net:timeout 20\nset cmd:fail-exit true\nopen %s\n"
                                    "put %s -o %s\nget %s -o %s\nbye\n" % (
                                        self.authority.certificate, url, self.source, name, name,
                                        self.target + way)).encode())
                done = run_tool("lftp", "-f", script)
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertEqual(read_file(self.target + way), CONTENT)

    def ftplib(self, kind=ReusingFtp, version=ssl.TLSVersion.TLSv1_3):
        context = self.authority.context()
        context.maximum_version = version
        client = kind(context=context, timeout=60)
        client.connect("localhost", self.server.ftp_port)
        self.addCleanup(client.close)
        client.auth()
        client.login()
        client.prot_p()
        return client

    def test_ftplib_stores_and_fetches_with_both_versions(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            with self.subTest(version):
                client = self.ftplib(version=version)
                name = "/downloads/ftplib-%d.bin" % version
                self.assertTrue(client.storbinary("STOR " + name, io.BytesIO(CONTENT)).startswith("226"))
                got = []
                client.retrbinary("RETR " + name, got.append)
                self.assertEqual(b"".join(got), CONTENT)
                self.assertIn(name, client.nlst("/downloads"))
                client.quit()

    def test_a_data_connection_with_a_session_of_its_own_is_refused(self):
        with self.assertRaisesRegex(ftplib.error_perm, "522 .*require_session_reuse"):
            self.ftplib(ftplib.FTP_TLS).nlst("/downloads")

    def test_another_session_does_not_open_the_data_connection(self):
        owner, thief = self.ftplib(), self.ftplib()
        owner.nlst("/")
        thief.nlst("/")  # its tickets have come
        host, port = owner.makepasv()
        data = socket.create_connection((host, port), timeout=60)
        owner.putcmd("NLST /")
        self.assertTrue(owner.getresp().startswith("150"))
        thief.context.wrap_socket(data, server_hostname="localhost", session=thief.sock.session)
        with self.assertRaisesRegex(ftplib.error_perm, "522"):
            owner.voidresp()

    def test_ccc_and_rein_are_refused_under_tls(self):
        client = self.ftplib()
        for command, code in (("CCC", "533"), ("REIN", "502"), ("AUTH TLS", "503")):
            with self.assertRaisesRegex(ftplib.error_perm, code):
                client.sendcmd(command)
        self.assertTrue(client.sendcmd("NOOP").startswith("200"))

    def test_a_refused_rein_ends_neither_the_login_nor_what_was_begun(self):
        closed = {right: ["none"] for right in ("read", "write", "replace", "delete", "admin")}
        server = self.own_server({**self.tls_config(), "access": {"anonymous": closed}})
        token = run_tool(LARDERD, "--config", os.path.join(server.work, "larderd.yaml"), "--data", server.data,
                         "token", "create", "--name", "ci", "--can", "read,write").stdout.split()[0]
        wait_until(lambda: server.get("/downloads/x", {"Authorization": "Bearer " + token}).status == 404,
                   "the token works")
        client = ReusingFtp(context=self.authority.context(), timeout=60)
        client.connect("localhost", server.ftp_port)
        client.login("x", token)
        client.prot_p()
        client.voidcmd("TYPE I")
        data = client.transfercmd("STOR /downloads/begun")
        data.sendall(CONTENT[:1000])
        staging = os.path.join(server.data, "tmp")
        wait_until(lambda: [os.path.getsize(os.path.join(staging, each)) for each in os.listdir(staging)] == [1000],
                   "the first part is there")
        client.putcmd("ABOR")
        self.assertTrue(client.getmultiline().startswith("426"))
        data.close()
        self.assertTrue(client.getresp().startswith("226"))
        with self.assertRaisesRegex(ftplib.error_perm, "502"):
            client.sendcmd("REIN")
        self.assertEqual(len(os.listdir(staging)), 1)
        client.mkd("/downloads/d")
        client.quit()

    def test_plain_ftp_still_works_where_tls_is_optional(self):
        client = ftplib.FTP(timeout=60)
        client.connect("localhost", self.server.ftp_port)
        client.login()
        client.nlst("/downloads")
        client.quit()


class RequiredFtps(TlsTest):
    ftp_tls = "required"

    def test_nobody_logs_in_without_tls(self):
        client = ftplib.FTP(timeout=60)
        client.connect("localhost", self.server.ftp_port)
        with self.assertRaisesRegex(ftplib.error_perm, "530 .*AUTH TLS"):
            client.login()
        client.close()

    def test_data_has_to_be_private(self):
        client = ReusingFtp(context=self.authority.context(), timeout=60)
        client.connect("localhost", self.server.ftp_port)
        client.auth()
        client.login()
        with self.assertRaisesRegex(ftplib.error_perm, "521"):
            client.nlst("/")
        client.prot_p()
        with self.assertRaisesRegex(ftplib.error_perm, "534"):
            client.sendcmd("PROT C")
        self.assertIn("downloads", " ".join(client.nlst("/")))
        client.quit()


class RelaxedFtps(TlsTest):
    @classmethod
    def tls_config(cls, **tls):
        config = super().tls_config(**tls)
        config["ftp"]["require_session_reuse"] = False
        return config

    def test_a_client_that_does_not_resume_is_let_in(self):
        client = ftplib.FTP_TLS(context=self.authority.context(), timeout=60)
        client.connect("localhost", self.server.ftp_port)
        client.auth()
        client.login()
        client.prot_p()
        client.nlst("/downloads")
        client.quit()


class Certificates(TlsTest):
    def shown(self, server):
        """The common name that a new connection is shown."""
        context = self.authority.context()
        context.check_hostname = False
        with context.wrap_socket(socket.create_connection(("127.0.0.1", server.port_of("https")))) as connection:
            return dict(pair for (pair,) in connection.getpeercert()["subject"])["commonName"]

    def test_renewed_files_are_noticed_and_connections_live_on(self):
        self.pairs = [self.authority.issue("renewed")]
        server = self.own_server({"http": {"listen_tls": "127.0.0.1:0"}, "tls": {"certificates": self.pairs}})
        kept = http.client.HTTPSConnection("localhost", server.port_of("https"), context=self.authority.context())
        kept.request("HEAD", "/downloads/none")
        self.assertEqual(kept.getresponse().read(), b"")
        self.authority.issue("renewed", common_name="second")
        wait_until(lambda: self.shown(server) == "second", "the new certificate is shown")
        kept.request("HEAD", "/downloads/none")
        self.assertEqual(kept.getresponse().status, 404)

        write_file(self.pairs[0]["certificate"], b"rubbish")
        server.signal(signal.SIGHUP)
        wait_until(lambda: "stays as it was" in server.log(), "the reload is refused")
        self.assertEqual(self.shown(server), "second")

    def test_defects_are_told_with_their_line_and_the_daemon_does_not_start(self):
        other = self.authority.issue("other")
        file = os.path.join(self.temporary_directory(), "larderd.yaml")
        write_file(file, ("http:\n  listen_tls: 127.0.0.1:0\ntls:\n  certificates:\n    - certificate: %s\n      key: %s\n"
                          % (self.pairs[0]["certificate"], other["key"])).encode())
        for command in (["check-config", file], ["--config", file, "--data", self.temporary_directory()]):
            done = run_tool(LARDERD, *command)
            self.assertIn(done.returncode, (1, 2))
            self.assertIn("larderd.yaml:6: tls.certificates[0].key: %s is not the key" % other["key"], done.stdout)

    def test_a_certificate_that_ends_soon_is_told_in_the_log_and_by_stat(self):
        pair = self.authority.issue("short", days=7)
        server = self.own_server({"http": {"listen_tls": "127.0.0.1:0"}, "tls": {"certificates": [pair]}})
        wait_until(lambda: "certificate expires in" in server.log(), "the log tells of the end")
        self.assertIn("RENEW IT", server.client("stat").stdout)

    def test_an_open_key_is_told(self):
        pair = self.authority.issue("open")
        os.chmod(pair["key"], 0o644)
        server = self.own_server({"http": {"listen_tls": "127.0.0.1:0"}, "tls": {"certificates": [pair]}})
        self.assertIn("can be read by everybody", server.log())

    def test_a_client_is_known_by_its_certificate(self):
        ci = self.authority.issue("ci", common_name="ci-7")
        access = os.path.join(self.temporary_directory(), "access.log")
        server = self.own_server({
            "http": {"listen_tls": "127.0.0.1:0"}, "log": {"access": access, "format": "json"},
            "tls": {"certificates": self.pairs, "client_certificates": "required",
                    "client_ca": self.authority.certificate}})
        source = os.path.join(self.temporary_directory(), "source")
        write_file(source, CONTENT)
        url = self.url("/downloads/a.bin", server)
        check = ["-sS", "--cacert", self.authority.certificate, "-T", source, url]
        self.assertNotEqual(run_tool("curl", *check).returncode, 0)
        done = run_tool("curl", *check, "--cert", ci["certificate"], "--key", ci["key"])
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("ci-7", server.client("log", "--actor", "ci-7").stdout)
        wait_until(lambda: '"user":"ci-7"' in read_file(access).decode(), "the access log names the user")
        done = run_tool(LARDER, "--server", self.url("", server), "--cacert", self.authority.certificate,
                        "--cert", ci["certificate"], "--key", ci["key"], "ls", "downloads")
        self.assertEqual((done.returncode, done.stdout.split()), (0, ["a.bin"]))


@unittest.skipUnless(os.environ.get("BITBAKE_DIR"), "BITBAKE_DIR is not set: no checkout of BitBake to test with")
class BitBake(TlsTest):
    NAME = "ab/sstate:x:core2-64:1:r0:core2-64:12:%s_populate_sysroot.tar.zst" % ("ab" * 32)

    def drive(self, *arguments, authority, expect):
        home = self.temporary_directory()
        write_file(os.path.join(home, ".wgetrc"), ("ca_certificate = %s\n" % authority).encode())
        done = subprocess.run([sys.executable, BB_CLIENT, *arguments], text=True, timeout=200, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, "HOME": home, "SSL_CERT_FILE": authority, "http_proxy": ""})
        self.assertEqual(done.returncode, expect, done.stdout[-2000:] + done.stderr[-2000:])
        return done.stdout.splitlines()[0]

    def test_the_check_and_the_fetch_go_by_https_where_the_authority_is_known(self):
        base = self.url("/sstate-cache")
        put = self.server.put("/sstate-cache/" + harness.quoted(self.NAME), CONTENT)
        self.assertEqual(put.status, 201, put.body)
        good = {"authority": self.authority.certificate, "expect": 0}
        self.assertEqual(self.drive("check", base, self.NAME, **good), "hit " + self.NAME)
        store = os.path.join(self.temporary_directory(), "sstate")
        self.assertTrue(self.drive("get", "-s", store, base, self.NAME, **good).endswith(harness.sha256(CONTENT)))
        self.assertEqual(self.drive("check", base, self.NAME, authority=self.pairs[0]["certificate"], expect=1),
                         "miss " + self.NAME)


if __name__ == "__main__":
    unittest.main()

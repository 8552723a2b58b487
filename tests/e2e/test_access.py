"""Who may do what: tokens, passwords, rights and what is hidden, over HTTP and FTP, with the clients people use."""
import base64
import ftplib
import http.client
import json
import os
import signal
import stat
import subprocess
import threading
import time
import unittest

import harness
from ftp_harness import Control, reset
from harness import LARDERD, LarderTest, needs, read_file, run_tool, wait_until, write_file

CLOSED = {"read": ["downloads"], "write": ["none"], "replace": ["none"], "delete": ["none"], "admin": ["none"]}
NAMESPACES = [{"name": "sstate-cache", "kind": "sstate"}, {"name": "downloads", "kind": "downloads"},
              {"name": "secret", "kind": "generic"}]


def basic(user, password):
    return {"Authorization": "Basic " + base64.b64encode(("%s:%s" % (user, password)).encode()).decode()}


def bearer(token):
    return {"Authorization": "Bearer " + token}


class AccessTest(LarderTest):
    """A daemon that trusts nobody, not even its own machine, and tokens of each kind."""
    config = {"namespaces": NAMESPACES, "write": "nobody", "access": {"anonymous": CLOSED}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.offline(cls.server, "create", "--name", "root", "--can", "admin").strip()
        wait_until(lambda: cls.server.get("/-/v1/tokens", bearer(cls.admin)).status == 200, "the first token works")
        cls.reader = cls.create(cls.server, cls.admin, "reader", "read")
        cls.writer = cls.create(cls.server, cls.admin, "ci", "read,write", "sstate-cache,downloads")
        cls.replacer = cls.create(cls.server, cls.admin, "replacer", "read,write,replace")
        cls.deleter = cls.create(cls.server, cls.admin, "deleter", "delete", "downloads")
        for name in ("downloads/open.tar.gz", "secret/plan", "sstate-cache/aa/bb/x.tar.zst"):
            assert cls.server.put("/" + name, name.encode(), bearer(cls.admin)).status == 201

    @staticmethod
    def offline(server, *arguments, expect=0):
        done = subprocess.run([LARDERD, "--config", os.path.join(server.work, "larderd.yaml"), "--data", server.data,
                               "token", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=60)
        assert done.returncode == expect, (done.returncode, done.stdout, done.stderr)
        return done.stdout if expect == 0 else done.stderr

    @staticmethod
    def create(server, admin, name, can, namespaces="", **more):
        body = {"name": name, "can": can, **more}
        if namespaces:
            body["namespaces"] = namespaces
        answer = server.request("POST", "/-/v1/tokens", json.dumps(body).encode(), bearer(admin))
        assert answer.status == 201, answer.body
        return answer.json()["token"]

    def as_client(self, token, *arguments, expect=0, server=None):
        os.environ["LARDER_TOKEN"] = token
        try:
            return (server or self.server).client(*arguments, expect=expect)
        finally:
            del os.environ["LARDER_TOKEN"]

    def status(self, method, target, token=None, body=None):
        return self.server.request(method, target, body, bearer(token) if token else None).status


class Rights(AccessTest):
    def test_missing_credentials_are_asked_for(self):
        for method, target in (("GET", "/secret/plan"), ("HEAD", "/secret/nothing"), ("PUT", "/downloads/x"),
                               ("DELETE", "/downloads/open.tar.gz"), ("POST", "/-/v1/prune"), ("GET", "/-/v1/log"),
                               ("POST", "/-/v1/verify"), ("GET", "/-/v1/tokens"), ("MKCOL", "/downloads/d")):
            answer = self.server.request(method, target, b"" if method in ("PUT", "POST") else None)
            self.assertEqual(answer.status, 401, (method, target))
            challenges = answer.headers.get_all("WWW-Authenticate")
            self.assertIn('Basic realm="larder"', challenges[0])
            self.assertIn("Bearer", challenges[1])
        self.assertEqual(self.server.get("/-/health").status, 200)
        self.assertEqual(self.server.get("/-/health", bearer("wrong")).status, 200)

    def test_what_is_open_is_open_and_a_miss_stays_404(self):
        self.assertEqual(self.server.get("/downloads/open.tar.gz").body, b"downloads/open.tar.gz")
        self.assertEqual(self.server.get("/downloads/nothing").status, 404)
        self.assertEqual(self.status("GET", "/secret/nothing", self.reader), 404)
        self.assertEqual(self.status("GET", "/nowhere/nothing", self.reader), 404)

    def test_each_token_does_what_it_may(self):
        self.assertEqual(self.status("GET", "/secret/plan", self.reader), 200)
        self.assertEqual(self.status("PUT", "/secret/new", self.reader, b"x"), 403)
        self.assertEqual(self.status("PUT", "/downloads/by-ci", self.writer, b"x"), 201)
        self.assertEqual(self.status("PUT", "/secret/by-ci", self.writer, b"x"), 403)
        self.assertEqual(self.status("DELETE", "/downloads/by-ci", self.writer), 403)
        self.assertEqual(self.status("DELETE", "/secret/plan", self.deleter), 403)
        self.assertEqual(self.status("DELETE", "/downloads/by-ci", self.deleter), 204)
        self.assertEqual(self.status("POST", "/-/v1/verify?level=quick", self.deleter), 403)
        self.assertEqual(self.status("POST", "/-/v1/verify?level=quick", self.admin), 200)
        detail = self.server.put("/downloads/x", b"x", bearer(self.reader)).json()["detail"]
        self.assertIn("token 'reader' may not do this: it needs write in downloads", detail)

    def test_growing_tarballs_need_the_right_to_replace(self):
        name = "/downloads/git2_example.org.linux.tar.gz"
        self.assertEqual(self.status("PUT", name, self.writer, b"one"), 201)
        self.assertEqual(self.status("PUT", name, self.writer, b"one"), 200)
        self.assertEqual(self.status("PUT", name, self.writer, b"other"), 403)
        self.assertEqual(self.server.get(name).body, b"one")
        self.assertEqual(self.status("PUT", name, self.replacer, b"other"), 200)
        self.assertEqual(self.server.get(name).body, b"other")

    def test_prune_and_pins_need_delete_in_their_namespace(self):
        def prune(namespace, token):
            body = json.dumps({"namespace": namespace, "match": ["no-such-*"]}).encode()
            return self.status("POST", "/-/v1/prune", token, body)
        self.assertEqual(prune("downloads", self.deleter), 200)
        self.assertEqual(prune("secret", self.deleter), 403)
        self.assertEqual(prune("downloads", self.writer), 403)
        self.assertEqual(self.status("POST", "/-/v1/pins", self.deleter, b"downloads/keep*\n"), 200)
        self.assertEqual(self.status("POST", "/-/v1/pins", self.deleter, b"secret/keep*\n"), 403)
        self.assertEqual(self.status("POST", "/-/v1/pins", self.deleter, b"*keep*\n"), 403)
        self.assertEqual(self.status("POST", "/-/v1/pins", self.admin, b"secret/keep*\n"), 200)
        self.assertEqual(self.server.get("/-/v1/pins", bearer(self.deleter)).lines(), ["downloads/keep*"])

    def test_who_may_remove_in_one_namespace_undoes_there_and_nowhere_else(self):
        self.status("PUT", "/downloads/gone", self.admin, b"x")
        self.status("PUT", "/secret/gone", self.admin, b"y")
        self.assertEqual(self.status("DELETE", "/downloads/gone", self.deleter), 204)
        self.assertEqual(self.status("DELETE", "/secret/gone", self.admin), 204)
        trash = [json.loads(line) for line in self.server.get("/-/v1/trash", bearer(self.admin)).lines()]
        mine = [json.loads(line) for line in self.server.get("/-/v1/trash", bearer(self.deleter)).lines()]
        self.assertEqual({each["first"].split("/")[0] for each in mine}, {"downloads"})
        theirs = next(each for each in trash if each["first"] == "secret/gone")
        own = next(each for each in trash if each["first"] == "downloads/gone")
        undo = "/-/v1/undo?generation=%d"
        self.assertEqual(self.status("POST", undo % theirs["generation"], self.deleter, b""), 403)
        self.assertEqual(self.status("POST", "/-/v1/undo", self.deleter, b""), 403)
        self.assertEqual(self.status("POST", undo % own["generation"], self.deleter, b""), 200)
        self.assertEqual(self.server.get("/downloads/gone").status, 200)


class Hidden(AccessTest):
    def test_nothing_tells_of_a_hidden_namespace(self):
        for target in ("/", "/-/v1/stat", "/-/metrics"):
            body = self.server.get(target, {"Accept": "application/json"}).body
            self.assertNotIn(b"secret", body, target)
            self.assertIn(b"downloads", body)
            self.assertIn(b"secret", self.server.get(target, {"Accept": "application/json", **bearer(self.reader)}).body)
        self.assertNotIn(b"secret", self.server.get("/", {"Accept": harness.BROWSER_ACCEPT}).body)
        seen = self.server.request("PROPFIND", "/", headers={"Depth": "1"}).body
        self.assertIn(b"/downloads/", seen)
        self.assertNotIn(b"secret", seen)

    def test_the_answer_is_the_same_whether_it_is_there_or_not(self):
        def answers(token):
            headers = {"Accept": "*/*", **(bearer(token) if token else {})}
            got = []
            for name in ("plan", "nothing", "d/", "index.txt", ""):
                for method in ("GET", "HEAD", "DELETE", "PROPFIND"):
                    answer = self.server.request(method, "/secret/" + name, headers={"Depth": "1", **headers})
                    fields = sorted(field for field in answer.headers.items() if field[0] != "Date")
                    got.append((method, answer.status, answer.body, fields))
            return got
        for token in (None, self.writer):
            for method in ("GET", "HEAD", "DELETE", "PROPFIND"):
                self.assertEqual(len({repr(each[1:]) for each in answers(token) if each[0] == method}), 1)
        missing = [self.server.request("POST", "/-/v1/find-missing?namespace=secret", body).status
                   for body in (b"plan\n", b"nothing\n")]
        self.assertEqual(missing, [401, 401])
        self.assertEqual(self.status("GET", "/-/v1/digests?namespace=secret", self.writer), 403)

    def test_the_ledger_shows_what_its_reader_looks_after(self):
        self.status("PUT", "/downloads/logged", self.admin, b"x")
        lines = [json.loads(line) for line in self.server.get("/-/v1/log", bearer(self.deleter)).lines()]
        self.assertEqual({line["name"].split("/")[0] for line in lines}, {"downloads"})
        everything = self.server.get("/-/v1/log", bearer(self.admin)).body
        self.assertIn(b"secret/plan", everything)
        self.assertIn(b'"action":"grant"', everything)

    def test_snapshots_hide_what_their_namespace_hides(self):
        self.assertEqual(self.status("POST", "/-/v1/snapshots", self.deleter, b'{"name":"one"}'), 403)
        self.assertEqual(self.status("POST", "/-/v1/snapshots", self.admin, b'{"name":"one"}'), 201)
        self.assertEqual(self.server.get("/@one/secret/plan").status, 401)
        self.assertEqual(self.server.get("/@one/downloads/open.tar.gz").status, 200)
        self.assertNotIn(b"secret", self.server.get("/-/v1/snapshots").body)
        self.assertNotIn(b"secret", self.server.get("/@one", {"Accept": "application/json"}).body)

    def test_statistics_may_be_for_some_only(self):
        server = self.own_server({**self.config, "access": {"anonymous": CLOSED, "status": "admin"}})
        admin = self.offline(server, "create", "--name", "root", "--can", "admin").strip()
        wait_until(lambda: server.get("/-/v1/stat", bearer(admin)).status == 200, "the token works")
        self.assertEqual(server.get("/-/metrics").status, 401)
        self.assertEqual(server.get("/-/v1/stat").status, 401)


class Tokens(AccessTest):
    def test_the_file_is_private_and_holds_no_token(self):
        file = os.path.join(self.server.data, "access", "tokens")
        self.assertEqual(stat.S_IMODE(os.stat(file).st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(os.stat(os.path.dirname(file)).st_mode), 0o700)
        content = read_file(file).decode()
        for token in (self.admin, self.reader, self.writer):
            self.assertNotIn(token.split("_")[2], content)

    def test_a_token_may_be_shown_in_each_way(self):
        for headers in (bearer(self.reader), basic("reader", self.reader), basic("whoever", self.reader),
                        {"Authorization": "bearer " + self.reader}):
            self.assertEqual(self.server.get("/secret/plan", headers).status, 200, headers)
        self.assertEqual(self.server.get("/downloads/open.tar.gz", basic("anonymous", "me@home")).status, 200)
        self.assertEqual(self.server.get("/secret/plan", basic("anonymous", "me@home")).status, 401)
        self.assertEqual(self.server.get("/secret/plan", basic("anonymous", self.reader)).status, 200)

    def test_hostile_credentials_are_wrong_credentials(self):
        connection = self.server.connection()
        for value in ("Basic", "Basic !!!", "Basic " + base64.b64encode(b"no colon").decode(),
                      "Basic " + base64.b64encode(b"a\0b:c").decode(), "Bearer " + "x" * 8000, "Digest a=b", "Bearer " + self.reader[:-1] + ("0" if self.reader[-1] != "0" else "1")):
            answer = self.server.get("/downloads/open.tar.gz", {"Authorization": value})
            self.assertEqual(answer.status, 401, value[:40])
            self.assertNotIn(value[8:40].encode() or b"?", answer.body)
        connection.close()
        self.assertGreaterEqual(self.server.get("/-/v1/stat", bearer(self.admin)).json()["failed_logins"], 7)

    def test_revoking_works_at_once_on_open_connections(self):
        token = self.create(self.server, self.admin, "short", "read")
        connection = self.server.connection()
        self.assertEqual(self.server.get("/secret/plan", bearer(token), connection).status, 200)
        self.assertEqual(self.status("DELETE", "/-/v1/tokens?token=short", self.admin), 200)
        self.assertEqual(self.server.get("/secret/plan", bearer(token), connection).status, 401)
        connection.close()

    def test_a_token_expires_on_an_open_connection(self):
        token = self.create(self.server, self.admin, "brief", "read", expires_in=2)
        connection = self.server.connection()
        self.assertEqual(self.server.get("/secret/plan", bearer(token), connection).status, 200)
        wait_until(lambda: self.server.get("/secret/plan", bearer(token), connection).status == 401, "it expires")
        connection.close()

    def test_offline_list_and_revoke(self):
        token = self.offline(self.server, "create", "--name", "off", "--can", "read", "--expires", "1d").strip()
        self.assertIn("off  read  *  expires in", self.offline(self.server, "list"))
        self.assertNotIn(token, self.offline(self.server, "list"))
        wait_until(lambda: self.status("GET", "/secret/plan", token) == 200, "the daemon notices")
        self.assertIn("already", self.offline(self.server, "create", "--name", "off", "--can", "read", expect=1))
        self.offline(self.server, "revoke", "off")
        wait_until(lambda: self.status("GET", "/secret/plan", token) == 401, "the daemon notices")
        self.assertIn("no namespace 'x'", self.offline(self.server, "create", "--name", "n", "--can", "read",
                                                        "--namespace", "x", expect=1))

    def test_the_client_makes_lists_and_revokes(self):
        made = self.as_client(self.admin, "token", "create", "--name", "by-client", "--can", "read,write",
                              "--namespace", "sstate-cache", "--expires", "90d")
        token = made.stdout.strip()
        self.assertTrue(token.startswith("larder_"))
        self.assertEqual(self.status("PUT", "/sstate-cache/cl/ie/nt.tar.zst", token, b"x"), 201)
        listed = self.as_client(self.admin, "token", "list").stdout
        self.assertRegex(listed, r"by-client +read,write +sstate-cache +20")
        self.as_client(self.admin, "token", "revoke", "by-client")
        self.assertEqual(self.status("GET", "/sstate-cache/cl/ie/nt.tar.zst", token), 401)
        self.assertIn("needs admin", self.as_client(self.writer, "token", "list", expect=3).stderr)

    def test_a_damaged_token_file_takes_no_new_token_and_loses_no_old_one(self):
        server = self.own_server(self.config)
        admin = self.offline(server, "create", "--name", "root", "--can", "admin").strip()
        wait_until(lambda: server.get("/-/v1/tokens", bearer(admin)).status == 200, "the token works")
        write_file(os.path.join(server.data, "access", "tokens"), b"larder-tokens 1\n\0\0\nend 1\n")
        wait_until(lambda: "is damaged: line 2" in server.log(), "the log tells")
        self.assertEqual(server.get("/-/v1/tokens", bearer(admin)).status, 200)
        self.assertIn("damaged", self.offline(server, "list", expect=1))
        self.assertEqual(server.stop(), 0)
        server.start()
        self.assertEqual(server.get("/-/v1/tokens", bearer(admin)).status, 401)  # nobody can be told from others
        self.assertEqual(server.get("/downloads/x").status, 404)

    def test_nothing_secret_reaches_a_log(self):
        server = self.own_server(self.config)
        admin = self.offline(server, "create", "--name", "root", "--can", "admin").strip()
        wait_until(lambda: server.get("/-/v1/tokens", bearer(admin)).status == 200, "the token works")
        server.get("/downloads/x", basic("anna", "hunter2"))
        with server.raw() as raw:
            raw.send(b"GET http://anna:hunter2@host/downloads/x HTTP/1.1\r\nHost: t\r\n\r\n")
            self.assertEqual(raw.response().status, 400)
        with ftplib.FTP() as ftp:
            ftp.connect("127.0.0.1", server.ftp_port)
            with self.assertRaises(ftplib.error_perm):
                ftp.login("anna", "hunter2")
            ftp.login("root", admin)
            with self.assertRaises(ftplib.error_perm):
                ftp.size("/secret/nothing")
        wait_until(lambda: '"user":"root"' in server.log(), "the access log names the user")
        self.assertNotIn("hunter2", server.log())
        self.assertNotIn(admin.split("_")[2], server.log())

    def test_the_access_log_does_not_name_who_asked_before(self):
        path = os.path.join(self.temporary_directory(), "access.json")
        server = self.own_server({**self.config, "log": {"access": path, "format": "json"}})
        admin = self.offline(server, "create", "--name", "root", "--can", "admin").strip()
        wait_until(lambda: server.get("/-/v1/tokens", bearer(admin)).status == 200, "the token works")
        known = ("Host: t\r\nAuthorization: Bearer %s\r\n\r\n" % admin).encode()
        asked = [(b"GET /secret/known HTTP/1.1\r\n" + known, 404), (b"GET /-/health HTTP/1.1\r\nHost: t\r\n\r\n", 200),
                 (b"GET /secret/known HTTP/1.1\r\n" + known, 404), (b"OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n", 204),
                 (b"DELETE /secret/%ff HTTP/1.1\r\nHost: t\r\n\r\n", 400),
                 (b"GET /-/v1/tokens HTTP/1.1\r\n" + known, 200), (b"GET / HTTP/9.9\r\nHost: t\r\n\r\n", None)]
        with server.raw() as raw:
            for request, status in asked:
                raw.send(request)
                answer = raw.response()
                if status:
                    self.assertEqual(answer.status, status, request)
        self.assertEqual(server.stop(), 0)
        users = [json.loads(line).get("user") or None for line in read_file(path).splitlines()][-len(asked):]
        self.assertEqual(users, ["root", None, "root", None, None, "root", None])


class Passwords(AccessTest):
    def test_an_htpasswd_file_lets_users_in_by_their_rights(self):
        directory = self.temporary_directory()
        file = os.path.join(directory, "htpasswd")
        hashed = subprocess.run(["openssl", "passwd", "-6", "horse"], stdout=subprocess.PIPE, text=True, check=True)
        write_file(file, ("anna:%s\nbob:%s" % (hashed.stdout, hashed.stdout)).encode())
        server = self.own_server({**self.config, "access": {
            "anonymous": CLOSED, "htpasswd": file,
            "users": ["others = read on secret", "anna = read write on secret downloads"]}})
        self.assertEqual(server.put("/secret/new", b"x", basic("anna", "horse")).status, 201)
        self.assertEqual(server.put("/secret/newer", b"x", basic("bob", "horse")).status, 403)
        self.assertEqual(server.get("/secret/new", basic("bob", "horse")).body, b"x")
        self.assertEqual(server.get("/secret/new", basic("anna", "house")).status, 401)
        self.assertEqual(server.get("/secret/new", basic("nobody", "horse")).status, 401)
        with ftplib.FTP() as ftp:
            ftp.connect("127.0.0.1", server.ftp_port)
            ftp.login("anna", "horse")
            self.assertEqual(sorted(ftp.nlst("/")), ["/downloads", "/secret"])

    def test_the_second_request_with_a_password_is_quick(self):
        file = os.path.join(self.temporary_directory(), "htpasswd")
        hashed = subprocess.run(["openssl", "passwd", "-6", "horse"], stdout=subprocess.PIPE, text=True, check=True)
        write_file(file, ("anna:" + hashed.stdout).encode())
        server = self.own_server({**self.config, "access": {"anonymous": CLOSED, "htpasswd": file,
                                                             "users": ["anna = read"]}})
        for _ in range(50):  # each on a connection of its own
            self.assertEqual(server.get("/secret/x", basic("anna", "horse")).status, 404)

    def test_a_flood_of_passwords_is_bounded_and_does_not_hold_up_the_end(self):
        file = os.path.join(self.temporary_directory(), "htpasswd")
        slow = "$6$rounds=2000000$salt$" + "x" * 86  # seconds a check; nobody's
        write_file(file, ("anna:%s\n" % slow).encode())
        server = self.own_server({**self.config, "shutdown_timeout": "1s",
                                  "access": {"anonymous": CLOSED, "htpasswd": file, "users": ["anna = read"]}})
        statuses = []

        def guess(number):
            try:
                statuses.append(server.get("/secret/x", basic("anna", "guess %d" % number)).status)
            except (OSError, http.client.HTTPException):
                statuses.append(0)  # cut off
        threads = [threading.Thread(target=guess, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        wait_until(lambda: statuses.count(429) >= 20, "most of them are told to come back")
        self.assertEqual(server.get("/downloads/x").status, 404)
        start = time.monotonic()
        self.assertEqual(server.stop(), 0)
        self.assertLess(time.monotonic() - start, 30)
        for thread in threads:
            thread.join()

    def test_weak_hashes_are_refused_with_a_reason(self):
        file = os.path.join(self.temporary_directory(), "htpasswd")
        write_file(file, b"anna:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n")
        server = self.own_server({"namespaces": NAMESPACES, "access": {"htpasswd": file}})
        self.assertIn("line 1 (anna) is SHA-1", server.log())
        self.assertEqual(server.get("/secret/x", basic("anna", "password")).status, 401)


class Guessing(AccessTest):
    def test_who_guesses_waits_and_others_do_not(self):
        server = self.own_server(self.config)
        admin = self.offline(server, "create", "--name", "root", "--can", "admin").strip()
        wait_until(lambda: server.get("/-/v1/tokens", bearer(admin)).status == 200, "the token works")

        def took(headers):
            start = time.monotonic()
            server.get("/downloads/x", headers)
            return time.monotonic() - start
        waits = [took(basic("anna", "guess %d" % i)) for i in range(4)]
        self.assertGreater(waits[0], 0.2)
        self.assertGreater(waits[3], 1.8)
        guesser = harness.InBackground(lambda number, stop: took(basic("anna", "another %d" % number)), 4)
        with guesser:
            self.assertLess(took(bearer(admin)), 2)
            self.assertLess(took({}), 2)

    def test_a_build_with_an_old_token_is_not_held_up_for_hours(self):
        server = self.own_server(self.config)
        self.offline(server, "create", "--name", "root", "--can", "admin")
        old = "larder_" + "0" * 12 + "_" + "0" * 64
        wait_until(lambda: server.get("/downloads/x", bearer(old)).status == 401, "it is wrong")
        connection = server.connection()
        start = time.monotonic()
        for _ in range(5):
            self.assertEqual(server.head("/downloads/x", bearer(old), connection).status, 401)
        self.assertLess(time.monotonic() - start, 5 * 1.5)
        connection.close()


class WithoutTokens(LarderTest):
    config = {"write": "nobody"}

    def test_credentials_mean_nothing_where_nobody_can_log_in(self):
        self.assertEqual(self.server.get("/downloads/x", basic("proxy", "secret")).status, 404)
        answer = self.server.put("/downloads/x", b"x", basic("proxy", "secret"))
        self.assertEqual(answer.status, 403)
        self.assertIn("larderd token create", answer.json()["detail"])
        self.assertIsNone(answer.headers.get("WWW-Authenticate"))


class WebPages(LarderTest):
    """The machine of the browser may do everything here; a page that the browser shows may not."""
    config = {"namespaces": NAMESPACES}

    def test_a_page_of_elsewhere_changes_nothing(self):
        self.assertEqual(self.server.put("/downloads/kept", b"content").status, 201)
        form = {"Content-Type": "text/plain"}  # what is sent without being asked for first
        for page in ({"Origin": "http://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                     {"Sec-Fetch-Site": "same-site"}, {"Origin": self.server.url, "Sec-Fetch-Site": "same-origin"}):
            for method, target, body in (("POST", "/-/v1/prune?namespace=downloads&yes=1", b"{}"),
                                         ("POST", "/-/v1/uploads?namespace=downloads", b"x" * 100_000),
                                         ("POST", "/-/v1/verify?repair=1", b""), ("POST", "/-/v1/nothing", b""),
                                         ("POST", "/-/v1/tokens", b"{}"), ("DELETE", "/-/v1/trash", None),
                                         ("PUT", "/downloads/new", b"x"), ("DELETE", "/downloads/kept", None),
                                         ("MKCOL", "/downloads/d", None)):
                answer = self.server.request(method, target, body, {**form, **page})
                self.assertEqual(answer.status, 403, (method, target, page))
                self.assertIn("a web page may not change what is stored here", answer.json()["detail"])
        self.assertEqual(self.server.index("downloads"), ["kept"])

    def test_a_refused_page_keeps_its_connection(self):
        connection = self.server.connection()
        page = {"Origin": "http://evil.example"}
        for _ in range(3):
            self.assertEqual(self.server.request("PUT", "/downloads/x", b"x" * 1000, page, connection).status, 403)
            self.assertEqual(self.server.get("/downloads/x", page, connection).status, 404)
        connection.close()

    def test_looking_is_free(self):
        page = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
        self.assertEqual(self.server.get("/", page).status, 200)
        self.assertEqual(self.server.head("/downloads/nothing", page).status, 404)
        self.assertEqual(self.server.request("OPTIONS", "/downloads/", None, page).status, 204)
        self.assertEqual(self.server.request("PROPFIND", "/downloads/", None, {**page, "Depth": "0"}).status, 207)


class FtpSessions(AccessTest):
    def session(self, token, server=None):
        control = Control(server or self.server, login=False)
        self.addCleanup(control.close)
        self.log_in(control, token)
        return control

    def log_in(self, control, token):
        self.assert_code(331, control.ask("USER x"))
        self.assert_code(230, control.ask("PASS " + token))

    def assert_code(self, code, reply):
        self.assertEqual(reply[:3], str(code), reply)

    def cut(self, control, name, content, server=None):
        """An upload of which no more than `content` comes."""
        staging = os.path.join((server or self.server).data, "tmp")
        data = control.passive()
        self.assert_code(150, control.ask("STOR " + name))
        data.sendall(content)
        wait_until(lambda: any(os.path.getsize(os.path.join(staging, each)) == len(content)
                               for each in os.listdir(staging)), "the first part is there")
        reset(data)
        self.assertIn("are kept for APPE", control.reply())

    def test_a_rename_makes_nothing_readable_that_the_asker_may_not_read(self):
        mover = self.create(self.server, self.admin, "mover", "write,delete", "secret,downloads")
        self.assertEqual(self.status("PUT", "/secret/moved", self.admin, b"hidden"), 201)
        control = self.session(mover)
        self.assert_code(350, control.ask("RNFR /secret/moved"))
        refusal = control.ask("RNTO /downloads/moved")
        self.assert_code(550, refusal)
        self.assertIn("read in secret", refusal)
        self.assertEqual(self.server.get("/downloads/moved").status, 404)
        self.assertEqual(self.status("GET", "/secret/moved", self.admin), 200)
        self.assert_code(350, control.ask("RNFR /secret/moved"))
        self.assert_code(250, control.ask("RNTO /secret/within"))

        remover = self.create(self.server, self.admin, "remover", "delete", "secret")
        self.assert_code(550, self.session(remover).ask("RNFR /secret/within"))

        both = self.create(self.server, self.admin, "both", "read,write,delete", "secret,downloads")
        control = self.session(both)
        self.assert_code(350, control.ask("RNFR /secret/within"))
        self.assert_code(250, control.ask("RNTO /downloads/moved"))
        self.assertEqual(self.server.get("/downloads/moved").body, b"hidden")
        lines = [json.loads(line) for line in self.server.get("/-/v1/log?namespace=secret", bearer(remover)).lines()]
        self.assertIn("renamed into another namespace", [line.get("why") for line in lines])
        self.assertNotIn("downloads/moved", json.dumps(lines))

    def test_nobody_goes_on_with_the_upload_of_who_was_logged_in_before(self):
        other = self.create(self.server, self.admin, "other", "read,write", "downloads")
        first, rest = os.urandom(262144), os.urandom(1000)
        control = self.session(self.writer)
        self.cut(control, "/downloads/begun", first)
        self.log_in(control, other)
        self.assert_code(553, control.store("/downloads/begun", rest, verb="APPE"))
        self.assertEqual(self.server.get("/downloads/begun").status, 404)
        wait_until(lambda: not os.listdir(os.path.join(self.server.data, "tmp")), "nothing is kept of it")
        self.cut(control, "/downloads/begun", first)
        self.assert_code(501, control.ask("USER"))  # which ends nothing
        self.assert_code(226, control.store("/downloads/begun", rest, verb="APPE"))
        self.assertEqual(self.server.get("/downloads/begun").body, first + rest)
        line = json.loads(self.as_client(self.admin, "log", "--match", "*begun", "--json").stdout.splitlines()[0])
        self.assertEqual(line["actor"], "other@127.0.0.1")

    def test_an_upload_that_goes_on_replaces_nothing_once_the_right_to_is_gone(self):
        opened = {**CLOSED, "write": ["downloads"], "replace": ["downloads"]}
        server = self.own_server({**self.config, "access": {"anonymous": opened}})
        name = "/downloads/git2_example.org.linux.tar.gz"
        self.assertEqual(server.put(name, b"old").status, 201)
        control = Control(server)
        self.addCleanup(control.close)
        first, rest = os.urandom(262144), os.urandom(1000)
        self.assert_code(200, control.ask("ALLO %d" % (len(first) + len(rest))))  # else it has to be an archive
        self.cut(control, name, first, server)
        server.config = {**self.config, "access": {"anonymous": {**opened, "replace": ["none"]}}}
        server.write_config()
        server.signal(signal.SIGHUP)
        wait_until(lambda: "configuration read again" in server.log(), "the rules are read again")
        refusal = control.store(name, rest, verb="APPE")
        self.assert_code(553, refusal)
        self.assertIn("the right to replace", refusal)
        self.assertEqual(server.get(name).body, b"old")

    def test_a_snapshot_of_hidden_namespaces_answers_as_one_that_is_not_there(self):
        body = b'{"name":"snap1","namespaces":["secret"]}'
        self.assertEqual(self.status("POST", "/-/v1/snapshots", self.admin, body), 201)
        page = {"Accept": harness.BROWSER_ACCEPT}

        def answers(name):
            targets = ("/@%s", "/@%s/", "/@%s/downloads", "/@%s/downloads/", "/@%s/downloads/x", "/@%s/downloads/index.txt")
            told = []
            for target in targets:
                for method in ("HEAD", "GET"):
                    for headers in ({}, page):
                        answer = self.server.request(method, target % name, None, headers)
                        told.append((target, method, answer.status, answer.body.replace(name.encode(), b"NAME")))
            commands = ("CWD /@%s", "CWD /@%s/downloads", "MLST /@%s", "MLST /@%s/downloads", "SIZE /@%s",
                        "SIZE /@%s/downloads", "STAT /@%s", "STAT /@%s/downloads", "STAT /@%s/downloads/*")
            with Control(self.server) as control:
                told += [(each, control.ask(each % name).replace(name, "NAME")) for each in commands]
                for each in ("LIST /@%s", "NLST /@%s/downloads", "MLSD /@%s"):
                    told.append((each, control.listing(each % name).replace(name, "NAME")))
            return told
        self.assertEqual(answers("snap1"), answers("snap0"))
        self.assertEqual(self.status("HEAD", "/@snap1/", self.reader), 200)
        self.assertEqual(self.status("HEAD", "/@snap1/secret/", self.reader), 200)
        control = self.session(self.reader)
        self.assert_code(250, control.ask("CWD /@snap1"))
        self.assertEqual(control.listing("NLST"), "secret\r\n")


class Clients(AccessTest):
    """The programs that people have."""

    def netrc(self, token, mode=0o600):
        home = self.temporary_directory()
        file = os.path.join(home, ".netrc")
        write_file(file, ("machine 127.0.0.1 login ci password %s\n" % token).encode())
        os.chmod(file, mode)
        return home

    def curl(self, *arguments, **options):
        return run_tool("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", *arguments, **options).stdout

    @needs("curl")
    def test_curl(self):
        url = self.server.url + "/secret/plan"
        self.assertEqual(self.curl("-u", "x:" + self.reader, url), "200")
        self.assertEqual(self.curl("-H", "Authorization: Bearer " + self.reader, url), "200")
        self.assertEqual(self.curl("--netrc-file", self.netrc(self.reader) + "/.netrc", url), "200")
        self.assertEqual(self.curl(url), "401")
        body = os.path.join(self.temporary_directory(), "body")
        write_file(body, os.urandom(3 << 20))
        new = self.server.url + "/downloads/big.tar.gz"
        self.assertEqual(self.curl("-T", body, "-H", "Expect: 100-continue", new), "401")
        self.assertEqual(self.curl("-T", body, "-H", "Expect: 100-continue", "-u", "x:" + self.writer, new), "201")
        # Credentials after a challenge only: the body waits for 100, which a 401 takes the place of.
        self.assertEqual(self.curl("-T", body, "--anyauth", "-u", "x:" + self.writer, new + "2"), "201")

    def test_a_challenge_comes_before_the_body(self):
        with self.server.raw() as raw:
            raw.send(b"PUT /downloads/x HTTP/1.1\r\nHost: t\r\nContent-Length: 1000000000\r\nExpect: 100-continue\r\n\r\n")
            answer = raw.response()
            self.assertEqual(answer.status, 401)
            self.assertIn("Basic", answer.headers["WWW-Authenticate"])

    @needs("wget")
    def test_wget_sends_credentials_once_it_was_asked(self):
        home = self.netrc(self.reader)
        directory = self.temporary_directory()
        for arguments, environment in (((), {"HOME": home}),
                                       (("--user=ci", "--password=" + self.reader), {}),
                                       (("--user=ci", "--password=" + self.reader, "--auth-no-challenge"), {})):
            file = os.path.join(directory, "plan")
            done = subprocess.run(["wget", "-q", "-O", file, *arguments, self.server.url + "/secret/plan"], timeout=60,
                                  env={**os.environ, "HOME": directory, **environment}, check=False)
            self.assertEqual(done.returncode, 0, arguments)
            self.assertEqual(read_file(file), b"secret/plan")
        done = subprocess.run(["wget", "-q", "-O", "/dev/null", self.server.url + "/secret/plan"], timeout=60,
                              env={**os.environ, "HOME": directory}, check=False)
        self.assertEqual(done.returncode, 6)  # authentication

    def test_ftp_logs_in_with_a_token_as_the_password(self):
        with ftplib.FTP() as ftp:
            ftp.connect("127.0.0.1", self.server.ftp_port)
            ftp.login("ci", self.writer)
            self.assertEqual(sorted(ftp.nlst("/")), ["/downloads", "/sstate-cache"])
            ftp.voidcmd("TYPE I")
            self.assertEqual(ftp.size("/downloads/open.tar.gz"), 21)
            with self.assertRaisesRegex(ftplib.error_perm, "^550 token 'ci' may not do this.*delete in downloads"):
                ftp.delete("/downloads/open.tar.gz")
            with self.assertRaisesRegex(ftplib.error_perm, "^550 .*read in secret"):
                ftp.size("/secret/plan")
            with self.assertRaisesRegex(ftplib.error_perm, "^550 .*read in secret"):
                ftp.size("/secret/nothing")
            with self.assertRaisesRegex(ftplib.error_perm, "^550 .*delete"):
                ftp.rename("/downloads/open.tar.gz", "/downloads/closed.tar.gz")
            with self.assertRaises(ftplib.error_perm):
                ftp.cwd("/secret")
        with ftplib.FTP() as ftp:
            ftp.connect("127.0.0.1", self.server.ftp_port)
            ftp.login()
            self.assertEqual(ftp.nlst("/"), ["/downloads"])
            with self.assertRaisesRegex(ftplib.error_perm, "^532 "):
                ftp.mkd("/downloads/d")
            self.assertEqual(ftp.sendcmd("PASS me@home"), "230 Anonymous needs no password")
            self.assertEqual(ftp.sendcmd("PASS " + self.writer), "230 Logged in as ci")
            self.assertEqual(sorted(ftp.nlst("/")), ["/downloads", "/sstate-cache"])
        with ftplib.FTP() as ftp:
            ftp.connect("127.0.0.1", self.server.ftp_port)
            with self.assertRaisesRegex(ftplib.error_perm, "^530 "):
                ftp.login("ci", "wrong")

    def test_a_session_of_ftp_ends_when_its_token_is_revoked(self):
        token = self.create(self.server, self.admin, "ftp-short", "read")
        with ftplib.FTP() as ftp:
            ftp.connect("127.0.0.1", self.server.ftp_port)
            ftp.login("x", token)
            ftp.cwd("/secret")
            self.status("DELETE", "/-/v1/tokens?token=ftp-short", self.admin)
            with self.assertRaisesRegex(ftplib.error_temp, "^421 "):
                ftp.pwd()

    @needs("lftp")
    def test_lftp(self):
        directory = self.temporary_directory()
        file = os.path.join(directory, "by-lftp.txt")
        write_file(file, b"by lftp")
        done = run_tool("lftp", "-u", "ci," + self.writer, "-e",
                        "set ftp:ssl-allow no; set net:max-retries 1; put %s -o /downloads/by-lftp.txt; bye" % file,
                        self.server.ftp_url)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.server.get("/downloads/by-lftp.txt").body, b"by lftp")

    def test_the_client_finds_its_token(self):
        directory = self.temporary_directory()
        file = os.path.join(directory, "token")
        write_file(file, (self.reader + "\n").encode())
        get = ("get", "secret/plan", "-o", "-")
        self.assertEqual(self.server.client("--token-file", file, *get).stdout, "secret/plan")
        self.assertEqual(self.as_client(self.reader, *get).stdout, "secret/plan")
        os.environ["LARDER_TOKEN_FILE"] = file
        try:
            self.assertEqual(self.server.client(*get).stdout, "secret/plan")
        finally:
            del os.environ["LARDER_TOKEN_FILE"]
        self.assertIn("seen by everybody", self.server.client("--token", self.reader, *get, expect=2).stderr)
        self.assertIn("LARDER_TOKEN", self.server.client(*get, expect=3).stderr)
        self.assertIn("wrong, have expired or were revoked", self.as_client("wrong", *get, expect=3).stderr)

    def test_seeding_says_what_the_token_lacks(self):
        tree = os.path.join(self.temporary_directory(), "dl")
        write_file(os.path.join(tree, "seeded.tar.gz"), b"not an archive")
        refused = self.as_client(self.reader, "seed", "--no-verify", "--namespace", "downloads", tree, expect=None)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("it needs write in downloads", refused.stdout + refused.stderr)
        self.as_client(self.writer, "seed", "--no-verify", "--namespace", "downloads", tree)
        self.assertEqual(self.server.get("/downloads/seeded.tar.gz").status, 200)

    def test_ledger_and_prune_know_uploaders_by_name(self):
        self.status("PUT", "/downloads/named", self.writer, b"named")
        lines = self.as_client(self.admin, "log", "--by", "ci", "--match", "*named", "--json").stdout.splitlines()
        self.assertEqual([json.loads(line)["actor"] for line in lines], ["ci@127.0.0.1"])
        plan = self.as_client(self.admin, "purge", "downloads", "--uploaded-by", "ci", "--since", "2 days ago",
                              "--list").stdout
        self.assertIn("downloads/named", plan)
        self.assertNotIn("downloads/open", plan)
        self.as_client(self.admin, "purge", "downloads", "--uploaded-by", "ci", "--since", "2 days ago", "--match",
                       "named", "--yes")
        self.assertEqual(self.server.get("/downloads/named").status, 404)
        self.as_client(self.admin, "undo")
        self.assertEqual(self.server.get("/downloads/named").status, 200)
        later = self.as_client(self.admin, "purge", "downloads", "--uploaded-by", "ci", "--since",
                               "@%d" % (time.time() + 100)).stdout
        self.assertIn("nothing goes", later)


if __name__ == "__main__":
    unittest.main()

"""What every judgement needs: servers to attack, and a bystander who wants to be served meanwhile."""
import http.client
import os
import shutil
import socket
import subprocess
import threading
import time
from dataclasses import dataclass

import servers

DEADLINE = 30.0
BYSTANDER = "127.0.0.9"  # not the attacker's address: what is limited by address is not its business


class Verdict(str):
    """What a server did. `broken`: what it must not do."""

    broken = False

    @staticmethod
    def of(holds, text):
        verdict = Verdict(text if holds else "**%s**" % text)
        verdict.broken = not holds
        return verdict


@dataclass
class Row:
    what: str
    larder: Verdict
    peer: str = ""


class _Programs:
    def __init__(self, build):
        self.larderd = os.path.join(os.path.abspath(build), "server/larderd")
        path = os.environ.get("PATH", "") + ":/usr/sbin"
        self.nginx = shutil.which("nginx", path=path)
        self.vsftpd = shutil.which("vsftpd", path=path)


NGINX_DAV = """
    location /upload/ { root %s; dav_methods PUT DELETE MKCOL COPY MOVE; create_full_put_path on; client_max_body_size 0; }"""


class Arena:
    """Servers on one small tree, started when they are asked for and stopped at the end."""

    def __init__(self, build, work):
        self.programs = _Programs(build)
        self.work = work
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for each in self.running:
            each.stop()

    def start(self, server):
        server.start()
        self.running.append(server)
        return server

    def larderd(self, most_connections=None, tls=None, **settings):
        """`tls`: (certificate, key); https then listens on tls_port, and FTP takes AUTH TLS."""
        data = os.path.join(self.work, "larder%d" % len(self.running))
        settings = {"free_space_floor": 0, "free_inode_floor": 0, "tls": {}, **settings}
        server = servers.Larderd(self.programs, data, access=data + ".access", with_ftp=not most_connections, **settings)
        if most_connections:
            server.also("http", "max_connections", most_connections)
        if tls:
            server.tls_port = servers.unused_port()
            server.also("http", "listen_tls", ["127.0.0.1:%d" % server.tls_port])
            server.also("tls", "certificates", [{"certificate": tls[0], "key": tls[1]}])
            server.also("ftp", "tls", "optional")
        self.start(server)
        status, _ = server.request("PUT", "/sstate-cache/ab/object", b"content")
        assert status == 201, status
        return server

    def _plain_tree(self):
        root = os.path.join(self.work, "root")
        os.makedirs(os.path.join(root, "sstate-cache", "ab"), exist_ok=True)
        os.makedirs(os.path.join(root, "upload"), exist_ok=True)
        with open(os.path.join(root, "sstate-cache", "ab", "object"), "wb") as file:
            file.write(b"content")
        return root

    def certificate(self):
        """Signed by itself, ECDSA P-256: (certificate, key)."""
        files = [os.path.join(self.work, name) for name in ("cert.pem", "key.pem")]
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                        "90", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                        "-out", files[0], "-keyout", files[1]], check=True, stderr=subprocess.DEVNULL)
        os.chmod(files[1], 0o600)
        return files

    def nginx(self, tls=None):
        """None when it is not installed."""
        if not self.programs.nginx:
            return None
        root = self._plain_tree()
        certificate, key = tls or (None, None)
        server = servers.Nginx(self.programs, os.path.join(self.work, "nginx"), root, "nginx", connections=12000,
                               certificate=certificate, key=key)
        file = os.path.join(self.work, "nginx", "nginx.conf")
        with open(file) as config:
            text = config.read()
        with open(file, "w") as config:
            config.write(text.replace("    location = /ready", NGINX_DAV % root + "\n    location = /ready"))
        return self.start(server)

    def vsftpd(self):
        if not self.programs.vsftpd or os.getuid() != 0:
            return None
        return self.start(servers.Vsftpd(self.programs, os.path.join(self.work, "vsftpd"), self._plain_tree(), "vsftpd"))


class Bystander:
    """with Bystander(port) as bystander: … asks for an object over and over, each time on a new connection."""

    def __init__(self, port):
        self.port = port
        self.waits = []
        self.failures = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _ask(self):
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                connection = http.client.HTTPConnection("127.0.0.1", self.port, DEADLINE, (BYSTANDER, 0))
                connection.request("GET", "/sstate-cache/ab/object")
                if connection.getresponse().read() != b"content":
                    self.failures += 1
                connection.close()
            except OSError:
                self.failures += 1
            self.waits.append(time.monotonic() - began)
            self._stop.wait(0.05)

    def verdict(self):
        text = "%d of %d served, the slowest after %d ms" % (
            len(self.waits) - self.failures, len(self.waits), 1000 * max(self.waits, default=0))
        return Verdict.of(self.failures == 0 and self.waits, text)


def alive(server):
    """Whether it still runs and serves."""
    return server.process.poll() is None and server.request("GET", "/sstate-cache/ab/object") == (200, b"content")


def exchange(port, request, half_close=False, deadline=DEADLINE):
    """Sends bytes and returns all that comes back until the peer closes or says nothing more."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), deadline) as connection:
        try:
            connection.sendall(request)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it had heard enough
        connection.settimeout(2.0)
        try:
            while piece := connection.recv(65536):
                answer += piece
        except OSError:
            pass
    return answer


def statuses(answer):
    """The status of each response in what came back."""
    return [int(line.split()[1]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.") and len(line.split()) > 1]

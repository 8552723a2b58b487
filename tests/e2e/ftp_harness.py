"""FTP sessions that say just what a test says, and the base of the tests that use them."""
import os
import socket
import struct
import subprocess

import harness
from harness import LarderTest, wait_until

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

"""What every end-to-end test needs: a running larderd, ways to talk to it, and
trees to feed it. Only the standard library; the programs are the installed ones.

LARDER_PREFIX       where the build is installed (bin/larder, sbin/larderd)
LARDER_SAMPLE_TREE  the larder-sample-tree program
LARDER_KEEP         set: keep the working directories
"""
import atexit
import concurrent.futures
import hashlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

PREFIX = os.environ.get("LARDER_PREFIX") or sys.exit("set LARDER_PREFIX to where larder is installed")
SAMPLE_TREE = os.environ.get("LARDER_SAMPLE_TREE") or sys.exit("set LARDER_SAMPLE_TREE to the program")
LARDER = os.path.join(PREFIX, "bin", "larder")
LARDERD = os.path.join(PREFIX, "sbin", "larderd")
BROWSER_ACCEPT = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"

# Daemons that a test starts by hand do not meet on the default port.
os.environ["LARDER_LISTEN_FTP"] = "127.0.0.1:0"
# Containers run their tests as root.
os.environ["LARDER_ALLOW_ROOT"] = "true"

# Long enough for a sanitizer build on a busy machine; nothing waits that long
# when all is well.
DEADLINE = 60.0


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def sha256_of_file(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def read_file(path):
    with open(path, "rb") as file:
        return file.read()


def write_file(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def quoted(path):
    """A path as BitBake puts it into a request: everything but "/" encoded."""
    return urllib.parse.quote(path)


def wait_until(condition, what, deadline=DEADLINE):
    """Polls until condition() is true and returns its value."""
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError("waited %.0f s in vain: %s" % (deadline, what))
        time.sleep(0.01)


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def to_yaml(value, indent=0):
    """JSON is YAML, but line by line it reads better in a failure report."""
    if not isinstance(value, dict):
        return json.dumps(value)
    lines = []
    for key, each in value.items():
        nested = isinstance(each, dict)
        lines.append("%s%s:%s%s" % ("  " * indent, key, "\n" if nested else " ", to_yaml(each, indent + 1)))
    return "\n".join(lines)


# A test run that is cut off (Ctrl-C, a time limit) runs no clean-ups of unittest.
_left_over = {"processes": [], "directories": []}
_setpriv = shutil.which("setpriv")  # of util-linux


def start_process(arguments, **options):
    """A child that does not outlive the tests, however they end."""
    if _setpriv:
        arguments = [_setpriv, "--pdeathsig", "KILL", *arguments]
    process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, **options)
    _left_over["processes"].append(process)
    return process


def end_process(process):
    """SIGKILL, unless it has ended already."""
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stdout:
        process.stdout.close()


def make_work_directory():
    directory = tempfile.mkdtemp(prefix="larder-e2e-")
    _left_over["directories"].append(directory)
    return directory


@atexit.register
def _sweep():
    for process in _left_over["processes"]:
        end_process(process)
    for directory in _left_over["directories"]:
        if not os.environ.get("LARDER_KEEP"):
            shutil.rmtree(directory, ignore_errors=True)


signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


class Response:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # http.client.HTTPMessage: get() ignores case
        self.body = body

    def json(self):
        return json.loads(self.body)

    def lines(self):
        return self.body.decode().splitlines()


class Larderd:
    """One larderd on its own data directory. start() returns once it is ready."""

    def __init__(self, work, config=None, data=None, port=0):
        self.work = work
        self.data = data or os.path.join(work, "data")
        self.config = config or {}
        self.port = port
        self.ftp_port = 0
        self.process = None
        self.starts = 0

    def start(self):
        try:
            return self._start()
        except BaseException:
            if self.process is not None:
                end_process(self.process)
            raise

    def _start(self):
        self.starts += 1
        port_file = os.path.join(self.work, "ports.%d" % self.starts)
        config_file = self.write_config()
        self.log_path = os.path.join(self.work, "larderd.%d.log" % self.starts)
        with open(self.log_path, "wb") as log:
            self.process = start_process(
                [LARDERD, "--config", config_file, "--data", self.data,
                 "--listen-http", "127.0.0.1:%d" % self.port, "--listen-ftp", "127.0.0.1:%d" % self.ftp_port,
                 "--port-file", port_file], stdout=log, stderr=log)
        wait_until(lambda: self._alive() and os.path.exists(port_file), "larderd writes its port file")
        self.port = self._port_from(port_file, "http")
        self.ftp_port = self._port_from(port_file, "ftp")
        self.port_file = port_file
        wait_until(lambda: self._alive() and self._healthy(), "larderd gets ready")
        return self

    def write_config(self):
        file = os.path.join(self.work, "larderd.yaml")
        write_file(file, (to_yaml({"write": "loopback", "free_space_floor": 0, "free_inode_floor": 0, **self.config}) + "\n").encode())
        return file

    def _alive(self):
        if self.process.poll() is not None:
            raise AssertionError("larderd ended with %d at start:\n%s" % (self.process.returncode, self.log()))
        return True

    @staticmethod
    def _port_from(port_file, wanted):
        with open(port_file) as lines:
            for line in lines:
                kind, _, address = line.strip().partition(" ")
                if kind == wanted:
                    return int(address.rpartition(":")[2])
        raise AssertionError("no %s listener in the port file" % wanted)

    def _healthy(self):
        try:
            return self.get("/-/health").status == 200
        except OSError:
            return False

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def port_of(self, protocol):
        """Of the first listener for "https" or "ftps"."""
        return self._port_from(self.port_file, protocol)

    @property
    def ftp_url(self):
        return "ftp://127.0.0.1:%d" % self.ftp_port

    def log(self):
        return read_file(self.log_path).decode(errors="replace")

    def running(self):
        return self.process is not None and self.process.poll() is None

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """SIGTERM; returns the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait()

    def wait(self, deadline=DEADLINE):
        try:
            return self.process.wait(deadline)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("larderd did not end within %.0f s:\n%s" % (deadline, self.log()))

    def kill(self):
        end_process(self.process)

    # Talking to it

    def connection(self, timeout=DEADLINE):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)

    def request(self, method, target, body=None, headers=None, connection=None):
        """One request on `connection` or on a new one. Sends only the headers given (and Host, lengths)."""
        own = connection or self.connection()
        try:
            own.putrequest(method, target, skip_accept_encoding=True)
            for name, value in (headers or {}).items():
                own.putheader(name, value)
            given = {name.lower() for name in headers or {}}
            if body is not None and not given & {"content-length", "transfer-encoding"}:
                own.putheader("Content-Length", str(len(body)))
            own.endheaders(body)
            answer = own.getresponse()
            return Response(answer.status, answer.headers, answer.read())
        finally:
            if connection is None:
                own.close()

    def get(self, target, headers=None, connection=None):
        return self.request("GET", target, headers={"Accept": "*/*", **(headers or {})}, connection=connection)

    def head(self, target, headers=None, connection=None):
        return self.request("HEAD", target, headers={"Accept": "*/*", **(headers or {})}, connection=connection)

    def put(self, target, body, headers=None, connection=None):
        return self.request("PUT", target, body=body, headers=headers, connection=connection)

    def stat(self):
        return self.get("/-/v1/stat").json()

    def namespace_stat(self, name):
        return next(each for each in self.stat()["namespaces"] if each["name"] == name)

    def index(self, namespace):
        """The names of a namespace, as a sorted list."""
        answer = self.get("/%s/index.txt" % namespace)
        if answer.status != 200:
            raise AssertionError("index.txt: %d %r" % (answer.status, answer.body[:200]))
        return sorted(answer.lines())

    def raw(self):
        return RawConnection(self.port)

    def client(self, *arguments, expect=0, **options):
        """Runs `larder` against this server; returns the finished process, output as text."""
        environment = {**os.environ, "LARDER_SERVER": self.url, "NO_COLOR": "1"}
        done = subprocess.run([LARDER, *arguments], env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300, **options)
        if expect is not None and done.returncode != expect:
            raise AssertionError("larder %s ended with %d, not %d\n%s\n%s" % (
                " ".join(arguments), done.returncode, expect, done.stdout[-4000:], done.stderr[-4000:]))
        return done


class InBackground:
    """with InBackground(work, count): … calls work(number, stop) in `count` threads while the block runs.
    What one of them raises is raised at the end."""

    def __init__(self, work, count=4):
        self.stop = threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(count)
        self.futures = [self.pool.submit(work, number, self.stop) for number in range(count)]

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.stop.set()
        self.pool.shutdown()
        for future in self.futures:
            if kind is None:
                future.result()


class RawConnection:
    """A socket, for requests no well-behaved library sends."""

    def __init__(self, port, timeout=20.0):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def send(self, data):
        """Sends what the other side is willing to take."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # it refused and closed; the answer may still be there to read

    def _fill(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            data = b""
        self.buffer += data
        return len(data) > 0

    def _read_line(self):
        while b"\n" not in self.buffer:
            if not self._fill():
                raise EOFError("closed within the head of an answer: %r" % self.buffer)
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line.rstrip(b"\r")

    def _read_exactly(self, count):
        while len(self.buffer) < count:
            if not self._fill():
                raise EOFError("closed %d bytes early" % (count - len(self.buffer)))
        data, self.buffer = self.buffer[:count], self.buffer[count:]
        return data

    def response(self, method="GET"):
        """The next answer; EOFError when the peer closed instead."""
        while not self.buffer and self._fill():
            pass
        if not self.buffer:
            raise EOFError("closed without an answer")
        version, status, _ = (self._read_line() + b" ").split(b" ", 2)
        if not version.startswith(b"HTTP/1."):
            raise AssertionError("no HTTP answer: %r %r" % (version, self.buffer[:80]))
        headers = http.client.HTTPMessage()
        while True:
            line = self._read_line()
            if not line:
                break
            name, _, value = line.decode("latin-1").partition(":")
            headers[name] = value.strip()
        status = int(status)
        return Response(status, headers, self._body(method, status, headers))

    def _body(self, method, status, headers):
        if method == "HEAD" or status in (204, 304) or 100 <= status < 200:
            return b""
        if headers.get("Transfer-Encoding", "").lower() == "chunked":
            return self._chunked_body()
        if headers.get("Content-Length") is not None:
            return self._read_exactly(int(headers["Content-Length"]))
        while self._fill():
            pass
        body, self.buffer = self.buffer, b""
        return body

    def _chunked_body(self):
        body = b""
        while True:
            size = int(self._read_line().partition(b";")[0], 16)
            if size == 0:
                while self._read_line():
                    pass
                return body
            body += self._read_exactly(size)
            self._read_line()

    def closed(self):
        """Whether the peer closed without another byte (waits for it)."""
        if self.buffer:
            return False
        try:
            return not self._fill()
        except socket.timeout:
            return False

    def silent_for(self, seconds):
        """Whether nothing comes, not even an end, for so long."""
        if self.buffer:
            return False
        self.socket.settimeout(seconds)
        try:
            self._fill()
            return False
        except socket.timeout:
            return True
        finally:
            self.socket.settimeout(20.0)


class SampleTree:
    """A tree from larder-sample-tree and what is to become of its files."""

    def __init__(self, kind, directory, *options):
        self.directory = directory
        manifest = directory + ".tsv"
        subprocess.run([SAMPLE_TREE, kind, directory, "--manifest", manifest, *options], check=True,
                       stdout=subprocess.DEVNULL)
        self.files = {}  # path: (verdict, sha256, size, reason)
        with open(manifest) as lines:
            for line in lines:
                path, verdict, digest, size, reason = line.rstrip("\n").split("\t")
                self.files[path] = (verdict, digest, int(size), reason)

    def paths(self, verdict):
        return [path for path, row in self.files.items() if row[0] == verdict]

    def taken(self):
        """name: (sha256, size) of all that a mirror of this tree serves under the path it has here."""
        return {path: (row[1], row[2]) for path, row in self.files.items() if row[0] == "take"}

    def file(self, path):
        return os.path.join(self.directory, path)


def flat_and_nested(taken):
    """Downloads are asked for by base name, too: both names of each file below a directory."""
    names = dict(taken)
    for path, row in taken.items():
        names[path.rpartition("/")[2]] = row
    return names


class LarderTest(unittest.TestCase):
    """Gives each class a working directory, and shows the daemon's log when a test fails."""

    config = {}
    with_server = True
    server = None

    @classmethod
    def setUpClass(cls):
        cls.work = make_work_directory()
        cls.addClassCleanup(cls._tidy)
        if cls.with_server:
            cls.server = cls.start_server(config=cls.config)
            cls.addClassCleanup(cls._check_stop)

    @classmethod
    def _tidy(cls):
        if not os.environ.get("LARDER_KEEP"):
            shutil.rmtree(cls.work)

    @classmethod
    def _check_stop(cls):
        if not cls.server.running():
            raise AssertionError("larderd ended by itself:\n" + cls.server.log()[-4000:])
        code = cls.server.stop()
        if code != 0:
            raise AssertionError("larderd ended with %d:\n%s" % (code, cls.server.log()[-4000:]))

    @classmethod
    def start_server(cls, config=None, data=None, port=0):
        directory = tempfile.mkdtemp(prefix="server-", dir=cls.work)
        return Larderd(directory, config, data, port).start()

    def own_server(self, config=None, data=None, port=0):
        """A server for this test alone; killed when the test leaves it running."""
        self.server = self.start_server(config, data, port)
        own = self.server
        self.addCleanup(lambda: own.running() and own.kill())
        return own

    def run(self, result=None):
        before = len(result.failures) + len(result.errors) if result else 0
        super().run(result)
        if result and len(result.failures) + len(result.errors) > before and self.server is not None:
            sys.stderr.write("\n--- the last lines of larderd's log after %s:\n" % self.id())
            sys.stderr.write("".join(self.server.log().splitlines(True)[-25:]))

    def temporary_directory(self):
        return tempfile.mkdtemp(prefix="test-", dir=self.work)

    def assert_served(self, server, namespace, names):
        """Every name is there, byte for byte, on one connection."""
        connection = server.connection()
        wrong = []
        for name, (digest, size) in names.items():
            answer = server.get("/%s/%s" % (namespace, quoted(name)), connection=connection)
            if answer.status != 200 or len(answer.body) != size or sha256(answer.body) != digest:
                wrong.append("%d %d bytes %s" % (answer.status, len(answer.body), name))
        connection.close()
        self.assertEqual(wrong, [])


def run_tool(*arguments, **options):
    """A client program; returns the finished process, output merged."""
    return subprocess.run(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, timeout=120, env={**os.environ, "LC_ALL": "C", "http_proxy": ""}, **options)


def needs(tool):
    return unittest.skipUnless(shutil.which(tool), "%s is not installed" % tool)

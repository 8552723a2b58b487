"""The programs under measurement, started, asked and stopped."""
import ctypes
import http.client
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

import machine

DEADLINE = 120.0
PR_SET_CHILD_SUBREAPER = 36


class Programs:
    """Where the build has put what is measured and what measures."""

    def __init__(self, build):
        self.larder = self._in(build, "client/larder")
        self.larderd = self._in(build, "server/larderd")
        self.sample_tree = self._in(build, "tests/larder-sample-tree")
        self.fill = self._in(build, "tests/bench/larder-bench-fill")
        self.load = self._in(build, "tests/bench/larder-bench-load")
        self.tls_load = self._in(build, "tests/bench/larder-bench-tls-load")
        self.floor = self._in(build, "tests/bench/larder-bench-floor")
        self.ftp_load = self._in(build, "tests/bench/larder-bench-ftp-load")
        self.nginx = self._installed("nginx")
        self.rsync = self._installed("rsync")
        self.vsftpd = self._installed("vsftpd")
        self.pure_ftpd = self._installed("pure-ftpd")

    @staticmethod
    def _installed(name):
        """A variable names programs that are not in PATH: PURE_FTPD for pure-ftpd."""
        path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
        return os.environ.get(name.upper().replace("-", "_")) or shutil.which(name, path=path)

    @staticmethod
    def _in(build, name):
        path = os.path.join(os.path.abspath(build), name)
        if not os.access(path, os.X_OK):
            raise SystemExit("tests/bench/run: %s is not there; configure with -DLARDER_BENCH=ON and build all" % path)
        return path


def unused_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A process that listens on 127.0.0.1:port. Stopped at the end of a with block."""

    share = 1.0  # of the requests of a run: less for those that would take all day

    started = set()  # process ids

    def __init__(self, name):
        self.name = name
        self.port = unused_port()
        self.process = None

    def start(self, core=None):
        """Returns the seconds until it answered."""
        command = self.command()
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(command if core is None else machine.pinned(core, command),
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        Server.started.add(self.process.pid)
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() - began > DEADLINE:
                raise RuntimeError("%s does not start; its log:\n%s" % (self.name, open(self.log).read()[-4000:]))
            time.sleep(0.0005)
        return time.monotonic() - began

    def _answers(self):
        try:
            return self.request("GET", self.ready)[0] == 200
        except OSError:
            return False

    def connection(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)

    def request(self, method, target, body=None, connection=None):
        own = connection or self.connection()
        try:
            own.request(method, target, body, {"Accept": "*/*"})
            answer = own.getresponse()
            return answer.status, answer.read()
        finally:
            if connection is None:
                own.close()

    @property
    def url(self):
        return "http://127.0.0.1:%d" % self.port

    def cpu(self):
        return machine.cpu_seconds(self.process.pid)

    def memory(self):
        return machine.memory(self.process.pid)

    def anonymous(self):
        return machine.anonymous_bytes(self.process.pid)

    def stop(self, signal_number=signal.SIGTERM):
        """Returns the seconds until it was gone."""
        if self.process is None:
            return 0.0
        began = time.monotonic()
        self.process.send_signal(signal_number)
        self.process.wait(DEADLINE)
        self.process = None
        return time.monotonic() - began

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Larderd(Server):
    ready = "/-/health"

    def __init__(self, programs, data, name="larder", access="off", with_ftp=False, http_more=None, **settings):
        super().__init__(name)
        self.data = data
        self.program = programs.larderd
        self.log = data + ".log"
        self.config = data + ".yaml"
        self.ftp_port = unused_port() if with_ftp else None
        settings = {"data": data, "write": "loopback", "allow_root": True, "log": {"access": access},
                    "http": {"listen": ["127.0.0.1:%d" % self.port], **(http_more or {})},
                    "ftp": {"listen": ["127.0.0.1:%d" % self.ftp_port] if with_ftp else []}, **settings}
        self.settings = settings
        self._write_config()

    def also(self, section, key, value):
        self.settings[section][key] = value
        self._write_config()

    def _write_config(self):
        with open(self.config, "w") as file:
            json.dump(self.settings, file)  # which is YAML, too

    def command(self):
        return [self.program, "--config", self.config]

    def stat(self):
        return json.loads(self.request("GET", "/-/v1/stat")[1])


OPEN_FILE_CACHE = """
  open_file_cache max=%d inactive=1h;
  open_file_cache_valid 1h;
  open_file_cache_min_uses 1;
  open_file_cache_errors on;"""

NGINX = """
daemon off;
worker_processes 1;
worker_rlimit_nofile %(descriptors)d;
error_log %(directory)s/error.log crit;
pid %(directory)s/pid;
%(user)s
events { worker_connections %(connections)d; }
http {
  access_log %(access)s;
  sendfile on;
  tcp_nopush on;
  default_type application/octet-stream;
  keepalive_requests 1000000000;
  keepalive_timeout 120s;
  client_body_temp_path %(directory)s/body;
  proxy_temp_path %(directory)s/proxy;
  fastcgi_temp_path %(directory)s/fastcgi;
  uwsgi_temp_path %(directory)s/uwsgi;
  scgi_temp_path %(directory)s/scgi;%(cache)s
  client_max_body_size 0;
  server {
    listen 127.0.0.1:%(port)d;%(tls)s
    root %(root)s;%(dav)s
    location = /ready { return 200; }
  }
}
"""


NGINX_TLS = """
    listen 127.0.0.1:%d ssl;
    ssl_certificate %s;
    ssl_certificate_key %s;
    ssl_protocols TLSv1.2 TLSv1.3;"""


class Nginx(Server):
    """One worker, with the settings of Debian's nginx.conf, no access log, and, where
    `cached` is not 0, so many open files kept."""

    ready = "/ready"

    def __init__(self, programs, directory, root, name, cached=0, access="off", dav=False, connections=1024,
                 certificate=None, key=None):
        super().__init__(name)
        os.makedirs(directory)
        self.program = programs.nginx
        self.tls_port = unused_port() if certificate else None
        self.directory = directory
        self.log = os.path.join(directory, "output.log")
        with open(os.path.join(directory, "nginx.conf"), "w") as file:
            file.write(NGINX % {"directory": directory, "root": root, "port": self.port,
                                "connections": connections, "descriptors": cached // 2 + connections,  # half of what is cached are errors
                                "user": "user root;" if os.getuid() == 0 else "",
                                "tls": NGINX_TLS % (self.tls_port, certificate, key) if certificate else "",
                                "cache": OPEN_FILE_CACHE % cached if cached else "", "access": access,
                                "dav": "\n    dav_methods PUT; create_full_put_path on;" if dav else ""})

    def command(self):
        return [self.program, "-p", self.directory, "-e", os.path.join(self.directory, "error.log"),
                "-c", os.path.join(self.directory, "nginx.conf")]


class PythonServer(Server):
    """python3 -m http.server."""

    ready = "/"
    share = 0.02

    def __init__(self, work, root):
        super().__init__("python3 -m http.server")
        self.root = root
        self.log = os.path.join(work, "python.log")

    def command(self):
        return [sys.executable, "-m", "http.server", "--protocol", "HTTP/1.1", "--bind", "127.0.0.1",
                "--directory", self.root, str(self.port)]


class Floor(Server):
    """Answers whatever comes with the same few bytes: a recv and a send, and nothing else."""

    ready = "/"

    def __init__(self, programs, work):
        super().__init__("a recv and a send")
        self.program = programs.floor
        self.log = os.path.join(work, "floor.log")

    def command(self):
        return [self.program, str(self.port)]


class Rsyncd(Server):
    """rsync's own daemon, with one writable module, "all"."""

    def __init__(self, programs, work, root):
        super().__init__("rsyncd")
        self.program = programs.rsync
        self.log = os.path.join(work, "rsyncd.log")
        self.config = os.path.join(work, "rsyncd.conf")
        with open(self.config, "w") as file:
            file.write("use chroot = no\n[all]\npath = %s\nread only = no\n" % root)
            if os.getuid() == 0:
                file.write("uid = 0\ngid = 0\n")

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as connection:
                return connection.recv(8) == b"@RSYNCD:"
        except OSError:
            return False

    def command(self):
        return [self.program, "--daemon", "--no-detach", "--address=127.0.0.1", "--port=%d" % self.port,
                "--config=%s" % self.config]


class FtpServer(Server):
    """One that serves FTP and nothing else, in processes of its own for each session."""

    of_orphans = 0.0

    def _answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as connection:
                return connection.recv(3) == b"220"
        except OSError:
            return False

    @property
    def ftp_port(self):
        return self.port

    def start(self, core=None):
        # A session's processes may outlive their parent, and with that their time would be lost.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        return super().start(core)

    def cpu(self):
        """Of the process and of all that have served sessions, which have ended then. Where
        their parents waited for those, it comes in hundredths of a second."""
        give_up = time.monotonic() + DEADLINE
        while _children(self.process.pid) or self._reap_orphans():
            if time.monotonic() > give_up:
                raise RuntimeError("%s: its sessions do not end" % self.name)
            time.sleep(0.002)
        with open("/proc/%d/stat" % self.process.pid) as stat:
            fields = stat.read().rpartition(")")[2].split()
        of_children = sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")  # cutime, cstime
        return machine.cpu_seconds(self.process.pid) + of_children + self.of_orphans

    def _reap_orphans(self):
        """Returns whether some still run."""
        running = False
        for pid in _children(os.getpid()) - Server.started:
            ended, _, usage = os.wait4(pid, os.WNOHANG)
            self.of_orphans += usage.ru_utime + usage.ru_stime if ended else 0.0
            running = running or not ended
        return running


def _children(pid):
    with open("/proc/%d/task/%d/children" % (pid, pid)) as children:
        return set(map(int, children.read().split()))


VSFTPD = """
listen=YES
background=NO
listen_address=127.0.0.1
listen_port=%(port)d
anonymous_enable=YES
no_anon_password=NO
local_enable=NO
write_enable=NO
anon_root=%(root)s
secure_chroot_dir=%(directory)s/empty
use_sendfile=YES
xferlog_enable=NO
max_per_ip=0
max_clients=0
pasv_address=127.0.0.1
%(settings)s
"""

# What isolates a session from the others costs vsftpd most of its time. With these, a
# session is one process without namespaces and filters: the manual offers that to busy
# sites, and advises everybody else against it.
VSFTPD_LEAN = """
one_process_model=YES
isolate=NO
isolate_network=NO
seccomp_sandbox=NO
"""


class Vsftpd(FtpServer):
    """Needs root, and the user "ftp" to be able to read `root`."""

    def __init__(self, programs, directory, root, name, settings=""):
        super().__init__(name)
        os.makedirs(os.path.join(directory, "empty"))
        self.program = programs.vsftpd
        self.log = os.path.join(directory, "output.log")
        self.config = os.path.join(directory, "vsftpd.conf")
        with open(self.config, "w") as file:
            file.write(VSFTPD.strip() % {"directory": directory, "root": root, "port": self.port,
                                         "settings": settings.strip()} + "\n")

    def command(self):
        return [self.program, self.config]


class PureFtpd(FtpServer):
    """Serves the home directory of the user "ftp" and nothing else: in a mount namespace of
    its own, that is `root`. Needs root."""

    def __init__(self, programs, directory, root):
        super().__init__("pure-ftpd")
        os.makedirs(directory)
        self.program = programs.pure_ftpd
        self.directory = directory
        self.root = root
        self.log = os.path.join(directory, "output.log")

    def command(self):
        flags = ["--anonymousonly", "--chrooteveryone", "--dontresolve", "--ipv4only",
                 "--syslogfacility", "none", "--maxclientsnumber", "1000", "--maxclientsperip", "1000",
                 "--bind", "127.0.0.1,%d" % self.port, "--pidfile", os.path.join(self.directory, "pid")]
        script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
        return ["unshare", "--mount", "sh", "-c", script, "sh", self.root, pwd.getpwnam("ftp").pw_dir,
                self.program, *flags]


def load(programs, server, method, targets, requests, expect=(200,), connections=64, more=(), ahead=False):
    """One run of the load generator: its figures, and the server's CPU time as "cpu". `ahead` of what else its core does."""
    arguments = ["--method", method, "--targets", targets, "--requests", str(requests),
                 "--connections", str(connections), *more]
    for status in expect:
        arguments += ["--expect", str(status)]
    return _run_load(programs.load, server, server.port, arguments, ahead)


def tls_load(programs, server, method, targets, requests, expect, connections, fresh):
    """The same over TLS; `fresh`: with a full handshake for each request."""
    return _run_load(programs.tls_load, server, server.tls_port,
                     ["--method", method, "--targets", targets, "--requests", str(requests), "--connections",
                      str(connections), "--expect", str(expect), *(["--fresh"] if fresh else [])])


def ftp_load(programs, server, kind, paths, sessions, concurrency):
    """The same for FTP."""
    return _run_load(programs.ftp_load, server, server.ftp_port,
                     ["--kind", kind, "--paths", paths, "--sessions", str(sessions),
                      "--concurrency", str(concurrency)])


def _run_load(program, server, port, arguments, ahead=False):
    command = [program, "--port", str(port), *arguments]
    if ahead:
        command = machine.ahead_of_others(command)
    before = server.cpu()
    done = subprocess.run(machine.pinned(machine.LOAD_CORE, command), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600)
    cpu = server.cpu() - before
    if done.returncode != 0:
        end = server.process.poll()
        state = "it still runs" if end is None else "it has ended with %d" % end
        raise RuntimeError("%s, %s: %s(%s)" % (server.name, arguments[1], done.stderr, state))
    return {**json.loads(done.stdout), "cpu": cpu}

"""The programs under measurement, started, asked and stopped."""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time

import machine

DEADLINE = 120.0


class Programs:
    """Where the build has put what is measured and what measures."""

    def __init__(self, build):
        self.larder = self._in(build, "client/larder")
        self.larderd = self._in(build, "server/larderd")
        self.sample_tree = self._in(build, "tests/larder-sample-tree")
        self.fill = self._in(build, "tests/bench/larder-bench-fill")
        self.load = self._in(build, "tests/bench/larder-bench-load")
        path = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
        self.nginx = shutil.which("nginx", path=path)

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

    def __init__(self, programs, data, name="larder", access="off", **settings):
        super().__init__(name)
        self.data = data
        self.program = programs.larderd
        self.log = data + ".log"
        self.config = data + ".yaml"
        settings = {"data": data, "write": "loopback", "log": {"access": access},
                    "http": {"listen": ["127.0.0.1:%d" % self.port]}, "ftp": {"listen": []}, **settings}
        with open(self.config, "w") as file:
            json.dump(settings, file)  # which is YAML, too

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
events { worker_connections 1024; }
http {
  access_log off;
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
  server {
    listen 127.0.0.1:%(port)d;
    root %(root)s;
    location = /ready { return 200; }
  }
}
"""


class Nginx(Server):
    """One worker, with the settings of Debian's nginx.conf, no access log, and, where
    `cached` is not 0, so many open files kept."""

    ready = "/ready"

    def __init__(self, programs, directory, root, name, cached=0):
        super().__init__(name)
        os.makedirs(directory)
        self.program = programs.nginx
        self.directory = directory
        self.log = os.path.join(directory, "output.log")
        with open(os.path.join(directory, "nginx.conf"), "w") as file:
            file.write(NGINX % {"directory": directory, "root": root, "port": self.port,
                                "descriptors": cached // 2 + 1024,  # half of what is cached are errors
                                "user": "user root;" if os.getuid() == 0 else "",
                                "cache": OPEN_FILE_CACHE % cached if cached else ""})

    def command(self):
        return [self.program, "-p", self.directory, "-e", os.path.join(self.directory, "error.log"),
                "-c", os.path.join(self.directory, "nginx.conf")]


def load(programs, server, method, targets, requests, expect=(200,), connections=64):
    """One run of the load generator: its figures, and the server's CPU time as "cpu"."""
    command = [programs.load, "--port", str(server.port), "--method", method, "--targets", targets,
               "--requests", str(requests), "--connections", str(connections)]
    for status in expect:
        command += ["--expect", str(status)]
    before = server.cpu()
    done = subprocess.run(machine.pinned(machine.LOAD_CORE, command), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600)
    cpu = server.cpu() - before
    if done.returncode != 0:
        end = server.process.poll()
        state = "it still runs" if end is None else "it has ended with %d" % end
        raise RuntimeError("%s, %s: %s(%s)" % (server.name, method, done.stderr, state))
    return {**json.loads(done.stdout), "cpu": cpu}

"""What larderd may do: as root only when told, with no capability once it listens,
in a sandbox, on ports that somebody else bound for it."""
import ctypes
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import unittest

import harness
from harness import LARDERD, LarderTest, wait_until

NOBODY = 65534
as_root = unittest.skipUnless(os.geteuid() == 0, "only root can start a process as somebody else")
has_setpriv = unittest.skipUnless(shutil.which("setpriv"), "needs setpriv of util-linux")


def thread_states(process):
    """The /proc status of every thread, as dictionaries."""
    directory = "/proc/%d/task" % process.pid
    states = []
    for thread in os.listdir(directory):
        with open(os.path.join(directory, thread, "status")) as lines:
            states.append(dict(line.rstrip("\n").split(":\t", 1) for line in lines if ":\t" in line))
    return states


def has_landlock():
    create_ruleset, version = 444, 1  # LANDLOCK_CREATE_RULESET_VERSION; the number is the same on all machines
    return ctypes.CDLL(None).syscall(create_ruleset, None, 0, version) >= 2


class Privileges(LarderTest):
    with_server = False

    def without_permission(self):
        return {name: value for name, value in os.environ.items() if name != "LARDER_ALLOW_ROOT"}

    def low_port(self):
        """A port below 1024 that is free; nobody else here binds those."""
        for port in range(1023, 512, -1):
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                    return port
                except OSError:
                    continue
        self.fail("no low port is free")

    def launch(self, prefix, arguments, environment=None, preexec=None, fds=()):
        """Starts larderd behind `prefix` (setpriv …) on a directory of its own; returns process and port file."""
        directory = tempfile.mkdtemp(prefix="larder-e2e-user-")  # others cannot enter the usual ones
        self.addCleanup(shutil.rmtree, directory)
        if os.geteuid() == 0:
            os.chown(directory, NOBODY, NOBODY)
        file, ports = os.path.join(directory, "larderd.yaml"), os.path.join(directory, "ports")
        harness.write_file(file, b"free_space_floor: 0\nfree_inode_floor: 0\n")
        self.log_path = os.path.join(directory, "log")
        with open(self.log_path, "wb") as log:
            process = subprocess.Popen(
                [*prefix, LARDERD, "--config", file, "--data", os.path.join(directory, "data"), "--port-file", ports,
                 "--listen-ftp", "127.0.0.1:0", *arguments], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env=environment or self.without_permission(), preexec_fn=preexec, pass_fds=fds)
        self.addCleanup(harness.end_process, process)
        wait_until(lambda: process.poll() is not None or os.path.exists(ports), "larderd writes its port file")
        self.assertIsNone(process.poll(), harness.read_file(self.log_path))
        with open(ports) as lines:
            port = next(int(line.rpartition(":")[2]) for line in lines if line.startswith("http "))
        return process, directory, port

    def assert_serves(self, port):
        with harness.RawConnection(port) as raw:
            raw.socket.sendall(b"GET /-/health HTTP/1.1\r\nHost: x\r\n\r\n")
            self.assertTrue(raw.socket.recv(100).startswith(b"HTTP/1.1 200 "))

    @as_root
    def test_root_is_refused_unless_told(self):
        directory = self.temporary_directory()
        refused = subprocess.run([LARDERD, "--data", os.path.join(directory, "data"), "--listen-http", "127.0.0.1:0"],
                                 env=self.without_permission(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertEqual(refused.returncode, 1, refused.stdout)
        self.assertIn("does not run as root", refused.stdout)
        self.assertIn("--allow-root", refused.stdout)
        self.assertFalse(os.path.exists(os.path.join(directory, "data")), "nothing has been touched")

    @as_root
    def test_a_command_of_roots_does_not_touch_the_data_of_the_daemons_user(self):
        data = os.path.join(self.temporary_directory(), "data")
        os.mkdir(data)
        os.chown(data, NOBODY, NOBODY)
        refused = subprocess.run([LARDERD, "fsck", data], env=self.without_permission(), stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
        self.assertEqual(refused.returncode, 1, refused.stdout)
        self.assertIn("runuser", refused.stdout)
        self.assertEqual(os.listdir(data), [])

    @as_root
    @has_setpriv
    def test_a_low_port_is_bound_by_capability_which_is_then_given_up(self):
        port = self.low_port()
        user = ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups",
                "--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"]
        process, _, bound = self.launch(user, ["--listen-http", "127.0.0.1:%d" % port])
        self.assertEqual(bound, port)
        self.assert_serves(port)
        states = thread_states(process)
        self.assertGreater(len(states), 1)
        for state in states:
            for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertEqual(int(state[name], 16), 0, "%s of %s" % (name, state["Name"]))
            self.assertEqual(state["NoNewPrivs"], "1")
            self.assertEqual(state["Uid"].split(), [str(NOBODY)] * 4)

    def test_a_socket_handed_over_is_served(self):
        listening = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(listening.close)

        def as_systemd_does():
            os.dup2(listening.fileno(), 3)
            os.set_inheritable(3, True)

        environment = {**os.environ, "LISTEN_FDS": "1", "LISTEN_FDNAMES": "http"}
        shell = ["/bin/sh", "-c", 'LISTEN_PID=$$; export LISTEN_PID; exec "$@"', "sh"]
        _, _, port = self.launch(shell, [], environment, as_systemd_does, (3,))
        self.assertEqual(port, listening.getsockname()[1])
        self.assert_serves(port)

    @unittest.skipUnless(has_landlock(), "this kernel has no Landlock")
    def test_the_log_says_that_it_is_confined(self):
        server = self.own_server()
        self.assertIn("in a sandbox: Landlock", server.log())
        self.assertEqual(server.stop(), 0)
        server.config["sandbox"] = False
        server.start()
        self.assertIn("no sandbox (sandbox: false)", server.log())
        self.assertEqual(server.stop(), 0)

    def test_modes_do_not_depend_on_the_umask_it_was_started_with(self):
        before = os.umask(0o077)
        try:
            server = self.own_server()
        finally:
            os.umask(before)
        server.put("/sstate-cache/ab/x", b"content")
        modes = {}
        for directory, _, files in os.walk(server.data):
            if os.path.basename(directory) != "index":
                modes[os.path.relpath(directory, server.data)] = stat.S_IMODE(os.stat(directory).st_mode)
            for name in files:
                if "index" not in os.path.relpath(directory, server.data).split(os.sep):
                    path = os.path.join(directory, name)
                    modes[os.path.relpath(path, server.data)] = stat.S_IMODE(os.stat(path).st_mode)
        self.assertEqual(modes["tree/sstate-cache/ab"], 0o755)
        self.assertEqual(modes["tree/sstate-cache/ab/x"], 0o444)
        for path, mode in modes.items():
            self.assertEqual(mode & 0o022, 0, "%s is writable for others" % path)
        self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main()

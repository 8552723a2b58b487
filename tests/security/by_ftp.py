"""FTP judged: bounces, stolen data connections, ways out, floods."""
import contextlib
import ftplib
import re
import shutil
import socket
import subprocess

from judging import Row, Verdict


@contextlib.contextmanager
def session(server):
    client = ftplib.FTP()
    client.connect("127.0.0.1", server.ftp_port, 30)
    client.login()
    yield client
    client.close()  # without QUIT: the server may be in the middle of something


def said(client, command):
    """The reply's code."""
    try:
        return int(client.sendcmd(command)[:3])
    except ftplib.Error as refused:
        return int(str(refused)[:3])
    except EOFError:
        return 0


def both(arena, what, judge):
    peer = arena.vsftpd()
    return Row(what, judge(arena.larderd(), True), judge(peer, False) if peer else "")


def scripts(arena):
    """What nmap's scripts say."""
    if not shutil.which("nmap"):
        return [Row("nmap ftp-anon, ftp-bounce", Verdict("not tried: nmap is not installed"))]

    def judge(server, _):
        output = subprocess.run(["nmap", "-Pn", "-n", "-sV", "--version-light", "-p", str(server.ftp_port), "--script",
                                 "+ftp-anon,+ftp-bounce", "127.0.0.1"], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                                timeout=300).stdout.decode()
        anonymous = "anonymous allowed" if "Anonymous FTP login allowed" in output else "no anonymous login"
        bounce = "bounce works" if "bounce working" in output else "no bounce"
        version = re.search(r"open\s+ftp\s*(.*)", output)
        return Verdict.of("bounce works" != bounce, "%s, %s, told its version: %s" % (
            anonymous, bounce, version.group(1).strip() or "nothing" if version else "nothing"))
    return [both(arena, "nmap ftp-anon, ftp-bounce, version detection", judge)]


def bounce(arena):
    """Data connections to somewhere else."""
    targets = ["PORT 127,0,0,2,200,10", "PORT 10,0,0,1,200,10", "PORT 127,0,0,1,0,22", "EPRT |1|127.0.0.2|51210|",
               "EPRT |2|::1|51210|", "EPRT |1|127.0.0.1|22|"]

    def judge(server, _):
        with session(server) as client:
            taken = [each for each in targets if said(client, each) == 200]
        return Verdict.of(not taken, "%d of %d accepted%s" % (len(taken), len(targets), ": " + ", ".join(taken) if taken else ""))
    return [both(arena, "PORT and EPRT to other addresses and to low ports", judge)]


def theft(arena):
    """A stranger connects to the passive port first."""
    def judge(server, _):
        with session(server) as client:
            _, port = client.makepasv()
            with socket.create_connection(("127.0.0.1", port), 10, ("127.0.0.7", 0)) as thief:
                client.putcmd("RETR sstate-cache/ab/object")
                thief.settimeout(2)
                try:
                    stolen = b"content" in thief.recv(100)
                except OSError:
                    stolen = False
        return Verdict.of(not stolen, "the thief gets the file" if stolen else "the thief gets nothing")
    return [both(arena, "another address connects to the passive port first", judge)]


def traversal(arena):
    """Ways out of the tree."""
    ways = ["../etc/passwd", "/../../etc/passwd", "sstate-cache/../../etc/passwd", "/etc/passwd", "..\\etc\\passwd",
            "sstate-cache/ab/../../../../../etc/passwd", "~root", "/proc/self/environ"]

    def judge(server, _):
        got = []
        with session(server) as client:
            for each in ways:
                try:
                    client.retrbinary("RETR " + each, lambda _: None)
                    got.append(each)
                except ftplib.Error:
                    pass
        return Verdict.of(not got, "%d of %d got out" % (len(got), len(ways)))
    return [both(arena, "%d ways to /etc/passwd" % len(ways), judge)]


def long_lines(arena):
    """Command lines without an end."""
    def judge(server, ours):
        with socket.create_connection(("127.0.0.1", server.ftp_port), 30) as raw:
            raw.recv(200)
            before = server.memory()[1]
            raw.settimeout(5)
            sent = 0
            try:
                for _ in range(16 << 4):
                    raw.sendall(b"A" * 65536)
                    sent += 65536
            except OSError:
                pass
            grown = (server.memory()[1] - before) >> 10
        with session(server) as client:
            serves = said(client, "NOOP") == 200
        return Verdict.of(serves and grown < 8 << 10 or not ours, "%d KiB taken in before it stopped listening or was done, %d KiB more memory" % (
            sent >> 10, grown))
    return [both(arena, "a command line of 16 MiB", judge)]


JUDGEMENTS = {"ftp-scripts": scripts, "ftp-bounce": bounce, "ftp-theft": theft, "ftp-traversal": traversal,
              "ftp-long-lines": long_lines}

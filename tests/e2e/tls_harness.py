"""A certificate authority for a test, by the openssl program, and the base of the tests that use it."""
import os
import ssl
import subprocess

import harness
from harness import LarderTest

NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


def openssl(*arguments, cwd):
    subprocess.run(["openssl", *arguments], cwd=cwd, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=60)


class Authority:
    """Its files lie in `directory`: ca.pem, and NAME.pem with NAME.key for each certificate."""

    def __init__(self, directory):
        self.directory = directory
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key", cwd=directory)
        openssl("req", "-new", "-x509", "-key", "ca.key", "-days", "30", "-subj", "/CN=authority of a test",
                "-addext", "basicConstraints=critical,CA:TRUE", "-out", "ca.pem", cwd=directory)
        self.certificate = self.file("ca.pem")

    def file(self, name):
        return os.path.join(self.directory, name)

    def issue(self, name, common_name="localhost", rsa=False, days=30):
        """Writes NAME.pem and NAME.key over what is there, the certificate last."""
        if rsa:
            openssl("genrsa", "-out", name + ".key", "2048", cwd=self.directory)
        else:
            openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", name + ".key", cwd=self.directory)
        harness.write_file(self.file("extensions"), (NAMES + "\n").encode())
        openssl("req", "-new", "-key", name + ".key", "-subj", "/CN=" + common_name, "-out", name + ".csr",
                cwd=self.directory)
        openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial",
                "-days", str(days), "-extfile", "extensions", "-out", name + ".new", cwd=self.directory)
        os.rename(self.file(name + ".new"), self.file(name + ".pem"))
        os.chmod(self.file(name + ".key"), 0o600)
        return {"certificate": self.file(name + ".pem"), "key": self.file(name + ".key")}

    def context(self):
        return ssl.create_default_context(cafile=self.certificate)


class TlsTest(LarderTest):
    """A server with http, https, ftp with AUTH TLS, and ftps."""

    with_server = False
    ftp_tls = "optional"

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = os.path.join(cls.work, "authority")
        os.makedirs(directory)
        cls.authority = Authority(directory)
        cls.pairs = [cls.authority.issue("ecdsa"), cls.authority.issue("rsa", rsa=True)]
        cls.server = cls.start_server(config=cls.tls_config())
        cls.addClassCleanup(cls._check_stop)

    @classmethod
    def tls_config(cls, **tls):
        return {"http": {"listen_tls": "127.0.0.1:0"}, "ftp": {"listen_tls": "127.0.0.1:0", "tls": cls.ftp_tls},
                "tls": {"certificates": cls.pairs, **tls}}

    def url(self, path="", server=None):
        return "https://localhost:%d%s" % ((server or self.server).port_of("https"), path)

    def ftp_url(self, path=""):
        return "ftp://localhost:%d%s" % (self.server.ftp_port, path)

    def ftps_url(self, path=""):
        return "ftps://localhost:%d%s" % (self.server.port_of("ftps"), path)

"""TLS judged: protocols, ciphers and known holes, for https and for FTP with AUTH TLS."""
import json
import os
import re
import shutil
import subprocess

from judging import Row, Verdict, alive

BAD = ("HIGH", "CRITICAL", "MEDIUM", "LOW")
# What a certificate that signs itself and names no authority cannot have; any server's would say the same.
OF_THE_CERTIFICATE = re.compile(r"^(cert_|OCSP|DNS_CAA|HSTS|HPKP|certificate_transparency|overall_grade|security_headers|banner)")


def findings(arena, target, *flags):
    """What testssl holds against it, apart from the certificate: ["id: SEVERITY", …]."""
    file = os.path.join(arena.work, "testssl-%s.json" % re.sub(r"\W", "-", target))
    subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--ip", "one", "--jsonfile", file,
                    "-p", "-s", "-f", "-U", *flags, target], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL, timeout=900)
    with open(file) as lines:
        found = json.load(lines)
    return len(found), ["%s: %s" % (each["id"], each["severity"]) for each in found
                        if each["severity"] in BAD and not OF_THE_CERTIFICATE.match(each["id"])]


def verdict(arena, target, *flags, ours):
    count, found = findings(arena, target, *flags)
    text = "%d checks, held against it: %s" % (count, ", ".join(found) or "nothing")
    return Verdict.of(count > 20 and not found, text) if ours else Verdict(text)


def testssl(arena):
    """testssl"""
    if not shutil.which("testssl"):
        return [Row("testssl", Verdict("not tried: testssl.sh is not installed"))]
    tls = arena.certificate()
    larder, peer = arena.larderd(tls=tls), arena.nginx(tls=tls)
    return [Row("testssl over https: protocols, ciphers, forward secrecy, vulnerabilities (not the certificate, which signs itself)",
                verdict(arena, "127.0.0.1:%d" % larder.tls_port, ours=True),
                verdict(arena, "127.0.0.1:%d" % peer.tls_port, ours=False) if peer else ""),
            Row("testssl over FTP, AUTH TLS", verdict(arena, "127.0.0.1:%d" % larder.ftp_port, "-t", "ftp", ours=True))]


def ciphers(arena):
    """nmap ssl-enum-ciphers"""
    if not shutil.which("nmap"):
        return [Row("nmap ssl-enum-ciphers", Verdict("not tried: nmap is not installed"))]
    tls = arena.certificate()

    def one(server, ours):
        output = subprocess.run(["nmap", "-Pn", "-n", "-p", str(server.tls_port), "--script", "+ssl-enum-ciphers", "127.0.0.1"],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=300).stdout.decode()
        versions = re.findall(r"(TLSv1\.\d|SSLv\d):", output)
        grade = re.search(r"least strength: (\w)", output)
        text = "%s, least strength %s" % (" ".join(versions) or "none", grade.group(1) if grade else "?")
        holds = set(versions) <= {"TLSv1.2", "TLSv1.3"} and grade and grade.group(1) == "A" and alive(server)
        return Verdict.of(bool(holds) or not ours, text)
    larder, peer = arena.larderd(tls=tls), arena.nginx(tls=tls)
    return [Row("nmap ssl-enum-ciphers", one(larder, True), one(peer, False) if peer else "")]


JUDGEMENTS = {"testssl": testssl, "ciphers": ciphers}

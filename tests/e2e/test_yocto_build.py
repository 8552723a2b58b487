"""Builds that BitBake really does, with three recipes that need nothing but the host: what the first one has made is on
the server at its end, and the second takes all of it from there. BITBAKE_DIR and OE_CORE_DIR name checkouts of BitBake
and of openembedded-core, of one release and with the host packages that it asks for, readable by everybody: where the
tests run as root, builds run as nobody."""
import functools
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import unittest

from harness import LARDER, LARDERD, LarderTest, needs, read_file, run_tool, start_process, unused_port, wait_until, write_file

LAYER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "config", "yocto", "meta-larder")
BITBAKE, OE_CORE = os.environ.get("BITBAKE_DIR"), os.environ.get("OE_CORE_DIR")
NOBODY = 65534
DEADLINE = 200.0  # seconds for one build; they take ten to thirty

# No compiler, no quilt, no pseudo: these recipes have nothing that takes them.
TINY_CLASS = """
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"
INHIBIT_DEFAULT_DEPS = "1"
INHIBIT_SYSROOT_STRIP = "1"
inherit nopackages
python () {
    for task in d.getVar("__BBTASKS", False):
        d.delVarFlag(task, "depends")
        d.delVarFlag(task, "fakeroot")
}
"""
TOOL = """
inherit tiny native
do_install() {
	install -d ${D}${bindir}
	printf '#!/bin/sh\\ntr a-z A-Z\\n' > ${D}${bindir}/tool
	chmod 755 ${D}${bindir}/tool
}
"""
LIBRARY = """
inherit tiny
DEPENDS = "tool-native"
SRC_URI = "%s/library-1.0.tar.gz"
SRC_URI[sha256sum] = "%s"
do_install() {
	install -d ${D}${includedir}
	tool < ${S}/library.h > ${D}${includedir}/library.h
}
"""
FIRMWARE = """
inherit tiny deploy
PACKAGE_ARCH = "${MACHINE_ARCH}"
DEPENDS = "library"
SRC_URI = "git://%s;protocol=file;branch=main;destsuffix=${BP}"
SRCREV = "%s"
do_deploy() {
	cat ${S}/image ${STAGING_INCDIR}/library.h > ${DEPLOYDIR}/firmware.img
}
addtask deploy after do_compile before do_build
"""
BROKEN = """
inherit tiny
DEPENDS = "tool-native"
do_compile() {
	false
}
"""
LAYER_CONF = """
BBPATH .= ":${LAYERDIR}"
BBFILES += "${LAYERDIR}/*.bb"
BBFILE_COLLECTIONS += "tiny"
BBFILE_PATTERN_tiny = "^${LAYERDIR}/"
LAYERSERIES_COMPAT_tiny = "%s"
"""
# Of oe-core the classes alone, and nothing that looks for the network by itself.
LOCAL_CONF = """
MACHINE = "qemux86-64"
BBMASK = "/meta/recipes-"
CONNECTIVITY_CHECK_URIS = ""
INHERIT_DISTRO = "debian devshell sstate license"
"""
RECIPES = ("tool-native", "library", "firmware")


class Upstream(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@unittest.skipUnless(BITBAKE and OE_CORE, "BITBAKE_DIR and OE_CORE_DIR are not set: no checkouts to build with")
class YoctoBuild(LarderTest):
    """Each test has a server, sources and a build directory of its own."""

    def setUp(self):
        self.start()

    def start(self, config=None):
        self.own_server(config)
        self.directory = self.temporary_directory()
        for directory in (self.work, self.directory):
            os.chmod(directory, 0o755)
        self.build = os.path.join(self.directory, "build")
        self.sources = os.path.join(self.directory, "sources")
        shutil.copytree(LAYER, os.path.join(self.directory, "meta-larder"), ignore=shutil.ignore_patterns("__pycache__"))
        os.mkdir(os.path.join(self.directory, "bin"))
        shutil.copy(LARDER, os.path.join(self.directory, "bin"))
        self.write_recipes(self.begin_upstream(), self.make_repository())
        os.makedirs(self.home(), mode=0o700)
        self.let_nobody_have(self.build)
        self.addCleanup(self.end_server_of_bitbake)

    def begin_upstream(self):
        """Serves a tarball; its URL and digest."""
        write_file(os.path.join(self.sources, "library-1.0", "library.h"), b"int library;\n")
        tarball = shutil.make_archive(os.path.join(self.sources, "library-1.0"), "gztar", self.sources, "library-1.0")
        handler = functools.partial(Upstream, directory=self.sources)
        self.upstream = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.upstream.serve_forever, daemon=True).start()
        self.addCleanup(self.end_upstream)
        return "http://127.0.0.1:%d" % self.upstream.server_port, hashlib.sha256(read_file(tarball)).hexdigest()

    def end_upstream(self):
        if self.upstream:
            self.upstream.shutdown()
            self.upstream.server_close()
            shutil.rmtree(self.sources)
        self.upstream = None

    def make_repository(self):
        repository = os.path.join(self.sources, "firmware")
        write_file(os.path.join(repository, "image"), b"boot\n")
        git = ["git", "-C", repository, "-c", "user.name=Test", "-c", "user.email=test@example.org"]
        for arguments in (["init", "-q", "-b", "main"], ["add", "image"], ["commit", "-q", "-m", "first"]):
            subprocess.run([*git, *arguments], check=True)
        revision = subprocess.run([*git, "rev-parse", "HEAD"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        self.let_nobody_have(repository)
        return repository, revision

    def write_recipes(self, tarball, repository):
        series = re.search('LAYERSERIES_CORENAMES = "(.*)"', read_file(os.path.join(OE_CORE, "meta/conf/layer.conf")).decode())
        for name, text in (("conf/layer.conf", LAYER_CONF % series.group(1)), ("classes/tiny.bbclass", TINY_CLASS),
                           ("tool-native_1.0.bb", TOOL), ("library_1.0.bb", LIBRARY % tarball),
                           ("firmware_1.0.bb", FIRMWARE % repository), ("broken_1.0.bb", BROKEN)):
            write_file(os.path.join(self.directory, "meta-tiny", name), text.encode())

    @staticmethod
    def let_nobody_have(directory):
        if os.geteuid() == 0:
            for parent, _, files in os.walk(directory):
                for path in (parent, *(os.path.join(parent, file) for file in files)):
                    os.lchown(path, NOBODY, NOBODY)

    def configure(self, *lines, layer=True):
        layers = ["meta-tiny", "meta-larder"] if layer else ["meta-tiny"]
        paths = [os.path.join(OE_CORE, "meta"), *(os.path.join(self.directory, each) for each in layers)]
        conf = os.path.join(self.build, "conf")
        write_file(os.path.join(conf, "bblayers.conf"),
                   ('BBPATH = "${TOPDIR}"\nBBFILES ?= ""\nBBLAYERS = "%s"\n' % " ".join(paths)).encode())
        write_file(os.path.join(conf, "local.conf"), "\n".join([LOCAL_CONF, *lines, ""]).encode())
        self.let_nobody_have(conf)

    def reading(self):
        """What `larder conf` says is to be written into local.conf."""
        return self.server.client("conf").stdout

    def seeding(self, server=None):
        return 'INHERIT += "larder"\nLARDER_SEED = "%s"\nLARDER_SEED_DOWNLOADS = "downloads"\n' % (server or self.server.url)

    def home(self):
        return os.path.join(self.build, "home")

    @staticmethod
    def user():
        """The beginning of a command line, for nobody where the tests run as root."""
        return ["setpriv", "--reuid=%d" % NOBODY, "--regid=%d" % NOBODY, "--clear-groups"] if os.geteuid() == 0 else []

    def process_of_bitbake(self, *arguments, **environment):
        path = ":".join([os.path.join(BITBAKE, "bin"), os.path.join(self.directory, "bin"), "/usr/bin:/bin:/usr/sbin:/sbin"])
        return start_process([*self.user(), "bitbake", *arguments], cwd=self.build, start_new_session=True, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                             env={"PATH": path, "HOME": self.home(), "LANG": "en_US.UTF-8", **environment})

    def bitbake(self, *arguments, expect=0, **environment):
        """Its output; it has to end with `expect`."""
        process = self.process_of_bitbake(*arguments, **environment)
        try:
            said = process.communicate(timeout=DEADLINE)[0]
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said = process.communicate()[0]
        self.assertEqual(process.returncode, expect, said[-6000:])
        return said

    def end_server_of_bitbake(self):
        self.process_of_bitbake("--kill-server").communicate(timeout=DEADLINE)
        wait_until(lambda: not os.path.exists(os.path.join(self.build, "bitbake.sock")), "BitBake's server ends")

    def wipe(self):
        """As on another machine, with nothing but the configuration."""
        self.end_server_of_bitbake()
        for name in os.listdir(self.build):
            if name not in ("conf", "home"):
                path = os.path.join(self.build, name)
                shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)

    def files(self, directory, ending=""):
        top = os.path.join(self.build, directory)
        return sorted(os.path.relpath(os.path.join(parent, file), top) for parent, _, files in os.walk(top) for file in files
                      if file.endswith(ending))

    def archives(self):
        return [name for name in self.files("sstate-cache") if name.endswith((".tar.zst", ".tgz"))]

    def image(self):
        return read_file(next(os.path.join(parent, "firmware.img") for parent, _, files in os.walk(self.build)
                              if "firmware.img" in files and "deploy/images" in parent))

    def assert_no_word_of_larder(self, said):
        self.assertEqual([line for line in said.splitlines() if "WARNING: larder" in line or line.startswith("ERROR")], [], said)

    @staticmethod
    def tasks(said):
        """What was run, as (recipe, task)."""
        return sorted(re.findall(r"NOTE: recipe (\S+)-1\.0-r0: task (\S+): Started", said))

    def assert_all_came_from_the_server(self, said):
        tasks = self.tasks(said)
        self.assertEqual([task for task in tasks if not task[1].endswith("_setscene")], [])
        self.assertLessEqual({("tool-native", "do_populate_sysroot_setscene"), ("library", "do_populate_sysroot_setscene"),
                              ("firmware", "do_deploy_setscene"), ("firmware", "do_populate_lic_setscene")}, set(tasks))
        self.assertEqual(self.image(), b"boot\nINT LIBRARY;\n")
        local = set(self.files("sstate-cache"))
        for archive in self.archives():
            self.assertIn(archive + ".siginfo", local)

    def first_build(self, *lines, **environment):
        """Fills the server; returns its output."""
        self.configure(self.reading(), self.seeding(), *lines)
        said = self.bitbake(*RECIPES, **environment)
        self.assert_no_word_of_larder(said)
        self.assertEqual(self.image(), b"boot\nINT LIBRARY;\n")
        self.assertEqual(self.server.index("sstate-cache"), self.files("sstate-cache"))
        self.assertEqual(self.server.client("verify").returncode, 0)
        return said

    def requests(self, method, start):
        """How many of them the server has had."""
        lines = (json.loads(line) for line in self.server.log().splitlines() if line.startswith("{"))
        return sum(1 for each in lines if each.get("method") == method and each.get("name", "").startswith(start))


def wanted_and_missed(said):
    """What BitBake's summary says of all checks of shared state in that build."""
    return tuple(int(number) for number in re.search(r"Sstate summary: Wanted (\d+) .*Missed (\d+)", said).groups())


class FillAndTake(YoctoBuild):
    def test_what_one_build_has_made_the_next_takes_from_the_server(self):
        self.first_build()
        made = self.archives()
        self.assertGreaterEqual(len(made), 7)
        downloads = self.server.index("downloads")
        self.assertRegex(" ".join(downloads), r"^git2_\S*firmware\S*\.tar\.gz library-1\.0\.tar\.gz$")
        self.end_upstream()

        # With the layer: two questions (is that a larder, and then all), and a HEAD for each file that is fetched.
        asked, heads = self.requests("POST", "/-/v1/find-missing"), self.requests("HEAD", "/sstate-cache/")
        self.take(made, 'INHERIT += "larder"')
        self.assertEqual(self.requests("POST", "/-/v1/find-missing") - asked, 2)
        heads_with_layer = self.requests("HEAD", "/sstate-cache/") - heads

        # Without it: a HEAD more for each object that is wanted.
        asked, heads = self.requests("POST", "/-/v1/find-missing"), self.requests("HEAD", "/sstate-cache/")
        wanted = self.take(made, layer=False)
        self.assertEqual(self.requests("POST", "/-/v1/find-missing") - asked, 0)
        self.assertEqual(self.requests("HEAD", "/sstate-cache/") - heads, heads_with_layer + wanted)

        # Sources, whose upstream is gone; what came from the server is not sent there again.
        self.wipe()
        self.configure(self.reading(), self.seeding())
        self.assert_no_word_of_larder(self.bitbake("-c", "fetch", *RECIPES))
        self.assertIn("library-1.0.tar.gz", self.files("downloads"))
        self.assertEqual(self.server.index("downloads"), downloads)
        self.server.client("verify")

    @needs("gpg")
    def test_signatures_come_along_and_hold(self):
        """With equal outputs known by a server of hashes of each build directory's own, too."""
        signed = ('SSTATE_SIG_KEY = "builder@example.org"', 'SSTATE_SIG_PASSPHRASE = ""', 'SSTATE_VERIFY_SIG = "1"',
                  'BB_SIGNATURE_HANDLER = "OEEquivHash"', 'BB_HASHSERVE = "auto"')
        self.gnupg("gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", "builder@example.org")
        self.addCleanup(self.gnupg, "gpgconf", "--kill", "all")
        self.first_build(*signed)
        made = self.archives()
        signatures = [name for name in self.server.index("sstate-cache") if name.endswith(".sig")]
        self.assertEqual(signatures, [name + ".sig" for name in made])
        self.take(made, 'INHERIT += "larder"', *signed)
        self.assertLessEqual({name + ".sig" for name in self.archives()}, set(self.files("sstate-cache")))

    def gnupg(self, *arguments):
        subprocess.run([*self.user(), *arguments], env={"PATH": "/usr/bin:/bin", "HOME": self.home()}, check=True)

    def take(self, made, *lines, layer=True):
        """A build from the server alone; how many objects it wanted."""
        self.wipe()
        self.configure(self.reading(), *lines, layer=layer)
        said = self.bitbake(*RECIPES)
        wanted, missed = wanted_and_missed(said)
        self.assertEqual(missed, 0, said)
        self.assertLessEqual(set(self.archives()), set(made))
        self.assert_all_came_from_the_server(said)
        return wanted


class EqualOutputs(YoctoBuild):
    """With larderd as the server of hashes."""

    def setUp(self):
        self.start({"hashserv": {"listen": ["127.0.0.1:0"]}})

    def test_what_depends_on_a_task_with_the_same_output_is_not_built_again(self):
        self.assertIn("BB_HASHSERVE", self.reading())
        self.first_build()
        self.assertGreaterEqual(self.server.stat()["hashserv"]["unihashes"], 4)

        # Another task, and the same output: nothing behind it is made again, and it need not be kept twice.
        write_file(os.path.join(self.directory, "meta-tiny", "tool-native_1.0.bb"), (TOOL + "do_install[vardeps] += 'X'\nX = '1'\n").encode())
        stored = set(self.server.index("sstate-cache"))
        self.wipe()
        self.configure(self.reading(), self.seeding())
        said = self.bitbake(*RECIPES)
        self.assert_no_word_of_larder(said)
        ran = {task for task in self.tasks(said) if not task[1].endswith("_setscene")}
        self.assertIn(("tool-native", "do_install"), ran)
        makes = {"do_compile", "do_install", "do_populate_sysroot", "do_deploy"}  # others are under way before it is known
        self.assertEqual([(recipe, task) for recipe, task in ran if recipe != "tool-native" and task in makes], [], said)
        self.assertEqual(self.image(), b"boot\nINT LIBRARY;\n")
        new = [name for name in self.server.index("sstate-cache") if name not in stored]
        self.assertEqual([name for name in new if ":tool-native:" not in name], [])

        # A third build knows from the server what the second has found out.
        self.wipe()
        self.configure(self.reading(), 'INHERIT += "larder"')
        said = self.bitbake(*RECIPES)
        self.assertEqual(wanted_and_missed(said)[1], 0, said)
        self.assert_all_came_from_the_server(said)


class WhatGoesWrong(YoctoBuild):
    """The build ends as it would have ended."""

    def warnings(self, *arguments, expect=0, **environment):
        said = self.bitbake(*arguments, expect=expect, **environment)
        return "\n".join(line for line in said.splitlines() if line.startswith("WARNING: larder")), said

    def test_a_build_that_fails_sends_what_it_has_made(self):
        self.configure(self.reading(), self.seeding())
        warnings, _ = self.warnings("broken", expect=1)
        self.assertEqual(warnings, "")
        self.assertEqual(self.server.index("sstate-cache"), self.files("sstate-cache"))
        self.assertIn("tool-native", " ".join(self.server.index("sstate-cache")))

    def test_a_server_that_cannot_be_filled_is_a_warning_and_the_next_run_sends_all(self):
        self.configure(self.seeding("http://127.0.0.1:%d" % unused_port()))
        self.assertIn("not all of", self.warnings("tool-native")[0])
        self.configure(self.seeding(), 'LARDER_CLIENT = "no-such-client"')
        self.assertIn("no client", self.warnings("tool-native")[0])
        self.configure(self.seeding())
        self.assertEqual(self.warnings("--dry-run", "tool-native")[0], "")
        self.assertEqual(self.server.index("sstate-cache"), self.files("sstate-cache"))

    def test_without_a_token_a_build_is_told_so_and_with_one_it_fills_the_server(self):
        self.own_server({"write": "nobody"})
        self.configure(self.reading(), self.seeding())
        warnings, said = self.warnings("tool-native")
        self.assertIn("not all of", warnings)
        self.assertIn("token", said)
        self.assertEqual(self.server.index("sstate-cache"), [])
        made = run_tool(LARDERD, "--config", os.path.join(self.server.work, "larderd.yaml"), "--data", self.server.data, "token",
                        "create", "--name", "ci", "--can", "read,write,replace")
        token = made.stdout.split()[0]
        wait_until(lambda: self.server.put("/downloads/x", b"x", {"Authorization": "Bearer " + token}).status == 201,
                   "the daemon knows the token")
        self.assertEqual(self.warnings("tool-native", LARDER_TOKEN=token)[0], "")
        self.assertEqual(self.server.index("sstate-cache"), self.files("sstate-cache"))


if __name__ == "__main__":
    unittest.main()

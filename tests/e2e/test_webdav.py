"""What WebDAV clients ask: PROPFIND by hand, and isar-sstate itself when there
is a checkout of Isar (ISAR_DIR names it) and Python's webdavclient is installed."""
import importlib.util
import os
import re
import subprocess
import sys
import unittest
import xml.etree.ElementTree as xml

from harness import LarderTest, SampleTree, quoted, sha256

DAV = "{DAV:}"
OBJECT = "ab/cd/sstate:zlib::1.3+x:r0::14:0_populate_lic.tar.zst"


def resources(answer):
    """{href: {property: text}}; a collection has its "resourcetype" set to "collection"."""
    found = {}
    for response in xml.fromstring(answer.body).findall(DAV + "response"):
        assert response.find(DAV + "propstat/" + DAV + "status").text == "HTTP/1.1 200 OK"
        properties = {each.tag[len(DAV):]: each.text for each in response.find(DAV + "propstat/" + DAV + "prop")}
        if response.find(".//" + DAV + "collection") is not None:
            properties["resourcetype"] = "collection"
        found[response.find(DAV + "href").text] = properties
    return found


class Propfind(LarderTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, content in ((OBJECT, b"one"), ("ab/other", b"other")):
            assert cls.server.put("/sstate-cache/" + quoted(name), content).status == 201

    def propfind(self, target, depth="1", body=None):
        headers = {} if depth is None else {"Depth": depth}
        return self.server.request("PROPFIND", target, body=body, headers=headers)

    def test_a_directory_tells_what_is_in_it(self):
        answer = self.propfind("/sstate-cache/ab/")
        self.assertEqual(answer.status, 207)
        self.assertEqual(answer.headers["Content-Type"], "application/xml; charset=utf-8")
        found = resources(answer)
        self.assertEqual(set(found), {"/sstate-cache/ab/", "/sstate-cache/ab/cd/", "/sstate-cache/ab/other"})
        self.assertEqual(found["/sstate-cache/ab/cd/"], {"resourcetype": "collection"})
        other = found["/sstate-cache/ab/other"]
        self.assertEqual((other["getcontentlength"], other["getetag"]), ("5", '"%s"' % sha256(b"other")))
        self.assertRegex(other["creationdate"], r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        self.assertEqual(other["getlastmodified"], self.server.head("/sstate-cache/ab/other").headers["Last-Modified"])
        self.assertEqual(set(resources(self.propfind("/sstate-cache/ab"))), set(found))  # without the slash, too

    def test_an_artifact_tells_of_itself(self):
        target = "/sstate-cache/" + quoted(OBJECT)
        for depth in ("0", "1"):
            self.assertEqual(list(resources(self.propfind(target, depth))), [target])

    def test_the_root_and_a_namespace_lead_to_everything(self):
        self.assertEqual(set(resources(self.propfind("/"))), {"/", "/sstate-cache/", "/downloads/"})
        self.assertEqual(set(resources(self.propfind("/", "0"))), {"/"})
        self.assertEqual(set(resources(self.propfind("/sstate-cache"))), {"/sstate-cache/", "/sstate-cache/ab/"})
        self.assertEqual(set(resources(self.propfind("/downloads/"))), {"/downloads/"})  # empty

    def test_a_snapshot_is_read_like_a_namespace(self):
        self.server.client("snapshot", "create", "frozen")
        self.assertIn("/%40frozen/sstate-cache/", resources(self.propfind("/@frozen/")))
        self.assertIn("/%40frozen/sstate-cache/ab/other", resources(self.propfind("/@frozen/sstate-cache/ab/")))
        self.assertEqual(self.propfind("/@thawed/").status, 404)

    def test_what_is_not_there_is_not_found(self):
        for target in ("/sstate-cache/ab/none", "/nothing/", "/nothing/x", "/sstate-cache/ab/other/"):
            self.assertEqual(self.propfind(target).status, 404, target)
        self.assertEqual(self.propfind("/-/v1/stat").status, 405)

    def test_no_answer_is_without_end(self):
        for depth in (None, "infinity", "2"):
            answer = self.propfind("/sstate-cache/", depth)
            self.assertEqual(answer.status, 403)
            self.assertIsNotNone(xml.fromstring(answer.body).find(DAV + "propfind-finite-depth"))

    def test_a_body_is_read_and_the_connection_goes_on(self):
        wanted = b'<?xml version="1.0"?><propfind xmlns="DAV:"><allprop/></propfind>'
        request = b"PROPFIND /sstate-cache/ab/ HTTP/1.1\r\nHost: x\r\nDepth: 0\r\nContent-Length: %d\r\n\r\n%s" % (
            len(wanted), wanted)
        with self.server.raw() as raw:
            for _ in range(2):
                raw.send(request)
                self.assertEqual(raw.response().status, 207)

    def test_directories_are_there_by_the_names_below_them(self):
        # isar-sstate makes them, and after the last file of one it asks what is left of it and removes it.
        self.assertEqual(self.server.request("MKCOL", "/sstate-cache/fresh/").status, 201)
        self.assertEqual(self.server.head("/sstate-cache/fresh/").status, 200)
        self.assertEqual(resources(self.propfind("/sstate-cache/fresh/")),
                         {"/sstate-cache/fresh/": {"resourcetype": "collection"}})
        self.server.put("/sstate-cache/fresh/x", b"x")
        refused = self.server.request("DELETE", "/sstate-cache/fresh/")
        self.assertEqual(refused.status, 409)
        self.assertEqual(self.server.get("/sstate-cache/fresh/x").body, b"x")
        for _ in range(2):
            self.assertEqual(self.server.request("DELETE", "/sstate-cache/fresh/x").status, 204)
            self.assertEqual(list(resources(self.propfind("/sstate-cache/fresh/"))), ["/sstate-cache/fresh/"])
            self.assertEqual(self.server.request("DELETE", "/sstate-cache/fresh/").status, 204)
        self.assertEqual(self.server.request("DELETE", "/nothing/fresh/").status, 404)

    def test_options_tell_that_it_is_understood(self):
        options = self.server.request("OPTIONS", "/sstate-cache/")
        self.assertEqual(options.headers["DAV"], "1")
        self.assertIn("PROPFIND", options.headers["Allow"])


@unittest.skipUnless(os.environ.get("ISAR_DIR"), "ISAR_DIR is not set: no checkout of Isar to test with")
@unittest.skipUnless(importlib.util.find_spec("webdav3"), "Python's webdavclient is not installed")
class Isar(LarderTest):
    def isar(self, *arguments):
        script = os.path.join(os.environ["ISAR_DIR"], "scripts", "isar-sstate")
        done = subprocess.run([sys.executable, script, *arguments], text=True, timeout=200, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, env={**os.environ, "http_proxy": ""})
        self.assertEqual(done.returncode, 0, done.stdout[-2000:])
        self.assertNotIn("ERROR", done.stdout)
        return done.stdout

    def test_upload_info_analyze_and_clean(self):
        tree = SampleTree("sstate", os.path.join(self.work, "sstate"), "--objects", "30", "--median-size", "4KiB")
        mirror = self.server.url + "/sstate-cache/isar"
        files = sum(len(files) for _, _, files in os.walk(tree.directory))
        self.assertIn("uploading %d files" % files, self.isar("upload", tree.directory, mirror))
        self.assertIn("%d files already present" % files, self.isar("upload", tree.directory, mirror))
        known = int(re.search(r"found (\d+) files", self.isar("info", mirror))[1])
        self.assertGreater(known, 20)
        self.isar("analyze", tree.directory, mirror)
        self.isar("clean", "--max-age", "0s", mirror)
        self.assertIn("found 0 files", self.isar("info", mirror))

"""What the server says about itself: listings, the index, bulk questions,
health, figures."""
import gzip
import html.parser
import math
import re
import unittest
import urllib.parse

from harness import BROWSER_ACCEPT, LarderTest, quoted, sha256

FILES = {
    "ab/cd/sstate:zlib::1.3+x:r0::14:0_populate_lic.tar.zst": b"one",
    "ab/cd/sstate:zlib::1.3+x:r0::14:0_populate_lic.tar.zst.siginfo": b"info",
    "ab/ef/object": b"two",
    "universal/ab/cd/native": b"three",
    "top & <level>.bin": b"four",
}


class Links(html.parser.HTMLParser):
    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        if tag == "a":
            self.found.append(dict(attributes).get("href", ""))


class Listings(LarderTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for name, content in FILES.items():
            assert cls.server.put("/sstate-cache/" + quoted(name), content).status == 201, name

    def test_browsers_get_pages_that_lead_to_every_artifact(self):
        found, todo = set(), ["/sstate-cache/"]
        while todo:
            here = todo.pop()
            answer = self.server.get(here, {"Accept": BROWSER_ACCEPT})
            self.assertEqual(answer.status, 200, here)
            if not here.endswith("/"):
                found.add(urllib.parse.unquote(here[len("/sstate-cache/"):]))
                continue
            self.assertTrue(answer.headers["Content-Type"].startswith("text/html"))
            for link in Links(answer.body.decode()).found:
                target = urllib.parse.urljoin(here, link)
                if target.startswith(here) and target != here and "?" not in target and "index.txt" not in target:
                    todo.append(target)
        self.assertEqual(found, set(FILES))

    def test_pages_show_what_looks_like_markup_as_text(self):
        page = self.server.get("/sstate-cache/", {"Accept": "text/html"}).body
        self.assertIn(b"top &amp; &lt;level&gt;.bin", page)

    def test_programs_get_json(self):
        answer = self.server.get("/sstate-cache/ab/cd/", {"Accept": "application/json"})
        self.assertEqual(answer.headers["Content-Type"].partition(";")[0], "application/json")
        listing = answer.json()
        self.assertEqual(listing["path"], "/sstate-cache/ab/cd/")
        names = [name[len("ab/cd/"):] for name in FILES if name.startswith("ab/cd/")]
        self.assertEqual([each["name"] for each in listing["entries"]], sorted(names))
        first = listing["entries"][0]
        self.assertEqual((first["type"], first["size"], first["sha256"]), ("file", 3, sha256(b"one")))
        self.assertGreater(first["stored"], 1_600_000_000)
        above = self.server.get("/sstate-cache/ab/", {"Accept": "application/json"}).json()
        self.assertEqual([(each["name"], each["type"]) for each in above["entries"]],
                         [("cd", "directory"), ("ef", "directory")])

    def test_clients_that_take_anything_find_no_listing_below_a_namespace(self):
        # BitBake's svn fetcher stores whatever a GET of the directory brings as its source archive.
        for target in ("/sstate-cache/", "/sstate-cache/ab/", "/sstate-cache/ab", "/downloads/", "/downloads", "/nothing/"):
            for headers in ({"Accept": "*/*"}, {}, {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/115.0"}):
                with self.subTest(target, headers=headers):
                    answer = self.server.request("GET", target, headers=headers)
                    self.assertEqual(answer.status, 404)
                    self.assertFalse((answer.headers["Content-Type"] or "").startswith("text/html"))
                    self.assertNotIn(b"<html", answer.body.lower())

    def test_a_missing_directory_is_404_for_everybody(self):
        for accept in ("text/html", "application/json", "*/*"):
            self.assertEqual(self.server.get("/sstate-cache/zz/", {"Accept": accept}).status, 404)
            self.assertEqual(self.server.get("/nothing/", {"Accept": accept}).status, 404)

    def test_head_and_get_agree_about_directories_for_those_who_can_read_a_listing(self):
        for target in ("/", "/sstate-cache/", "/sstate-cache/ab/", "/sstate-cache/ab", "/sstate-cache/none/"):
            for accept in ("application/json", BROWSER_ACCEPT):
                with self.subTest(target, accept=accept):
                    get = self.server.get(target, {"Accept": accept})
                    head = self.server.head(target, {"Accept": accept})
                    self.assertEqual((head.status, head.body), (get.status, b""))
                    for name in ("Content-Type", "Content-Length", "Location", "Vary"):
                        self.assertEqual(head.headers[name], get.headers[name], name)

    def test_head_tells_a_client_that_takes_anything_whether_a_directory_is_there(self):
        # isar-sstate asks for every directory above a file before it sends it, and for one that
        # was just emptied; a GET of the same must bring nothing that svn could take for sources.
        for target, status in (("/", 200), ("/sstate-cache/", 200), ("/sstate-cache/ab/", 200),
                               ("/downloads/", 200), ("/sstate-cache/none/", 200), ("/sstate-cache/ab/none", 404),
                               ("/sstate-cache/ab/ef/object/", 404), ("/nothing/", 404)):
            with self.subTest(target):
                head = self.server.head(target)
                self.assertEqual((head.status, head.body), (status, b""))

    def test_a_refused_listing_says_how_to_get_one(self):
        answer = self.server.get("/sstate-cache/ab/")
        self.assertEqual(answer.status, 404)
        self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
        self.assertIn("application/json", answer.json()["detail"])
        self.assertIn("/sstate-cache/index.txt", answer.json()["detail"])

    def test_the_front_page_names_the_namespaces_and_how_to_use_them(self):
        page = self.server.get("/", {"Accept": BROWSER_ACCEPT})
        self.assertEqual(page.status, 200)
        for text in (b"sstate-cache", b"downloads", b"SSTATE_MIRRORS"):
            self.assertIn(text, page.body)
        plain = self.server.get("/")
        self.assertEqual(plain.status, 200)
        self.assertIn(b"sstate-cache", plain.body)

    def test_a_removed_artifact_and_its_empty_directory_leave_the_listing(self):
        self.server.put("/sstate-cache/short/lived", b"x")
        self.assertEqual(self.server.get("/sstate-cache/short/", {"Accept": "application/json"}).status, 200)
        self.server.request("DELETE", "/sstate-cache/short/lived")
        names = [each["name"] for each in
                 self.server.get("/sstate-cache/", {"Accept": "application/json"}).json()["entries"]]
        self.assertNotIn("short", names)


class Index(LarderTest):
    def setUp(self):
        for name, content in FILES.items():
            self.assertIn(self.server.put("/sstate-cache/" + quoted(name), content).status, (200, 201))

    def index(self, query="", headers=None):
        return self.server.get("/sstate-cache/index.txt" + query, headers)

    def test_it_lists_each_name_on_a_line_and_follows_changes(self):
        answer = self.index()
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain"))
        self.assertEqual(sorted(answer.lines()), sorted(FILES))
        self.server.put("/sstate-cache/zz/new", b"x")
        self.assertEqual(sorted(self.index().lines()), sorted([*FILES, "zz/new"]))
        self.server.request("DELETE", "/sstate-cache/zz/new")
        self.assertEqual(sorted(self.index().lines()), sorted(FILES))

    def test_it_is_compressed_on_request(self):
        plain = self.index()
        packed = self.index(headers={"Accept-Encoding": "gzip"})
        self.assertEqual(packed.headers["Content-Encoding"], "gzip")
        self.assertEqual(gzip.decompress(packed.body), plain.body)
        self.assertIn("accept-encoding", (plain.headers["Vary"] or "").lower())
        self.assertIsNone(self.index(headers={"Accept-Encoding": "gzip;q=0"}).headers["Content-Encoding"])

    def test_its_etag_changes_only_when_the_names_do(self):
        etag = self.index().headers["ETag"]
        self.assertEqual(self.index(headers={"If-None-Match": etag}).status, 304)
        self.server.get("/sstate-cache/ab/ef/object")
        self.assertEqual(self.index().headers["ETag"], etag)
        self.server.put("/sstate-cache/zz/etag", b"x")
        self.assertNotEqual(self.index().headers["ETag"], etag)
        self.assertEqual(self.index(headers={"If-None-Match": etag}).status, 200)
        self.server.request("DELETE", "/sstate-cache/zz/etag")

    def generation(self, answer):
        return int(answer.headers["Larder-Generation"])

    def test_since_tells_what_changed(self):
        before = self.generation(self.index())
        self.server.put("/sstate-cache/zz/since", b"x")
        self.server.request("DELETE", "/sstate-cache/ab/ef/object")
        changes = self.index("?since=%d" % before)
        self.assertEqual(changes.status, 200)
        self.assertEqual(changes.lines(), ["+zz/since", "-ab/ef/object"])
        now = self.generation(changes)
        self.assertGreater(now, before)
        self.assertEqual(self.index("?since=%d" % now).lines(), [])
        self.server.request("DELETE", "/sstate-cache/zz/since")
        self.assertEqual(self.index("?since=%d" % now).lines(), ["-zz/since"])

    def test_changes_since_the_beginning_lead_to_the_whole_list(self):
        names = set()
        for line in self.index("?since=0").lines():
            (names.add if line[0] == "+" else names.discard)(line[1:])
        self.assertEqual(names, set(self.index().lines()))

    def test_changes_elsewhere_are_not_told(self):
        before = self.generation(self.index())
        self.server.put("/downloads/elsewhere.tar.gz", b"x")
        self.assertEqual(self.index("?since=%d" % before).lines(), [])

    def test_a_replaced_tarball_is_told_and_refused_or_repeated_uploads_are_not(self):
        target = "/downloads/git2_told.tar.gz"
        self.server.put(target, b"old")
        before = self.generation(self.server.get("/downloads/index.txt"))
        self.server.put(target, b"old")
        self.server.put("/sstate-cache/ab/ef/object", b"other")
        since = "/downloads/index.txt?since=%d" % before
        self.assertEqual(self.server.get(since).lines(), [])
        self.server.put(target, b"newer")
        self.assertEqual(self.server.get(since).lines(), ["+git2_told.tar.gz"])

    def test_a_generation_that_never_was_is_gone(self):
        # Of another history of this server, or of none: who asks has to fetch the whole list.
        now = self.generation(self.index())
        self.assertEqual(self.index("?since=%d" % now).status, 200)
        for other in (1, now + 1, now + 1000, now + 2 ** 40, 2 ** 64 - 1):
            self.assertEqual(self.index("?since=%d" % other).status, 410, other)

    def test_a_generation_is_not_known_after_a_crash_and_an_etag_is_another(self):
        server = self.own_server({})
        server.put("/downloads/a", b"a")
        before = server.get("/downloads/index.txt")
        server.kill()
        again = self.own_server({}, data=server.data)
        since = "/downloads/index.txt?since=%s" % before.headers["Larder-Generation"]
        self.assertEqual(again.get(since).status, 410)
        etag = {"If-None-Match": before.headers["ETag"]}
        self.assertEqual(again.get("/downloads/index.txt", etag).lines(), ["a"])

    def test_a_since_that_is_no_generation_is_a_bad_request(self):
        for bad in ("x", "-1", "", "+1", "1x", "0x1", "%201", "99999999999999999999999"):
            self.assertEqual(self.index("?since=" + bad).status, 400, bad)

    def test_http_1_0_gets_it_up_to_the_end_of_the_connection(self):
        with self.server.raw() as raw:
            raw.send(b"GET /sstate-cache/index.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            answer = raw.response()
            self.assertEqual((answer.status, answer.headers["Transfer-Encoding"]), (200, None))
            self.assertEqual(sorted(answer.lines()), sorted(FILES))
            self.assertTrue(raw.closed())

    def test_an_unknown_namespace_has_none(self):
        self.assertEqual(self.server.get("/nothing/index.txt").status, 404)

    def test_head_agrees(self):
        get, head = self.index(), self.server.head("/sstate-cache/index.txt")
        self.assertEqual((head.status, head.headers["ETag"], head.body), (200, get.headers["ETag"], b""))


class FindMissing(LarderTest):
    TARGET = "/-/v1/find-missing?namespace=sstate-cache"

    def setUp(self):
        for name, content in FILES.items():
            self.assertIn(self.server.put("/sstate-cache/" + quoted(name), content).status, (200, 201))

    def ask(self, lines, headers=None, body=None):
        body = body if body is not None else "".join(line + "\n" for line in lines).encode()
        return self.server.request("POST", self.TARGET, body=body, headers=headers)

    def test_the_missing_names_come_back_in_the_order_asked(self):
        asked = ["zz/9", *list(FILES)[:2], "aa/1", *list(FILES)[2:], "mm/5"]
        answer = self.ask(asked)
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.lines(), ["zz/9", "aa/1", "mm/5"])

    def test_names_are_not_percent_decoded(self):
        self.assertEqual(self.ask([quoted(name) for name in FILES if ":" in name]).lines(),
                         [quoted(name) for name in FILES if ":" in name])

    def test_a_declared_digest_makes_other_bytes_count_as_missing(self):
        same, other = "ab/ef/object\t" + sha256(b"two"), "universal/ab/cd/native\t" + sha256(b"else")
        self.assertEqual(self.ask([same, other]).lines(), ["universal/ab/cd/native"])

    def test_a_compressed_question_is_understood(self):
        body = gzip.compress(b"ab/ef/object\nzz/missing\n")
        self.assertEqual(self.ask([], {"Content-Encoding": "gzip"}, body).lines(), ["zz/missing"])
        self.assertEqual(self.ask([], {"Content-Encoding": "gzip"}, b"no gzip").status, 400)
        self.assertEqual(self.ask([], {"Content-Encoding": "gzip"}, body[:-9]).status, 400)
        unknown = self.ask([], {"Content-Encoding": "br"}, body)
        self.assertEqual((unknown.status, unknown.headers["Accept-Encoding"]), (415, "gzip"))

    def test_a_question_that_unpacks_to_more_than_anybody_asks_is_refused(self):
        body = gzip.compress(b"\n" * (65 << 20), 1)
        self.assertEqual(self.ask([], {"Content-Encoding": "gzip"}, body).status, 413)
        self.assertEqual(self.ask(["zz/still-there"]).lines(), ["zz/still-there"])

    def test_100_000_names_in_one_request(self):
        names = ["%02x/%02x/sstate:recipe-%d:%064x_x.tar.zst" % (i % 256, i // 256 % 256, i, i) for i in range(99_999)]
        answer = self.ask([*names, "ab/ef/object"])
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.lines(), names)

    def test_edges(self):
        self.assertEqual(self.ask([]).body, b"")
        self.assertEqual(self.ask([], body=b"zz/no-newline-at-the-end").lines(), ["zz/no-newline-at-the-end"])
        self.assertEqual(self.ask([], body=b"zz/crlf\r\nab/ef/object\r\n").lines(), ["zz/crlf"])
        self.assertEqual(self.server.request("POST", "/-/v1/find-missing?namespace=nothing", body=b"x\n").status, 404)
        self.assertEqual(self.server.request("POST", "/-/v1/find-missing", body=b"x\n").status, 400)
        self.assertEqual(self.server.get(self.TARGET).status, 405)

    def test_questions_trigger_nothing(self):
        before = self.server.namespace_stat("sstate-cache")
        self.ask(["zz/1", "ab/ef/object"])
        after = self.server.namespace_stat("sstate-cache")
        for figure in ("artifacts", "uploads", "misses", "hits"):
            self.assertEqual(after[figure], before[figure], figure)


class Figures(LarderTest):
    SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*\})? '
                        r'(\S+)$')

    def samples(self):
        """The metrics as {(name, labels): value}; checks the text format on the way."""
        answer = self.server.get("/-/metrics")
        self.assertEqual(answer.status, 200)
        self.assertTrue(answer.headers["Content-Type"].startswith("text/plain"))
        text = answer.body.decode()
        self.assertTrue(text.endswith("\n"))
        types, values = {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                self.assertNotIn(name, types)
                self.assertIn(kind, ("counter", "gauge", "histogram", "summary", "untyped"))
                types[name] = kind
            elif line and not line.startswith("#"):
                match = self.SAMPLE.match(line)
                self.assertIsNotNone(match, line)
                name, labels, value = match.groups()
                base = re.sub("_(bucket|sum|count)$", "", name)
                self.assertTrue(name in types or types.get(base) == "histogram", "no TYPE for " + name)
                self.assertNotIn((name, labels), values)
                values[name, labels or ""] = float(value)
        self.types = types
        return values

    def test_metrics_are_prometheus_text_and_count(self):
        def total(samples, word):
            return sum(value for (name, labels), value in samples.items()
                       if word in name and self.types.get(name) == "counter")

        before = self.samples()
        self.server.put("/sstate-cache/metric", b"x" * 1000)
        for _ in range(3):
            self.server.get("/sstate-cache/metric")
        self.server.get("/sstate-cache/missing")
        after = self.samples()
        for word, at_least in (("hit", 3), ("miss", 1), ("upload", 1)):
            self.assertGreaterEqual(total(after, word) - total(before, word), at_least, word)
        self.assertTrue(all(name.startswith(("larder_", "process_")) for name in self.types), sorted(self.types))

    def test_what_sharing_saves_is_told_for_each_namespace(self):
        def figures():
            stat = self.server.namespace_stat("sstate-cache")
            return stat["objects"], stat["physical_bytes"], stat["saved_bytes"]

        before = figures()
        for name in ("first", "second", "third"):
            self.server.put("/sstate-cache/shared/" + name, b"told for each namespace")
        after = figures()
        self.assertEqual([now - then for now, then in zip(after, before)], [1, 23, 46])
        self.assertEqual(self.samples()["larder_namespace_objects", '{namespace="sstate-cache"}'], after[0])

    def test_metrics_tell_of_the_process_and_the_policy(self):
        self.assertEqual(self.samples()["larder_durability_info", '{policy="batch"}'], 1)
        few = self.samples()["process_open_fds", ""]
        self.assertGreater(few, 10)
        connections = [self.server.connection() for _ in range(20)]
        for connection in connections:
            self.server.head("/sstate-cache/missing", None, connection)
        self.assertGreater(self.samples()["process_open_fds", ""], few + 10)
        for connection in connections:
            connection.close()
        used = self.samples()["process_cpu_seconds_total", ""]
        self.assertGreater(used, 0)
        for _ in range(200):
            self.server.get("/-/v1/stat")
        self.assertGreater(self.samples()["process_cpu_seconds_total", ""], used)

    def test_latency_histograms_are_cumulative(self):
        self.server.get("/sstate-cache/missing")
        samples = self.samples()
        histograms = [name for name, kind in self.types.items() if kind == "histogram"]
        self.assertGreater(len(histograms), 0)
        for histogram in histograms:
            series = {}
            for (name, labels), value in samples.items():
                if name != histogram + "_bucket":
                    continue
                bound = re.search(r'le="([^"]+)"', labels).group(1)
                rest = re.sub(r',?le="[^"]+"', "", labels).replace("{,", "{")
                series.setdefault(rest, []).append((math.inf if bound == "+Inf" else float(bound), value))
            for labels, buckets in series.items():
                buckets.sort()
                counts = [count for _, count in buckets]
                self.assertEqual(counts, sorted(counts))
                self.assertEqual(buckets[-1][0], math.inf)
                self.assertEqual(counts[-1], samples[histogram + "_count", "" if labels == "{}" else labels])

    def test_health(self):
        answer = self.server.get("/-/health")
        self.assertEqual(answer.status, 200)
        self.assertEqual(self.server.head("/-/health").status, 200)
        self.assertLess(len(answer.body), 200)

    def test_stat_tells_the_policy_and_the_process(self):
        stat = self.server.stat()
        self.assertEqual(stat["durability"], "batch")
        self.assertTrue(stat["ready"])
        self.assertGreater(stat["resident_bytes"], 1 << 20)
        self.assertGreater(stat["disk_total_bytes"], stat["disk_free_bytes"])
        self.assertGreaterEqual(stat["connections"], 1)
        self.assertGreaterEqual(stat["now"], stat["started"])
        self.assertEqual([each["kind"] for each in stat["namespaces"]], ["sstate", "downloads"])

    def test_an_unknown_admin_name_is_404(self):
        for target in ("/-/", "/-/nothing", "/-/v1/nothing", "/-/v2/stat", "/-"):
            self.assertEqual(self.server.get(target).status, 404, target)


if __name__ == "__main__":
    unittest.main()

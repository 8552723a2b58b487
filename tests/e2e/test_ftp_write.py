"""Uploads over FTP, whole and broken, and what else changes names."""
import concurrent.futures
import io
import os
import signal
import tarfile
import threading
import unittest

import harness
from ftp_harness import NAMESPACES, Control, FtpTest, reset
from harness import SampleTree, sha256, wait_until


class Writing(FtpTest):
    def test_what_is_stored_is_read_over_http_and_the_other_way_round(self):
        content = os.urandom(2 << 20)
        control = self.control()
        self.assert_code(226, control.store("/downloads/w/over ftp", content))
        answer = self.server.get("/downloads/w/over%20ftp")
        self.assertEqual((answer.status, sha256(answer.body)), (200, sha256(content)))
        self.assertEqual(answer.headers["ETag"], '"%s"' % sha256(content))

    def test_a_name_keeps_its_content(self):
        control = self.control()
        self.assert_code(226, control.store("/sstate-cache/once", b"first"))
        self.assert_code(226, control.store("/sstate-cache/once", b"first"))
        self.assert_code(553, control.store("/sstate-cache/once", b"other"))
        self.assertEqual(self.server.put("/sstate-cache/once", b"other").status, 409)
        self.assertEqual(self.server.get("/sstate-cache/once").body, b"first")
        self.assert_code(226, control.store("/downloads/git2_h.r.tar", self.tar(b"1")))
        self.assert_code(226, control.store("/downloads/git2_h.r.tar", self.tar(b"2")))  # this one may grow
        self.assertEqual(self.server.get("/downloads/git2_h.r.tar").body, self.tar(b"2"))

    @staticmethod
    def tar(content):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            member = tarfile.TarInfo("file")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        return out.getvalue()

    def test_the_first_writer_wins_whatever_it_speaks(self):
        for number in range(8):
            name = "/generic/race/%d" % number
            barrier = threading.Barrier(8)

            def write(writer):
                content = b"%d" % writer * 100000
                control = Control(self.server) if writer % 2 else None
                barrier.wait()
                if control:
                    won = control.store(name, content).startswith("226")
                    control.close()
                else:
                    won = self.server.put(name, content).status == 201
                return content if won else None

            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                winners = [content for content in pool.map(write, range(8)) if content]
            self.assertEqual(len(winners), 1)
            self.assertEqual(self.server.get(name).body, winners[0])

    def test_an_upload_that_breaks_leaves_nothing(self):
        def end_data_by_reset(control, data):
            reset(data)
            self.assert_code(426, control.reply())

        def vanish(control, data):  # as kill -9 does: both end, the control connection first
            control.close()
            data.close()

        def vanish_by_reset(control, data):
            control.stream.close()
            reset(control.socket)
            data.close()

        def vanish_the_other_way_round(control, data):
            data.close()
            control.close()

        def vanish_behind_chatter(control, data):
            control.send(b"NOOP\r\n" * 20 + b"QUIT\r\n")
            control.close()
            data.close()

        def abort(control, data):
            control.send("ABOR")
            self.assert_code(426, control.reply())
            self.assert_code(226, control.reply())

        for number, end in enumerate((end_data_by_reset, vanish, vanish_by_reset, vanish_the_other_way_round,
                                        vanish_behind_chatter, abort)):
            with self.subTest(end.__name__):
                name = "generic/broken/%d" % number
                control = Control(self.server)
                data = control.passive()
                self.assert_code(150, control.ask("STOR /" + name))
                data.sendall(b"x" * 300000)
                self.assert_absent(name)
                end(control, data)
                control.close()
                wait_until(lambda: not self.staged(), "what was received is thrown away")
                self.assert_absent(name)

    def test_an_unfinished_upload_goes_on_in_its_own_session_only(self):
        content = os.urandom(600000)
        control = self.control()

        def break_off(name, at):
            data = control.passive()
            self.assert_code(150, control.ask("STOR " + name))
            data.sendall(content[:at])
            wait_until(lambda: any(os.path.getsize(os.path.join(self.server.data, "tmp", each)) == at
                                   for each in self.staged()), "the first part is there")
            reset(data)
            self.assertIn("%d bytes are kept" % at, control.reply())

        break_off("/generic/resumed", 262144)
        self.assert_code(550, control.ask("SIZE /generic/resumed"))
        self.assert_code(554, self.stranger_resumes("/generic/resumed", content[262144:]))
        self.assert_code(226, control.store("/generic/resumed", content[262144:], verb="APPE"))
        self.assertEqual(sha256(self.server.get("/generic/resumed").body), sha256(content))

        break_off("/generic/rested", 262144)
        control.ask("REST 1000")
        self.assert_code(554, control.store("/generic/rested", content[1000:]))
        control.ask("REST 262144")
        self.assert_code(226, control.store("/generic/rested", content[262144:]))
        self.assertEqual(sha256(self.server.get("/generic/rested").body), sha256(content))
        self.assert_code(553, control.store("/generic/rested", b"more", verb="APPE"))
        self.assert_code(553, control.store("/generic/tail", b"more", verb="APPE"))  # it would pass for the whole

        break_off("/generic/announced", 262144)
        control.ask("ALLO 600001")
        self.assert_code(553, control.store("/generic/announced", content[262144:], verb="APPE"))
        self.assert_absent("generic/announced")

    def stranger_resumes(self, name, rest):
        with Control(self.server) as other:
            other.ask("REST 262144")
            return other.store(name, rest)

    def test_a_cut_archive_is_refused_though_the_connection_ended_well(self):
        tree = SampleTree("sstate", os.path.join(self.temporary_directory(), "tree"), "--objects", "12",
                          "--median-size", "20KiB")
        path = next(each for each in tree.taken() if each.endswith(".tar.zst") and tree.taken()[each][1] > 4000)
        content = harness.read_file(tree.file(path))
        control = self.control()
        self.assert_code(553, control.store("/sstate-cache/" + path, content[:-100]))
        self.assert_absent("sstate-cache/" + harness.quoted(path))
        self.assert_code(226, control.store("/sstate-cache/" + path, content))

    def test_an_announced_length_is_kept_to(self):
        control = self.control()
        for announced in (4, 6):
            control.ask("ALLO %d" % announced)
            self.assert_code(553, control.store("/downloads/announced", b"12345"))
        self.assert_absent("downloads/announced")
        control.ask("ALLO 5")
        self.assert_code(226, control.store("/downloads/announced", b"12345"))

    def test_limits_have_their_own_codes(self):
        server = self.own_server({"namespaces": [{"name": "small", "kind": "generic", "max_size": "1MiB",
                                                  "max_object_size": "600KiB"}]})
        control = self.control(server)
        self.assert_code(552, control.store("/small/large", os.urandom(700000)))
        self.assert_code(226, control.store("/small/a", os.urandom(600000)))
        self.assert_code(452, control.store("/small/b", os.urandom(600000)))
        control.ask("ALLO 700000")
        self.assert_code(552, control.store("/small/large", b""))
        wait_until(lambda: self.staged(server) == [], "what was refused is dropped")

    def test_names_that_cannot_be_stored(self):
        control = self.control()
        for name in ("/x", "/nowhere/x", "/downloads", "/", "/downloads/index.txt", "/-/x", "/@x/y",
                     "/downloads/" + "x" * 256, "/downloads/a\x01b"):
            with self.subTest(name[:40]):
                self.assert_code(553, control.store(name, b"x"))
        self.assert_code(502, control.ask("STOU"))

    def test_a_writer_that_trickles_is_cut_off(self):
        server = self.own_server({"namespaces": NAMESPACES, "ftp": {"data_timeout": "1s", "min_rate": "1MiB"}})
        control = self.control(server)
        with control.passive() as data:
            self.assert_code(150, control.ask("STOR /generic/slow"))
            stop = threading.Event()

            def trickle():
                while not stop.wait(0.05):
                    try:
                        data.send(b"x")
                    except OSError:
                        return
            thread = threading.Thread(target=trickle)
            thread.start()
            self.assert_code(426, control.reply())
            stop.set()
            thread.join()
        self.assert_absent("generic/slow", server)

    def test_who_may_not_write_is_told_so(self):
        server = self.own_server({"write": "nobody"})
        control = self.control(server)
        for command in ("DELE /downloads/x", "MKD /downloads/d", "RMD /downloads/d", "RNFR /downloads/x"):
            self.assertIn("may not do this: it needs the right to", control.ask(command))
        self.assertIn("needs the right to write in downloads", control.store("/downloads/x", b"x"))

    def test_an_upload_goes_on_while_the_daemon_ends(self):
        server = self.own_server({"namespaces": NAMESPACES})
        control = self.control(server)
        with control.passive() as data:
            self.assert_code(150, control.ask("STOR /generic/last"))
            data.sendall(b"first ")
            server.signal(signal.SIGTERM)
            wait_until(lambda: not self.accepts(server), "no new sessions")
            data.sendall(b"second")
        self.assert_code(226, control.reply())
        self.assert_code(421, control.reply())
        self.assertEqual(server.wait(), 0)
        again = self.start_server({"namespaces": NAMESPACES}, data=server.data)
        self.assertEqual(again.get("/generic/last").body, b"first second")
        self.assertEqual(again.stop(), 0)

    @staticmethod
    def accepts(server):
        try:
            with Control(server, login=False) as control:
                return control.greeting != ""
        except OSError:
            return False


class Managing(FtpTest):
    def test_directories_that_were_made_are_there_until_something_lies_in_them(self):
        control = self.control()
        self.assert_code(257, control.ask("MKD /downloads/made/deep"))
        self.assert_code(250, control.ask("CWD /downloads/made/deep"))
        self.assertEqual(control.listing("LIST"), "")
        self.assert_code(250, self.control().ask("CWD /downloads/made"))  # clients use several sessions for a tree
        self.assert_code(226, control.store("x", b"x"))
        self.assert_code(250, self.control().ask("CWD /downloads/made"))
        self.assert_code(550, control.ask("MKD /downloads/made"))
        self.assert_code(550, control.ask("RMD /downloads/made"))
        self.assert_code(250, control.ask("DELE /downloads/made/deep/x"))
        self.assertEqual(control.listing("LIST /downloads/made/deep"), "", "emptied, and there until it is removed")
        self.assert_code(250, control.ask("RMD /downloads/made/deep"))
        self.assert_code(250, control.ask("RMD /downloads/made"))
        self.assert_code(250, control.ask("CWD /downloads"))
        self.assert_code(550, control.ask("CWD /downloads/made"))
        self.assert_code(257, control.ask("MKD /downloads/empty"))
        self.assert_code(250, control.ask("RMD /downloads/empty"))
        self.assert_code(550, control.ask("CWD /downloads/empty"))

    def test_what_was_refused_is_not_removed_to_make_room(self):
        control = self.control()
        control.store("/downloads/kept", b"first")
        self.assert_code(553, control.store("/downloads/kept", b"other"))
        self.assert_code(550, self.control().ask("DELE /downloads/kept"))  # as rclone does, before it tries again
        self.assertEqual(self.server.get("/downloads/kept").body, b"first")

    def test_removing(self):
        control = self.control()
        control.store("/downloads/gone", b"x")
        self.assert_code(250, control.ask("DELE /downloads/gone"))
        self.assert_code(550, control.ask("DELE /downloads/gone"))
        self.assert_code(550, control.ask("DELE /downloads"))
        self.assert_absent("downloads/gone")

    def test_renaming_gives_a_content_its_final_name(self):
        control = self.control()
        control.store("/downloads/r.part", b"content")
        control.store("/downloads/taken", b"other")
        self.assert_code(550, control.ask("RNFR /downloads/none"))
        self.assert_code(350, control.ask("RNFR /downloads/r.part"))
        self.assert_code(553, control.ask("RNTO /downloads/taken"))
        self.assert_code(350, control.ask("RNFR /downloads/r.part"))
        self.assert_code(250, control.ask("RNTO /downloads/r"))
        self.assertEqual(self.server.get("/downloads/r").body, b"content")
        self.assert_absent("downloads/r.part")
        self.assert_code(503, control.ask("RNTO /downloads/again"))


if __name__ == "__main__":
    unittest.main()

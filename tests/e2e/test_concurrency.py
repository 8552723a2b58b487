"""Many writers of one name and of one content, and readers among them."""
import concurrent.futures
import os
import threading
import unittest

from harness import InBackground, LarderTest, sha256

WRITERS = 16


def body_of(writer, size=200_000):
    return bytes([writer]) * size


class Concurrency(LarderTest):
    def put_all(self, puts):
        """Sends all at the same moment; returns the statuses in order."""
        gate = threading.Barrier(len(puts), timeout=60)

        def one(target, body):
            connection = self.server.connection()
            connection.connect()
            gate.wait()
            try:
                return self.server.put(target, body, connection=connection).status
            finally:
                connection.close()

        with concurrent.futures.ThreadPoolExecutor(len(puts)) as pool:
            return list(pool.map(lambda put: one(*put), puts))

    def test_one_name_and_different_bytes_have_one_winner(self):
        for attempt in range(8):
            target = "/sstate-cache/race/%d" % attempt
            statuses = self.put_all([(target, body_of(writer)) for writer in range(WRITERS)])
            self.assertEqual(sorted(statuses), [201] + [409] * (WRITERS - 1))
            self.assertEqual(self.server.get(target).body, body_of(statuses.index(201)))

    def test_one_name_and_the_same_bytes_are_all_accepted(self):
        for attempt in range(4):
            statuses = self.put_all([("/sstate-cache/same/%d" % attempt, b"same" * 50_000)] * WRITERS)
            self.assertEqual(sorted(statuses), [200] * (WRITERS - 1) + [201])

    def test_one_content_under_many_names_is_stored_once(self):
        content = os.urandom(100_000)
        before = self.server.stat()["objects"]
        statuses = self.put_all([("/sstate-cache/many/%d" % writer, content) for writer in range(WRITERS)])
        self.assertEqual(statuses, [201] * WRITERS)
        self.assertEqual(self.server.stat()["objects"] - before, 1)
        directory = os.path.join(self.server.data, "tree", "sstate-cache", "many")
        self.assertEqual(len({os.stat(os.path.join(directory, name)).st_ino for name in os.listdir(directory)}), 1)

    def test_readers_see_nothing_or_all(self):
        bodies = {sha256(body_of(writer)) for writer in range(WRITERS)}
        wrong, seen = [], set()

        def read(_, stop):
            connection = self.server.connection()
            while not stop.is_set():
                head = self.server.head(target, connection=connection)
                whole = self.server.get(target, connection=connection)
                if head.status == 200 and whole.status != 200:
                    wrong.append("HEAD 200, then GET %d" % whole.status)
                if whole.status == 200:
                    seen.add(sha256(whole.body))
                elif whole.status != 404:
                    wrong.append("GET %d" % whole.status)
            connection.close()

        for attempt in range(5):
            seen.clear()
            target = "/sstate-cache/watched/%d" % attempt
            with InBackground(read):
                self.put_all([(target, body_of(writer)) for writer in range(WRITERS)])
                seen.add(sha256(self.server.get(target).body))
            self.assertEqual(wrong, [])
            self.assertEqual(len(seen), 1, "a name changed its content")
            self.assertLessEqual(seen, bodies)

    def test_a_replaced_tarball_is_always_the_old_or_the_new_one(self):
        for what, size in (("one size", lambda writer: 200_000), ("growing", lambda writer: 100_000 + 10_000 * writer)):
            with self.subTest(what):
                self.replace_before_readers("/downloads/git2_%s.tar.gz" % what[:3], size)

    def replace_before_readers(self, target, size):
        bodies = [body_of(writer, size(writer)) for writer in range(WRITERS)]
        order = {sha256(body): number for number, body in enumerate(bodies)}
        self.assertEqual(self.server.put(target, bodies[0]).status, 201)
        wrong = []

        def read(_, stop):
            connection = self.server.connection()
            newest = 0
            while not stop.is_set():
                head = self.server.head(target, connection=connection)
                answer = self.server.get(target, connection=connection)
                if head.status != 200 or answer.status != 200:
                    wrong.append("HEAD %d, GET %d" % (head.status, answer.status))
                    continue
                if answer.headers["ETag"].strip('"') != sha256(answer.body):
                    wrong.append("an ETag of other bytes")
                    continue
                seen = order.get(sha256(answer.body))
                if seen is None:
                    wrong.append("a mixture of %d bytes" % len(answer.body))
                elif seen < newest:
                    wrong.append("%d after %d" % (seen, newest))
                else:
                    newest = seen
            connection.close()

        with InBackground(read):
            statuses = [self.server.put(target, body).status for body in bodies[1:]]
        self.assertEqual(wrong, [])
        self.assertEqual(statuses, [200] * (WRITERS - 1))
        self.assertEqual(self.server.get(target).body, bodies[-1])

    def test_removals_against_uploads_leave_nothing_half(self):
        target = "/sstate-cache/flicker"
        for attempt in range(10):
            body = body_of(attempt, 5000)
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                put = pool.submit(self.server.put, target, body)
                remove = pool.submit(self.server.request, "DELETE", target)
                self.assertEqual(put.result().status, 201)
                self.assertEqual(remove.result().status // 100, 2)
            answer = self.server.get(target)
            self.assertIn(answer.status, (200, 404))
            if answer.status == 200:
                self.assertEqual(answer.body, body)
            self.server.request("DELETE", target)
            self.assertEqual(self.server.get(target).status, 404)

    def test_hundreds_of_kept_connections_are_served(self):
        self.server.put("/sstate-cache/crowd", b"x")
        held = []
        for _ in range(300):
            connection = self.server.connection()
            self.assertEqual(self.server.head("/sstate-cache/crowd", connection=connection).status, 200)
            held.append((connection, connection.sock))
        for connection, socket_used in held:
            self.assertEqual(self.server.head("/sstate-cache/crowd", connection=connection).status, 200)
            self.assertIs(connection.sock, socket_used)
            connection.close()


if __name__ == "__main__":
    unittest.main()

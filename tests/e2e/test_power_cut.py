"""A power cut on a real file system: the image of its disk, as it is the moment after the last answer."""
import os
import threading

from disk_image import OnDiskImage
from harness import wait_until


class PowerCut(OnDiskImage):
    def test_with_batch_what_was_acknowledged_is_there_and_whole(self):
        self.check("batch")

    def test_with_each_what_was_acknowledged_is_there_and_whole(self):
        self.check("each")

    def check(self, durability):
        config = {"durability": durability, "namespaces": [{"name": "generic", "kind": "generic"}]}
        server = self.own_server(config, data=os.path.join(self.mount(self.image), "data"))
        sizes = (1, 300, 20000, 64 << 10, 100_000, 300_000)
        sent, gone = {}, []

        def upload(worker):
            connection = server.connection()
            for number in range(40):
                target = "/generic/%d/%d/x" % (number % 7, 1000 * worker + number)
                body = os.urandom(sizes[number % len(sizes)])
                if server.request("PUT", target, body, connection=connection).status == 201:
                    sent[target] = body
                if number % 10 == 9 and server.request("DELETE", target, connection=connection).status == 204:
                    gone.append(target)
            connection.close()

        workers = [threading.Thread(target=upload, args=(worker,)) for worker in range(8)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        disk = self.cut()
        server.kill()
        self.assertEqual((len(sent), len(gone)), (8 * 40, 8 * 4))

        again = self.own_server(config, data=os.path.join(disk, "data"))
        for target, body in sent.items():
            answer = again.get(target)
            if target in gone:
                self.assertEqual(answer.status, 404, target)
            else:
                self.assertEqual((answer.status, answer.body == body), (200, True), target)
        wait_until(lambda: not again.stat()["reconciling"], "tree and index agree")
        done = again.client("verify", "--repair", expect=None)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(again.stop(), 0)

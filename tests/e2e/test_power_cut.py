"""A power cut on a real file system: the image of its disk, as it is the moment after the last answer."""
import os
import shutil
import subprocess
import threading

from harness import LarderTest, wait_until

MIB = 2**20


def run(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


class PowerCut(LarderTest):
    def setUp(self):
        if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
            self.skipTest("needs root and mkfs.ext4")
        self.place = self.temporary_directory()
        self.image = os.path.join(self.place, "disk")
        with open(self.image, "wb") as image:
            image.truncate(512 * MIB)
        if not run("mkfs.ext4", "-q", "-F", self.image):
            self.skipTest("cannot make a file system")

    def mount(self, image):
        point = image + ".mounted"
        os.mkdir(point)
        # Nothing is written but what is synced, so that the copy is of one moment.
        if not run("mount", "-o", "loop,commit=300", image, point):
            self.skipTest("may not mount an image")
        self.addCleanup(run, "umount", "-l", point)
        return point

    def cut(self):
        """The disk as it is now, without what is in memory only."""
        copy = os.path.join(self.place, "copy")
        subprocess.run(["cp", "--sparse=always", self.image, copy], check=True)
        return self.mount(copy)

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

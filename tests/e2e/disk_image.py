"""Tests on a file system of their own: what a power cut leaves of it, and what happens when it is full."""
import os
import shutil
import subprocess

from harness import LarderTest

MIB = 2**20


def run(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


class OnDiskImage(LarderTest):
    with_server = False
    size = 512 * MIB

    def setUp(self):
        if os.geteuid() != 0 or shutil.which("mkfs.ext4") is None:
            self.skipTest("needs root and mkfs.ext4")
        self.place = self.temporary_directory()
        self.image = os.path.join(self.place, "disk")
        with open(self.image, "wb") as image:
            image.truncate(self.size)
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

    @staticmethod
    def fill(point):
        """To the last byte; the file that does."""
        name = os.path.join(point, "filling")
        with open(name, "wb", buffering=0) as file:
            for size in (MIB, 4096, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    pass
        return name

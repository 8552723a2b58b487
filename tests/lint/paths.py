#!/usr/bin/env python3
"""Finds names of directories that exist on one developer's machine alone.

`paths.py --self-test` proves that the lint still sees them.
"""

import pathlib
import re
import sys

from cpp_text import REPOSITORY, line_at

# A person's home or working directory; "~/build" and "/srv/…" are fine.
PRIVATE = re.compile(r'(?<![\w.~}>)\]$-])/(?:work|home|root|Users)/[\w.]')
NOT_OURS = {'.git', '.run', 'build', '__pycache__'}
NOT_TEXT = {'.gz', '.zst', '.xz', '.tar', '.bin', '.png'}


def files_below(directory):
    for path in sorted(directory.iterdir()):
        if path.is_symlink() or path.name in NOT_OURS:
            continue
        if path.is_dir():
            yield from files_below(path)
        elif path.suffix not in NOT_TEXT:
            yield path


def defects(text):
    return [(line_at(text, match.start()), match.group(0)) for match in PRIVATE.finditer(text)]


def self_test():
    for directory in ('work', 'home', 'root', 'Users'):
        for before in ('', ' ', '"', '=', ':', '\n', 'file://'):
            sample = f'{before}/{directory}/someone/x'
            assert defects(sample), sample
    for sample in ('~/work/x', '/srv/work/x', 'share/home/x', '$HOME/root/x', '/workshop/x', '/home', '${x}/work/y'):
        assert not defects(sample), sample
    assert defects('a\nb /' + 'work/x')[0][0] == 2
    print('paths: the lint sees what it should')


def main(arguments):
    if arguments == ['--self-test']:
        self_test()
        return 0
    root = pathlib.Path(arguments[0]) if arguments else REPOSITORY
    failed = False
    for path in files_below(root):
        for line, what in defects(path.read_bytes().decode('utf-8', 'replace')):
            failed = True
            print(f'{path.relative_to(root)}:{line}: {what}… is a directory of one machine')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""Names every #include that breaks the architecture.

The rooms, who may look into which, and which libraries belong where stand in
ROOMS below; ARCHITECTURE.md says why. `includes.py --self-test` proves that the
lint still sees what it is for; `includes.py --without-asio` lists the sources that
do not reach Asio or Beast, for tools that take minutes on those that do.
"""

import pathlib
import re
import sys
import tempfile

from cpp_text import REPOSITORY, cpp_files, line_at

ASIO = r'boost/asio'
BEAST = r'boost/beast'
ROCKSDB = r'rocksdb/'
YAML = r'yaml-cpp/'
CURL = r'curl/'
COMMAND_LINE = r'CLI/'
LOG = r'spdlog/'
SYSTEMD = r'systemd/'
SOCKETS = r'(sys/socket|sys/sendfile|netinet/.*|arpa/inet|netdb|sys/un|sys/epoll)\.h$'


class Room:
    """Files whose path matches `files` may include project files matching
    `sees` and libraries that match none of `shuns`. `shuns_all_the_way` holds
    for what is reached through other files, too."""

    def __init__(self, name, files, sees, shuns=(), shuns_all_the_way=()):
        self.name = name
        self.files = re.compile(files)
        self.sees = [re.compile(pattern) for pattern in sees]
        self.shuns = [re.compile(pattern) for pattern in (*shuns, *shuns_all_the_way)]
        self.shuns_all_the_way = [re.compile(pattern) for pattern in shuns_all_the_way]


COUNTED_AND_LOGGED = r'server/(activity|access_log|access_line|log_writer)\.[ch]pp$'  # what all front ends share
CONFIG = r'server/(live_)?config(_keys)?\.hpp$'
CREDENTIALS = r'server/access/(credentials|token)\.hpp$'  # pure as well: what a user's name and a secret look like
# Those that move bytes and wait; everything else in their directories is pure.
HTTP_DRIVERS = r'session|exchange|kept_client|memory_answer|job_stream|text_stream|\w+_handler'
FTP_DRIVERS = r'session|login|transfer|lister|data_channel'

# The first room whose pattern matches a file is the file's.
ROOMS = [
    Room('common', r'common/', [r'common/'],
         [YAML, CURL, COMMAND_LINE, LOG, SYSTEMD], [ASIO, BEAST, ROCKSDB, SOCKETS]),
    Room('server/store', r'server/store/', [r'common/', r'server/store/', CONFIG],
         [YAML, CURL, COMMAND_LINE, SYSTEMD], [ASIO, BEAST, SOCKETS]),
    Room('server/access', r'server/access/', [r'common/', r'server/access/', CONFIG],
         [YAML, CURL, COMMAND_LINE, LOG, SYSTEMD], [ASIO, BEAST, ROCKSDB]),
    Room('server/runtime', r'server/runtime/', [r'common/', r'server/runtime/'],
         [ROCKSDB, YAML, CURL, COMMAND_LINE, BEAST]),
    Room('server/repository', r'server/repository\.[ch]pp$',
         [r'common/', r'server/store/', r'server/runtime/', r'server/repository\.hpp$', COUNTED_AND_LOGGED, CONFIG],
         [ROCKSDB, YAML, CURL, COMMAND_LINE, BEAST, SOCKETS]),
    Room('server/http (drivers)', rf'server/http/({HTTP_DRIVERS})\.[ch]pp$',
         [r'common/', r'server/http/', r'server/runtime/', r'server/access/', r'server/repository\.hpp$', COUNTED_AND_LOGGED, CONFIG],
         [ROCKSDB, YAML, CURL, COMMAND_LINE, BEAST]),
    Room('server/http (request_header)', r'server/http/request_header\.cpp$',
         [r'common/', rf'server/http/(?!({HTTP_DRIVERS})\.)'],
         [ROCKSDB, YAML, CURL, COMMAND_LINE, LOG, SOCKETS]),
    Room('server/http (pure)', r'server/http/',
         [r'common/', rf'server/http/(?!({HTTP_DRIVERS})\.)'],
         [YAML, CURL, COMMAND_LINE, LOG], [ASIO, BEAST, ROCKSDB, SOCKETS]),
    Room('server/ftp (drivers)', rf'server/ftp/({FTP_DRIVERS})\.[ch]pp$',
         [r'common/', r'server/ftp/', r'server/runtime/', r'server/access/', r'server/repository\.hpp$', COUNTED_AND_LOGGED, CONFIG],
         [ROCKSDB, YAML, CURL, COMMAND_LINE, BEAST]),
    Room('server/ftp (pure)', r'server/ftp/',
         [r'common/', rf'server/ftp/(?!({FTP_DRIVERS})\.)', CREDENTIALS],
         [YAML, CURL, COMMAND_LINE, LOG], [ASIO, BEAST, ROCKSDB, SOCKETS]),
    Room('server/hashequiv (driver)', r'server/hashequiv/session\.[ch]pp$',
         [r'common/', r'server/hashequiv/', r'server/runtime/', r'server/access/', COUNTED_AND_LOGGED, CONFIG],
         [ROCKSDB, YAML, CURL, COMMAND_LINE, BEAST]),
    Room('server/hashequiv', r'server/hashequiv/',
         [r'common/', r'server/hashequiv/(?!session\.)', r'server/store/hash_equivalence\.hpp$'],
         [YAML, CURL, COMMAND_LINE, LOG], [ASIO, BEAST, ROCKSDB, SOCKETS]),
    Room('server (counted and logged)', COUNTED_AND_LOGGED, [r'common/', CONFIG, COUNTED_AND_LOGGED],
         [ASIO, BEAST, ROCKSDB, YAML, CURL, COMMAND_LINE, SOCKETS]),
    Room('server/config', r'server/(live_)?config(_keys)?\.[ch]pp$', [r'common/', CONFIG],
         [ASIO, BEAST, ROCKSDB, CURL, COMMAND_LINE, LOG]),
    Room('server', r'server/', [r'common/', r'server/'], [ROCKSDB, CURL, BEAST]),
    Room('client', r'client/', [r'common/', r'client/'],
         [YAML, LOG, SYSTEMD], [ASIO, BEAST, ROCKSDB]),
]

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*[<"]([^>"]+)[>"]', re.MULTILINE)


def room_of(path):
    return next((room for room in ROOMS if room.files.match(path)), None)


def matches(patterns, text):
    return any(pattern.match(text) for pattern in patterns)


def read_tree(root):
    """path → [(included, line)], for every source of the program."""
    tree = {}
    for path in cpp_files(root, 'common', 'server', 'client'):
        text = path.read_text(encoding='utf-8')
        tree[path.relative_to(root).as_posix()] = [
            (match.group(1), line_at(text, match.start())) for match in INCLUDE.finditer(text)]
    return tree


def chain_to(tree, start, patterns):
    """The shortest way from `start` to a library that matches, or None."""
    ways, seen = [[start]], {start}
    while ways:
        way = ways.pop(0)
        for included, _ in tree.get(way[-1], []):
            if included in seen:
                continue
            seen.add(included)
            if included in tree:
                ways.append([*way, included])
            elif matches(patterns, included):
                return [*way, included]
    return None


def defects(root):
    tree = read_tree(root)
    for path, includes in tree.items():
        room = room_of(path)
        direct = False
        for included, line in includes:
            of_the_project = included in tree or re.match(r'(common|server|client|tests)/', included)
            if of_the_project and not matches(room.sees, included):
                yield f'{path}:{line}: {room.name} must not include {included}'
            if not of_the_project and matches(room.shuns, included):
                direct = True
                yield f'{path}:{line}: {room.name} must not include <{included}>'
        chain = None if direct else chain_to(tree, path, room.shuns_all_the_way)
        if chain:
            yield f'{path}: {room.name} must not reach <{chain[-1]}>: {" → ".join(chain[1:])}'


SELF_TEST = [
    # file, what it includes, is that a defect?
    ('common/a.hpp', 'boost/asio.hpp', True),
    ('common/a.cpp', 'sys/socket.h', True),
    ('common/a.cpp', 'boost/json.hpp', False),
    ('common/a.cpp', 'server/store/store.hpp', True),
    ('common/a.cpp', 'client/seed.hpp', True),
    ('server/store/a.cpp', 'rocksdb/db.h', False),
    ('server/store/a.cpp', 'server/config.hpp', False),
    ('server/store/a.cpp', 'boost/asio/post.hpp', True),
    ('server/store/a.cpp', 'netinet/in.h', True),
    ('server/store/a.cpp', 'server/repository.hpp', True),
    ('server/store/a.cpp', 'server/http/reply.hpp', True),
    ('server/repository.cpp', 'server/store/store.hpp', False),
    ('server/repository.cpp', 'rocksdb/db.h', True),
    ('server/repository.cpp', 'server/http/reply.hpp', True),
    ('server/runtime/a.cpp', 'boost/asio.hpp', False),
    ('server/runtime/a.cpp', 'server/store/store.hpp', True),
    ('server/runtime/a.cpp', 'server/repository.hpp', True),
    ('server/http/range.cpp', 'boost/asio/buffer.hpp', True),
    ('server/http/range.cpp', 'server/http/session.hpp', True),
    ('server/http/range.hpp', 'server/repository.hpp', True),
    ('server/http/range.cpp', 'boost/beast/http.hpp', True),
    ('server/http/request_header.cpp', 'boost/beast/http.hpp', False),
    ('server/http/request_header.hpp', 'boost/beast/http.hpp', True),
    ('server/http/session.cpp', 'boost/beast/http.hpp', True),
    ('server/http/session.cpp', 'boost/asio.hpp', False),
    ('server/http/session.cpp', 'server/repository.hpp', False),
    ('server/http/artifact_handler.cpp', 'server/repository.hpp', False),
    ('server/http/artifact_handler.cpp', 'server/store/store.hpp', True),
    ('server/http/range.cpp', 'server/http/artifact_handler.hpp', True),
    ('server/http/range.cpp', 'server/http/session_header.hpp', False),
    ('server/http/session_header.cpp', 'boost/asio.hpp', True),
    ('server/access_log.cpp', 'spdlog/spdlog.h', False),
    ('server/access_log.cpp', 'server/repository.hpp', True),
    ('server/http/session.cpp', 'server/store/store.hpp', True),
    ('server/http/session.cpp', 'server/ftp/command.hpp', True),
    ('server/ftp/session.cpp', 'server/http/reply.hpp', True),
    ('server/ftp/command.cpp', 'boost/asio.hpp', True),
    ('server/daemon.cpp', 'server/http/session.hpp', False),
    ('server/daemon.cpp', 'client/seed.hpp', True),
    ('client/seed.cpp', 'common/api.hpp', False),
    ('client/seed.cpp', 'server/config.hpp', True),
    ('client/seed.cpp', 'curl/curl.h', False),
    ('client/seed.cpp', 'boost/asio.hpp', True),
]


def write(root, path, *includes):
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(''.join(f'#include <{each}>\n' for each in includes), encoding='utf-8')


def self_test():
    for path, included, bad in SELF_TEST:
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            write(root, path, included)
            found = list(defects(root))
            assert bool(found) == bad, f'{path} including {included}: {found}'
    with tempfile.TemporaryDirectory() as directory:
        root = pathlib.Path(directory)
        write(root, 'server/store/store.hpp', 'common/clever.hpp')
        write(root, 'common/clever.hpp', 'common/inner.hpp')
        write(root, 'common/inner.hpp', 'boost/asio.hpp')
        found = list(defects(root))
        assert len(found) == 3, found
        assert any('common/clever.hpp → common/inner.hpp → boost/asio.hpp' in each for each in found), found
    print('includes: the lint sees what it should')


def sources_without_asio(root):
    tree = read_tree(root)
    unwanted = [re.compile(pattern) for pattern in (ASIO, BEAST)]
    return [path for path in tree if path.endswith('.cpp') and not chain_to(tree, path, unwanted)]


def main(arguments):
    if arguments == ['--self-test']:
        self_test()
        return 0
    if arguments == ['--without-asio']:
        print(*sources_without_asio(REPOSITORY), sep='\n')
        return 0
    root = pathlib.Path(arguments[0]) if arguments else REPOSITORY
    if not read_tree(root):
        print(f'includes: no sources below {root}', file=sys.stderr)
        return 2
    found = list(defects(root))
    print(*found, sep='\n', end='\n' if found else '')
    return 1 if found else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

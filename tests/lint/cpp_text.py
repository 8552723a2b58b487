"""What the lints share: finding the sources, and C++ text without comments and strings."""

import pathlib
import re

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]

_LITERALS = re.compile(
    r'//[^\n]*'
    r'|/\*.*?\*/'
    r'|R"(?P<mark>[^()\\\s]*)\(.*?\)(?P=mark)"'
    r'|"(?:\\.|[^"\\\n])*"'
    r"|(?<![0-9a-zA-Z_])'(?:\\.|[^'\\\n])+'",
    re.DOTALL)


def cpp_files(root, *directories):
    for directory in directories:
        for path in sorted((root / directory).rglob('*.[ch]pp')):
            yield path


def without_comments_and_strings(text):
    """The same text, line for line: comments are gone, literals are empty."""
    def blank(match):
        found = match.group(0)
        lines = '\n' * found.count('\n')
        if found.startswith('/'):
            return ' ' + lines
        return '""' + lines if '"' in found[:1] + found[1:2] else "' '" + lines
    return _LITERALS.sub(blank, text)


def line_at(text, position):
    return text.count('\n', 0, position) + 1

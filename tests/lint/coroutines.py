#!/usr/bin/env python3
"""Finds spellings in coroutines that g++ 12 compiles wrongly, without a word.

What is built inside a co_await expression (a closure, a braced list, an object
that owns something) may be destroyed twice or used after it is gone; so may both
branches of a ?: around one. The rule of the house: nothing is built inside a
co_await; it gets a name on the line above. And a lambda that captures is never a
coroutine itself, because its captures die with the closure, not with the frame.
`coroutines.py --self-test` proves that the lint still sees them.
"""

import pathlib
import re
import sys

from cpp_text import REPOSITORY, cpp_files, line_at, without_comments_and_strings

OPEN, CLOSE = '([{', ')]}'
OWNING = re.compile(
    r'\b(?:[A-Z]\w*|std::(?:function|move_only_function|bind|bind_front|string|vector|map|set|optional|pair|tuple'
    r'|shared_ptr|unique_ptr|make_shared|make_unique|make_pair|make_tuple))\s*(?:<[^;]*?>)?\s*\(')
CONCATENATION = re.compile(r'""\s*\+|\+\s*""|\bstd::to_string\s*\(')
KEYWORD_BEFORE_LAMBDA = re.compile(r'\b(?:return|co_return|co_await|co_yield|case|else|do|in)$')


def is_lambda(text, position):
    """Does the '[' at `position` open a lambda (not an index, not an attribute)?"""
    if text.startswith('[[', position) or text.startswith('[', position - 1) and position > 0:
        return False
    before = text[:position].rstrip()
    if not before:
        return True
    if KEYWORD_BEFORE_LAMBDA.search(before):
        return True
    return not (before[-1].isalnum() or before[-1] in '_)]"')


def matching(text, position):
    """The position of the bracket that closes the one at `position`."""
    depth = 0
    for i in range(position, len(text)):
        if text[i] in OPEN:
            depth += 1
        elif text[i] in CLOSE:
            depth -= 1
            if depth == 0:
                return i
    return len(text)


def operand_end(text, position):
    """The end of the expression that starts at `position`."""
    depth = 0
    for i in range(position, len(text)):
        if text[i] in OPEN:
            depth += 1
        elif text[i] in CLOSE:
            depth -= 1
            if depth < 0:
                return i
        elif text[i] == ';' and depth == 0:
            return i
    return len(text)


def statement_around(text, position, end):
    """From the ';', '{' or '}' before the co_await to the ';' or '{' behind its operand."""
    start = max(text.rfind(mark, 0, position) for mark in ';{}') + 1
    stop = end
    while stop < len(text) and text[stop] not in ';{':
        stop += 1
    return text[start:stop]


def defects_of_await(text, position):
    end = operand_end(text, position)
    operand = text[position + len('co_await'):end]
    if any(is_lambda(text, position + len('co_await') + i) for i, c in enumerate(operand) if c == '['):
        yield 'a lambda inside a co_await'
    if '{' in operand:
        yield 'a braced list inside a co_await'
    if OWNING.search(operand):
        yield 'an object built inside a co_await'
    if CONCATENATION.search(operand):
        yield 'a string built inside a co_await'
    if '?' in statement_around(text, position, end):
        yield '?: around a co_await'


def lambda_body(text, position):
    """(start, end) of the body of the lambda whose '[' is at `position`, or None."""
    i = matching(text, position) + 1
    while i < len(text) and text[i] not in '{;':
        if text[i] in ')]':
            return None
        i = matching(text, i) + 1 if text[i] in '([' else i + 1
    return (i + 1, matching(text, i)) if i < len(text) and text[i] == '{' else None


def blank_inner_lambdas(body):
    for i, c in enumerate(body):
        if c == '[' and is_lambda(body, i):
            inner = lambda_body(body, i)
            if inner:
                body = body[:inner[0]] + ' ' * (inner[1] - inner[0]) + body[inner[1]:]
    return body


def defects_of_lambda(text, position):
    captures = text[position + 1:matching(text, position)].strip()
    body = lambda_body(text, position)
    if not captures or body is None:
        return
    if re.search(r'\bco_(await|return|yield)\b', blank_inner_lambdas(text[body[0]:body[1]])):
        yield 'a capturing lambda is a coroutine'


def defects(source):
    text = without_comments_and_strings(source)
    found = []
    for match in re.finditer(r'\bco_await\b', text):
        found += [(match.start(), what) for what in defects_of_await(text, match.start())]
    for match in re.finditer(r'\[', text):
        if is_lambda(text, match.start()):
            found += [(match.start(), what) for what in defects_of_lambda(text, match.start())]
    return [(line_at(text, position), what) for position, what in sorted(found)]


BAD = {
    'auto x = co_await pool.run([buffer] { return 1; });': 'a lambda inside a co_await',
    'co_await pool.run(file, [&](int n) { return n; });': 'a lambda inside a co_await',
    'co_await send({1, 2});': 'a braced list inside a co_await',
    'co_await open(Options{.size = 3});': 'a braced list inside a co_await',
    'co_await\n    upload(key,\n           Options{});': 'a braced list inside a co_await',
    'co_await pool.run(Closer(file));': 'an object built inside a co_await',
    'co_await pool.run(std::function<void()>(f));': 'an object built inside a co_await',
    'co_await pool.run(std::bind(f, 1));': 'an object built inside a co_await',
    'co_await say(std::string("x"));': 'an object built inside a co_await',
    'co_await say(std::make_shared<int>(1));': 'an object built inside a co_await',
    'co_await say("x" + name);': 'a string built inside a co_await',
    'co_await say(name + "x");': 'a string built inside a co_await',
    'co_await say(std::to_string(1));': 'a string built inside a co_await',
    'x = ready ? co_await a() : co_await b();': '?: around a co_await',
    'x = (co_await a()) ? 1 : 2;': '?: around a co_await',
    'x = co_await f(ready ? a : b);': '?: around a co_await',
    'if ((co_await a() ? 1 : 2) == 1) {}': '?: around a co_await',
    'co_return co_await f({});': 'a braced list inside a co_await',
    'co_spawn(loop, [this]() -> awaitable<void> { co_await run(); }, detached);':
        'a capturing lambda is a coroutine',
    'auto f = [&] () mutable noexcept(true) -> awaitable<int> { if (a) { co_return 1; } };':
        'a capturing lambda is a coroutine',
    'auto f = [x = std::move(y)] { g([] { return 1; }); co_return; };': 'a capturing lambda is a coroutine',
}
GOOD = [
    'auto x = co_await pool.run(read_file, path);',
    'const Options options{.size = 3};\nauto x = co_await open(options);',
    'if (!co_await more()) { return; }',
    'while (co_await next(values[i])) { f({1}); }',
    'co_await async_read(socket, asio::buffer(space), std::move(token));',
    'auto x = co_await f(a); auto y = ready ? 1 : 2;',
    '// co_await send({1});\n/* co_await [x] { } */ const char* s = "co_await f({})";',
    'auto c = \'?\'; co_await f(c);',
    'auto f = [](Session& s) -> awaitable<void> { co_await s.run(); };',
    'auto f = [this] { return run(); };',
    'auto f = [this] { g([](int x) -> awaitable<void> { co_return; }); };',
    '[[nodiscard]] awaitable<int> f() { co_return table[3]; }',
    'co_await say(R"(?: { [x] })");',
    'for (int i = 0; i < 3; ++i) co_await step(1\'000);',
]


def self_test():
    for sample, expected in BAD.items():
        found = [what for _, what in defects(sample)]
        assert expected in found, f'missed "{expected}" in: {sample} (found {found})'
    for sample in GOOD:
        assert not defects(sample), f'{defects(sample)} in: {sample}'
    assert defects('\n\nco_await f({});') == [(3, 'a braced list inside a co_await')]
    print('coroutines: the lint sees what it should')


def main(arguments):
    if arguments == ['--self-test']:
        self_test()
        return 0
    root = pathlib.Path(arguments[0]) if arguments else REPOSITORY
    failed, files = False, 0
    for path in cpp_files(root, 'common', 'server', 'client', 'tests'):
        files += 1
        for line, what in defects(path.read_text(encoding='utf-8')):
            failed = True
            print(f'{path.relative_to(root)}:{line}: {what}; give it a name on the line above')
    if files == 0:
        print(f'coroutines: no sources below {root}', file=sys.stderr)
        return 2
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))

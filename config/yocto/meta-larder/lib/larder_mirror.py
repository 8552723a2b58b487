"""Which objects of shared state the larder servers among SSTATE_MIRRORS have, asked for
all of them in one request (larder.bbclass uses it).

Python 3.6 and BitBake of dunfell or newer; the part that asks needs no BitBake.
"""
import base64
import contextlib
import gzip
import http.client
import netrc
import os
import ssl
import urllib.parse
import urllib.request

TIMEOUT = 30  # seconds; a larder answers within one, whatever is asked


class Mirror:
    """A line of SSTATE_MIRRORS that may lead to a larder: where to ask, and what objects are called there."""

    def __init__(self, server, namespace, prefix="", login=None):
        self.server = server        # http://cache.example:8480
        self.namespace = namespace  # sstate-cache, or @release/sstate-cache
        self.prefix = prefix        # of the paths below the namespace
        self.login = login          # (user, password), or nothing

    def __eq__(self, other):
        return isinstance(other, Mirror) and vars(self) == vars(other)

    def __repr__(self):
        return "Mirror(%r, %r, %r)" % (self.server, self.namespace, self.prefix)


def mirror_of(pattern, replacement):
    """What a line of SSTATE_MIRRORS means, where it is as larder prints it; nothing otherwise."""
    url, *parameters = replacement.split(";")
    parts = urllib.parse.urlsplit(url)
    if pattern != "file://.*" or parts.scheme not in ("http", "https") or "@" in parts.netloc or parts.query:
        return None
    if not parts.path.endswith("/PATH"):
        return None
    directories = urllib.parse.unquote(parts.path[1:-len("PATH")]).split("/")[:-1]
    depth = 2 if directories and directories[0].startswith("@") else 1
    if len(directories) < depth or not all(directories):
        return None
    values = dict(each.split("=", 1) for each in parameters if "=" in each)
    login = (values["user"], values["pswd"]) if values.get("user") and values.get("pswd") else None
    prefix = "".join(each + "/" for each in directories[depth:])
    return Mirror("%s://%s" % (parts.scheme, parts.netloc), "/".join(directories[:depth]), prefix, login)


def split_mirrors(text):
    """[(line, Mirror or nothing)] of the value of SSTATE_MIRRORS."""
    words = (text or "").replace("\\n", " ").split()
    return [(" ".join(pair), mirror_of(*pair)) for pair in zip(words[0::2], words[1::2])]


def login_of(mirror):
    """As BitBake's fetcher finds it: ~/.netrc goes before what the line says."""
    try:
        found = netrc.netrc().authenticators(urllib.parse.urlsplit(mirror.server).hostname)
    except (OSError, netrc.NetrcParseError):
        found = None
    return (found[0], found[2]) if found else mirror.login


def ask(mirror, names, context=None):
    """The set of those names that are missing there; nothing when that is no larder, or does not say."""
    witness = "nobody-has/" + os.urandom(16).hex()  # who does not miss it, did not look
    lines = "".join(mirror.prefix + name + "\n" for name in [*names, witness]).encode()
    request = urllib.request.Request(
        mirror.server + "/-/v1/find-missing?namespace=" + urllib.parse.quote(mirror.namespace, safe=""),
        data=gzip.compress(lines, 1), method="POST",
        headers={"Content-Type": "text/plain", "Content-Encoding": "gzip", "User-Agent": "larder.bbclass"})
    login = login_of(mirror)
    if login:
        credentials = base64.b64encode(("%s:%s" % login).encode()).decode()
        request.add_header("Authorization", "Basic " + credentials)
    handlers = [urllib.request.HTTPSHandler(context=context)] if context else []
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=TIMEOUT) as answer:
            if answer.status != 200:
                return None
            told = answer.read().decode().splitlines()
    except (OSError, http.client.HTTPException, ValueError):  # urllib's errors are OSErrors
        return None
    missing = {line[len(mirror.prefix):] for line in told if line.startswith(mirror.prefix)}
    if len(missing) != len(told) or witness not in missing:
        return None
    missing.remove(witness)
    return missing if missing <= set(names) else None


def find(mirrors, names, context=None):
    """(names that are there, names that are on none of the mirrors, mirrors that have said so)"""
    there, left, asked = set(), set(names), []
    for mirror in mirrors:
        # One name first: what is no larder need not be sent thousands.
        missing = ask(mirror, sorted(left)[:1], context) if left else None
        if missing is not None and len(left) > 1:
            missing = ask(mirror, sorted(left), context)
        if missing is None:
            continue
        there |= left - missing
        left = missing
        asked.append(mirror)
    return there, left, asked


# From here on with BitBake --------------------------------------------------------------

def wanted_names(sq_data, d, name_of, siginfo):
    """What the objects of these tasks are called below SSTATE_DIR, for those that are not there.

    Where a release calls them otherwise, they are simply not known here."""
    names = set()
    for task in sq_data["hash"]:
        native, spec, general = (sq_data["hashfn"][task].split(" ") + ["", ""])[:3]
        kind = task.rsplit(":", 1)[-1][len("do_"):]
        directory = d.getVar("NATIVELSBSTRING") + "/" if native == "True" else ""
        if general and kind in ("fetch", "unpack", "patch", "populate_lic", "preconfigure"):
            spec, directory = general, ""
        name = d.expand(directory + name_of(spec, sq_data["unihash"][task], kind, siginfo, d))
        if not os.path.exists(os.path.join(d.getVar("SSTATE_DIR"), name)):
            names.add(name)
    return names


def may_use_network(d):
    import bb
    return not bb.utils.to_boolean(d.getVar("BB_NO_NETWORK")) or \
        bb.utils.to_boolean(d.getVar("SSTATE_MIRROR_ALLOW_NETWORK"))


@contextlib.contextmanager
def fetcher_environment(d):
    """What BitBake's own requests are made with: proxies, certificates."""
    import bb
    before = dict(os.environ)
    if hasattr(bb.fetch2, "get_fetcher_environment"):
        os.environ.update(bb.fetch2.get_fetcher_environment(d))
    else:  # before kirkstone, but for late updates of dunfell
        bb.utils.export_proxies(d)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def find_with_bitbake(sq_data, d, name_of, siginfo):
    """find(), and the lines of SSTATE_MIRRORS that remain to be asked by BitBake."""
    import bb
    lines = split_mirrors(d.getVar("SSTATE_MIRRORS"))
    mirrors = [mirror for _, mirror in lines if mirror and bb.fetch2.trusted_network(d, mirror.server)]
    if not mirrors or not may_use_network(d):
        return set(), set(), []
    names = wanted_names(sq_data, d, name_of, siginfo)
    with fetcher_environment(d):
        unchecked = d.getVar("BB_CHECK_SSL_CERTS") == "0"
        context = ssl._create_unverified_context() if unchecked else None
        there, missing, asked = find(mirrors, names, context)
    for mirror in asked:
        bb.debug(1, "larder: %s has been asked for %d objects at once" % (mirror.server, len(names)))
    return there, missing, [line for line, mirror in lines if mirror not in asked]


@contextlib.contextmanager
def answers(sq_data, d, name_of, siginfo):
    """Meanwhile BitBake's fetcher knows what the larders have, and asks the other mirrors alone."""
    import bb
    try:
        there, missing, others = find_with_bitbake(sq_data, d, name_of, siginfo)
    except Exception as surprise:  # a release that calls things otherwise must not lose its build to this
        bb.warn("larder: cannot ask for all objects at once (%r); they are asked for one by one" % surprise)
        there, missing, others = set(), set(), []
    original = bb.fetch2.Fetch

    class Known:
        def checkstatus(self):
            return True

    def fetch(urls, data, *args, **kwargs):
        name = urls[0][len("file://"):] if len(urls) == 1 and urls[0].startswith("file://") else None
        if name in there:
            return Known()
        if name not in missing:
            return original(urls, data, *args, **kwargs)
        if not others:
            raise bb.fetch2.FetchError("no larder has it", urls[0])
        rest = bb.data.createCopy(data)
        rest.setVar("PREMIRRORS", " ".join(others))
        return original(urls, rest, *args, **kwargs)

    if there or missing:
        bb.fetch2.Fetch = fetch
    try:
        yield
    finally:
        bb.fetch2.Fetch = original

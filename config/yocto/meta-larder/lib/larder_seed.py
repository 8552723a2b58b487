"""What a build has left in SSTATE_DIR and DL_DIR goes to a larder, by its client
(larder.bbclass uses it). Python 3.6 and BitBake of dunfell or newer.
"""
import os
import subprocess


def client_of(d):
    """The program `larder`: LARDER_CLIENT, or from the PATH that the build was begun with."""
    import bb
    origin = d.getVar("BB_ORIGENV", False)
    path = (origin.getVar("PATH") if origin else None) or os.environ.get("PATH", "")
    return bb.utils.which(path, d.getVar("LARDER_CLIENT") or "larder", executable=True)


def commands(client, d):
    """A command line each for what is to be sent; none where LARDER_SEED is empty."""
    server = d.getVar("LARDER_SEED")
    if not server:
        return []
    build = ["--build", d.getVar("LARDER_SEED_BUILD")] if d.getVar("LARDER_SEED_BUILD") else []
    lines = []
    for namespace, directory in (("LARDER_SEED_SSTATE", "SSTATE_DIR"), ("LARDER_SEED_DOWNLOADS", "DL_DIR")):
        if d.getVar(namespace) and os.path.isdir(d.getVar(directory) or ""):
            lines.append([client, "--server", server, "--quiet", "seed", *build, "--retry-for", "10s",
                          "--namespace", d.getVar(namespace), d.getVar(directory)])
    return lines


def environment_of(d):
    """The token and the authority may stand in the configuration, or in the environment of who builds."""
    environment = dict(os.environ)
    origin = d.getVar("BB_ORIGENV", False)
    for name in ("LARDER_TOKEN", "LARDER_TOKEN_FILE", "LARDER_CACERT", "http_proxy", "https_proxy", "no_proxy"):
        value = d.getVar(name) or (origin.getVar(name) if origin else None)
        if value:
            environment[name] = value
    return environment


def seed(d):
    """Nothing that happens here fails a build: whatever was not sent is sent after the next one."""
    import bb
    if not d.getVar("LARDER_SEED"):
        return
    client = client_of(d)
    if not client:
        bb.warn("larder: LARDER_SEED is set, and there is no client 'larder' in PATH; nothing was sent")
        return
    for line in commands(client, d):
        try:
            done = subprocess.run(line, env=environment_of(d), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT)
        except OSError as trouble:
            bb.warn("larder: cannot start %s: %s" % (client, trouble))
            return
        if done.returncode != 0:
            said = done.stdout.decode(errors="replace").strip()
            bb.warn("larder: not all of %s was sent (%d):\n%s" % (line[-1], done.returncode, said[-4000:]))

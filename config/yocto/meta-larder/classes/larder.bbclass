# Asks the larder among SSTATE_MIRRORS for all shared state that a build wants in one
# request, where BitBake asks for each object by itself: some thirty milliseconds of the
# client each, since it reads all CA certificates before every request.
#
#     INHERIT += "larder"
#
# Nothing else changes: SSTATE_MIRRORS says where to ask, what is fetched is fetched by
# BitBake, no task hash depends on this class. A mirror that is no larder, an object that
# was not asked for in time, a request that fails: BitBake asks as it always does.
#
#     LARDER_SEED = "http://cache.example:8480"
#
# makes a build fill it, too: at its end, what it has added is sent there by the client
# `larder`, in seconds where there is nothing new. A failure is a warning. A build that fails
# sends what it has got to, and one with --dry-run what earlier ones have left.

# "0": for this build as without the class.
LARDER_ASK_AT_ONCE ?= "1"

# Where to send what was built; empty: nowhere.
LARDER_SEED ?= ""
# The namespaces for SSTATE_DIR and DL_DIR; an empty one: that is not sent. Let one builder send
# downloads, with the right to replace: tarballs of version control grow.
LARDER_SEED_SSTATE ?= "sstate-cache"
LARDER_SEED_DOWNLOADS ?= ""
# What `larder promote --build` will ask for, where the namespace is a lane.
LARDER_SEED_BUILD ?= ""
# The program, by its name or path. It finds its token in LARDER_TOKEN_FILE or LARDER_TOKEN, set here or in
# the environment, or in ~/.netrc.
LARDER_CLIENT ?= "larder"

def larder_checkhashes(sq_data, d, *args, **kwargs):
    import os
    import sys

    module = bb.utils.which(d.getVar("BBPATH"), "lib/larder_mirror.py")
    if module and bb.utils.to_boolean(d.getVar("LARDER_ASK_AT_ONCE")):
        if os.path.dirname(module) not in sys.path:
            sys.path.append(os.path.dirname(module))
        import larder_mirror
        with larder_mirror.answers(sq_data, d, generate_sstatefn, kwargs.get("siginfo", False)):
            return sstate_checkhashes(sq_data, d, *args, **kwargs)
    return sstate_checkhashes(sq_data, d, *args, **kwargs)

# After all assignments, whichever class comes last.
addhandler larder_take_over
larder_take_over[eventmask] = "bb.event.ConfigParsed"
python larder_take_over() {
    if e.data.getVar("BB_HASHCHECK_FUNCTION") == "sstate_checkhashes":
        e.data.setVar("BB_HASHCHECK_FUNCTION", "larder_checkhashes")
}

addhandler larder_send
larder_send[eventmask] = "bb.event.BuildCompleted"
python larder_send() {
    import os
    import sys

    module = bb.utils.which(e.data.getVar("BBPATH"), "lib/larder_seed.py")
    # Once, not for each configuration of a multiconfig build.
    if module and e.data.getVar("LARDER_SEED") and e.data.getVar("BB_CURRENT_MC") in (None, "", "default"):
        if os.path.dirname(module) not in sys.path:
            sys.path.append(os.path.dirname(module))
        import larder_seed
        larder_seed.seed(e.data)
}

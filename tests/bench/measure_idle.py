"""Memory for each connection that is kept and idle."""
import contextlib
import os
import resource
import socket
import time

from figures import table
from measure_serving import fill, write_targets
from servers import Larderd, Nginx

REQUEST = b"HEAD %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Keep-Alive\r\n\r\n"


def connect(server, target, count):
    """So many connections with one request behind each of them."""
    connections = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", server.port))
        connection.sendall(REQUEST % target)
        if not connection.recv(4096).startswith(b"HTTP/1.1 200"):
            raise RuntimeError("%s does not answer" % server.name)
        connections.append(connection)
    return connections


def paragraphs(programs, work, options):
    count = 500 if options.quick else 9000
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    count = min(count, hard // 2 - 1000)
    data = os.path.join(work, "data")
    names = fill(programs, data, 10, 1000)
    with open(write_targets(os.path.join(work, "targets"), names), "rb") as file:
        target = file.readline().strip()
    http = {"max_connections": 20000, "max_connections_per_address": 20000}
    servers = [Larderd(programs, data, http_more=http)]
    if programs.nginx:
        servers.append(Nginx(programs, os.path.join(work, "nginx"), os.path.join(data, "tree"), "nginx",
                             connections=count + 100))
    rows = []
    for server in servers:
        with contextlib.ExitStack() as stack:
            server.start()
            stack.enter_context(server)
            for each in connect(server, target, 10):  # what is there once, for all
                stack.enter_context(each)
            before = server.anonymous()
            for each in connect(server, target, count):
                stack.enter_context(each)
            fresh = server.anonymous()
            time.sleep(1 if options.quick else 6)  # larder gives back what an idle connection does not need
            rows.append([server.name, "%.0f" % ((fresh - before) / count), "%.0f" % ((server.anonymous() - before) / count)])
    yield "%d connections, each after one HEAD; anonymous memory of the server's processes over what it had before." % count
    yield table(["server", "bytes per connection", "after six seconds of silence"], rows)

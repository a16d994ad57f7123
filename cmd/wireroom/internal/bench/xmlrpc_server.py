# Python's xmlrpc.server doing nothing, as well as it can: with a thread for
# each connection, and connections that stay open (its default is HTTP/1.0).
import socketserver
import sys
import threading
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer


class Handler(SimpleXMLRPCRequestHandler):
    protocol_version = "HTTP/1.1"


class Server(socketserver.ThreadingMixIn, SimpleXMLRPCServer):
    daemon_threads = True
    request_queue_size = 256


server = Server(("127.0.0.1", 0), requestHandler=Handler, logRequests=False, allow_none=True)
server.register_function(lambda *args: "", "event.publish")
threading.Thread(target=lambda: (sys.stdin.read(), server.shutdown()), daemon=True).start()
print("listening %s:%d" % server.server_address, flush=True)
server.serve_forever()

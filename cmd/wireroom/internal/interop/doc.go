// Package interop holds the tests of the whole gateway against clients that
// other people wrote: autobahn and wampy in Node and in Chromium, autobahn for
// Python, the clients of nexus and xconn, xmlrpc.client and curl; of the console
// page and of pages that come back in Chromium; behind nginx and HAProxy; with two
// gateways over a Redis; and with an ACME server. It has no code of its own.
//
// The tests build the wireroom command and run it as an operator would, with a
// configuration file and a store in a temporary folder, on a free port of the
// loopback interface. The clients are programs in testdata, which go the same
// round ([round.mjs] says which) and say each step as a line of JSON; the test
// posts events when a client says that it is ready, and compares the steps.
//
// A client that is not installed skips its test, and says what is missing,
// unless the environment has CI_REAL_CLIENTS=1: then it fails. The script
// .ci/test installs them all and sets it. Other variables that are read:
// NODE_CLIENTS, the folder that has node_modules (default: .ci of this
// repository), PYTHON (default: /usr/bin/python3), CHROMIUM (default:
// /usr/bin/chromium), NGINX, HAPROXY (default: those in /usr/sbin) and PEBBLE
// (default: /usr/bin/pebble).
//
// [round.mjs]: https://github.com/wireroom/wireroom/blob/main/cmd/wireroom/internal/interop/testdata/round.mjs
package interop

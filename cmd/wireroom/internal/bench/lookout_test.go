//go:build linux

package bench

import (
	"net"
	"testing"
)

// A lookout sees that the server closed a connection whose client does not
// read, though the server's last bytes can't get through.
func TestLookout(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	l := newLookout(client)
	if l.id == nil {
		t.Skip("the kernel does not tell the state of sockets")
	}
	if err := shrink(client); err != nil {
		t.Fatal(err)
	}
	if l.ended() {
		t.Error("ended before its time")
	}
	go func() { // until it blocks, and then is closed
		for {
			if _, err := server.Write(make([]byte, 64<<10)); err != nil {
				return
			}
		}
	}()
	if l.ended() {
		t.Error("a connection that is written to has ended")
	}
	_ = server.Close()
	if !l.ended() {
		t.Error("the end was not seen")
	}
	if gone := (&lookout{conn: l.conn}); gone.hungUp() {
		t.Log("the client knew by itself")
	}
	_ = client.Close()
	if state, err := askState(socketID(ln.Addr().(*net.TCPAddr), client.LocalAddr().(*net.TCPAddr))); state == stateEstablished || err != nil {
		t.Errorf("state %d, %v", state, err)
	}
}

func TestParseState(t *testing.T) {
	for _, bad := range [][]byte{nil, make([]byte, diagHeader), make([]byte, 40)} {
		if state, err := parseState(bad); err == nil {
			t.Errorf("parseState(%x) = %d, want an error", bad, state)
		}
	}
}

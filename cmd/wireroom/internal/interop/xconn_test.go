package interop_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
)

// xconnProgram builds the client program of xconn once for all tests. It is a
// module of its own, which the go command fetches what it needs for.
var xconnProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(binaryDir, "xconn")
	cmd := exec.Command("go", "build", "-o", path, ".")
	cmd.Dir = filepath.FromSlash("../../../../.ci/xconn")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func xconn(t *testing.T) string {
	t.Helper()
	path, err := xconnProgram()
	if err != nil {
		missing(t, "the client program of xconn cannot be built: "+err.Error())
	}
	return path
}

// xconn's client goes the round over WebSocket and over RawSocket, which is on
// the port of HTTP on Linux. It is not asked to show a replay: version 0.1.0
// enters a subscription only some time after SUBSCRIBED, and what comes right
// behind that has no handler.
func TestXconn(t *testing.T) {
	t.Parallel()
	schemes := map[string]string{"ws": "/ws"}
	if runtime.GOOS == "linux" {
		schemes["rs"] = ""
	}
	for scheme, path := range schemes {
		for _, serializer := range serializers {
			t.Run(scheme+"/"+serializer, func(t *testing.T) {
				program := xconn(t)
				g := startGateway(t)
				goRound(t, g, library{details: true}, os.Environ(), program,
					"round", g.url(scheme, path), "realm1", serializer, roundName("xconn", scheme, serializer))
			})
		}
	}
}

func TestXconnAuth(t *testing.T) {
	t.Parallel()
	program := xconn(t)
	g, logins := startWithUsers(t)
	logIn(t, g, withoutSCRAM(logins), os.Environ(), program, "auth")
}

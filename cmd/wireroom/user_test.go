package main

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wireroom/wireroom/auth"
	"github.com/wireroom/wireroom/cmd/wireroom/internal/config"
)

const signingKey = "545efb0a2192db8d43f118e9bf9aee081466e1ef36c708b96ee6f62dddad9122"

// What the command prints is what the configuration takes.
func TestUserEntries(t *testing.T) {
	dir := t.TempDir()
	var entries strings.Builder
	for _, args := range [][]string{
		{"ada", "--role", "member"},
		{"no", "--role", "member,editor", "--method", "cra,scram", "--memory", "64", "--iterations", "1"},
		{"\"quotes\": [&*]", "--role", "member", "--method", "scram", "--kdf", "pbkdf2", "--iterations", "4096"},
		{"robot", "--method", "ticket"},
		{"probe@example.com", "--role", "member", "--key", signingKey},
	} {
		code, out, errs := runCommand(t, "secret pass word\nmore\n", append([]string{"user"}, args...)...)
		if code != 0 {
			t.Fatalf("wireroom user %q: exit code %d: %s", args, code, errs)
		}
		if strings.Contains(out+errs, "pass word") {
			t.Errorf("wireroom user %q prints the password:\n%s%s", args, out, errs)
		}
		if args[0] == "robot" {
			_, ticket, _ := strings.Cut(strings.TrimSpace(errs), ": ")
			hash := auth.Secret(ticket).Hash()
			if !strings.HasPrefix(ticket, "wrt_") || !strings.Contains(out, hex.EncodeToString(hash[:])) {
				t.Errorf("ticket %q, entry\n%s", ticket, out)
			}
		}
		entries.WriteString(out)
	}
	if err := os.WriteFile(filepath.Join(dir, "users.yaml"), []byte(entries.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := config.Parse(filepath.Join(dir, "wireroom.yaml"), []byte(`
auth: {users: users.yaml, default_role: member}
roles: {member: {}, editor: {}}
`))
	if len(problems) > 0 {
		t.Fatalf("%v\n%s", problems, entries.String())
	}
	if len(c.Realms[0].Users) != 5 {
		t.Fatalf("%d users, want 5", len(c.Realms[0].Users))
	}
	ada, no, quotes, robot, probe := c.Realms[0].Users[0], c.Realms[0].Users[1], c.Realms[0].Users[2], c.Realms[0].Users[3], c.Realms[0].Users[4]
	if ada.CRA == nil || ada.CRA.Iterations != 10_000 || ada.CRA.KeyLen != 32 || ada.SCRAM != nil {
		t.Errorf("ada: %+v", ada)
	}
	if no.Name != "no" || len(no.Roles) != 2 || no.CRA == nil || no.SCRAM == nil || no.SCRAM.Memory != 64 || no.SCRAM.Iterations != 1 {
		t.Errorf("no: %+v", no)
	}
	if quotes.Name != "\"quotes\": [&*]" || quotes.SCRAM == nil || quotes.SCRAM.KDF != "pbkdf2" || quotes.SCRAM.Memory != 0 {
		t.Errorf("quotes: %+v", quotes)
	}
	if len(robot.Roles) != 0 || len(robot.TicketSHA256) != 64 || robot.CRA != nil {
		t.Errorf("robot: %+v", robot)
	}
	if len(probe.Cryptosign) != 1 || probe.Cryptosign[0] != signingKey || probe.CRA != nil {
		t.Errorf("probe: %+v", probe)
	}
}

func TestUserRefused(t *testing.T) {
	for _, tt := range []struct {
		args  string
		stdin string
		want  string
	}{
		{"ada", "", "expected a password"},
		{"ada", "\nsecond line\n", "expected a password"},
		{"ada", strings.Repeat("x", 1025), "at most 1024 bytes"},
		{"ada --method md5", "p\n", "--method"},
		{"ada --method scram --kdf md5", "password\n", "kdf"},
		{"ada --method scram --iterations 0", "password\n", "iterations"},
		{"ada --method scram --memory 0", "password\n", "memory"},
		{"ada --method scram", "a\x07b\n", "password"},
		{"ada --key 545e", "", "cryptosign[0]"},
		{"ada\x07 --method ticket", "", "printed"},
		{"ada --role a\tb --method ticket", "", "role"},
	} {
		code, out, errs := runCommand(t, tt.stdin, append([]string{"user"}, strings.Split(tt.args, " ")...)...)
		if code != exitUsage || out != "" || !strings.Contains(errs, tt.want) {
			t.Errorf("wireroom user %s: exit code %d, stdout %q, stderr %q; want %d and %q", tt.args, code, out, errs, exitUsage, tt.want)
		}
	}
}

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// check says which certificates clients refuse, and which they will, and where
// the file names them. A gateway serves all the same.
func TestCheckCertificates(t *testing.T) {
	dir := t.TempDir()
	now := time.Now()
	write := func(name string, ends time.Duration) string {
		cert, key := certificateOf(t, &x509.Certificate{
			SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotBefore: now.Add(-30 * 24 * time.Hour), NotAfter: now.Add(ends),
		})
		for file, text := range map[string]string{name + ".pem": cert, name + ".key": key} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return fmt.Sprintf("cert_file: %s, key_file: %s", filepath.Join(dir, name+".pem"), filepath.Join(dir, name+".key"))
	}
	expired, ending := write("old.example", -time.Hour), write("ending.example", time.Hour)
	at := func(ends time.Duration) string { return now.Add(ends).UTC().Format(time.RFC3339) }
	configOf := func(first, second string) string {
		return writeConfig(t, strings.Replace(testConfig, "listen: {http: 127.0.0.1:0}",
			"listen:\n  http: 127.0.0.1:0\n  tls: {"+first+", certificates: [{"+second+"}]}", 1))
	}
	warning := "warning: the certificate of ending.example expires at " + at(time.Hour) + ": replace it\n"
	problem := "the certificate of old.example has expired at " + at(-time.Hour) + ": clients refuse it\n"

	// Where the values stand: "  tls: {cert_file: …" and "…, certificates: [{cert_file: …".
	lineOf := func(file string) (line int) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		before, _, _ := strings.Cut(string(data), "  tls: {")
		return strings.Count(before, "\n") + 1
	}
	file := configOf(ending, expired)
	first := fmt.Sprintf("%s:%d:20: listen.tls.cert: ", file, lineOf(file))
	second := fmt.Sprintf("%s:%d:%d: listen.tls.certificates[0].cert: ", file, lineOf(file), len("  tls: {")+len(ending)+len(", certificates: [{")+len("cert_file: ")+1)

	code, stdout, stderr := runCommand(t, "", "check", file)
	if want := first + warning + second + problem + "wireroom: " + file + ": 1 problem\n"; code != exitConfig || stdout != "" || stderr != want {
		t.Errorf("check: code %d, %s%s\nwant %d, %s", code, stdout, stderr, exitConfig, want)
	}
	code, stdout, _ = runCommand(t, "", "check", file, "-o", "json")
	if code != exitConfig || !strings.Contains(stdout, `"ok":false,"problems":[{"file":`) || !strings.Contains(stdout, `"warnings":[{"file":`) || !strings.Contains(stdout, strings.TrimSpace(problem)) {
		t.Errorf("check in JSON: code %d, %s", code, stdout)
	}
	p := startProgram(t, file)
	p.stop()

	file = configOf(ending, write("good.example", 400*24*time.Hour))
	code, stdout, stderr = runCommand(t, "", "check", file)
	if want := fmt.Sprintf("%s:%d:20: listen.tls.cert: %s", file, lineOf(file), warning); code != exitOK || !strings.Contains(stdout, ": ok: ") || stderr != want {
		t.Errorf("check with a warning: code %d, %s%s\nwant %d, %s", code, stdout, stderr, exitOK, want)
	}
	code, stdout, stderr = runCommand(t, "", "check", file, "-o", "json")
	if code != exitOK || stderr != "" || !strings.Contains(stdout, `"ok":true,"problems":[],"warnings":[{"file":`) {
		t.Errorf("check with a warning, in JSON: code %d, %s%s", code, stdout, stderr)
	}
}

// certificateOf makes a certificate that is signed with its own key.
func certificateOf(t *testing.T, template *x509.Certificate) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	der8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der8}))
}

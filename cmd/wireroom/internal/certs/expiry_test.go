package certs_test

import (
	"context"
	"crypto/x509"
	"log/slog"
	"regexp"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wireroom/wireroom/cmd/wireroom/internal/certs"
)

// That a certificate is about to expire, and that it has, is logged once each.
func TestExpiryIsSaid(t *testing.T) {
	const day = 24 * time.Hour
	message := regexp.MustCompile(`level=\w+ msg="[^"]*" names=\[gw.example\]`)
	const (
		soon  = `level=WARN msg="a certificate expires soon: replace it" names=[gw.example]`
		over  = `level=ERROR msg="a certificate has expired: clients refuse it" names=[gw.example]`
		early = `level=ERROR msg="a certificate is not good yet: clients refuse it" names=[gw.example]`
	)
	for _, test := range []struct {
		name             string
		begins, ends     time.Duration // from now
		first, hour, end []string      // at once, within an hour, and within three
	}{
		{"long yet", -82 * day, 8 * day, nil, nil, nil},
		{"six days", -84 * day, 6 * day, []string{soon}, nil, nil},
		{"of a few hours", -time.Hour, 2 * time.Hour, nil, nil, []string{soon, over}},
		{"about to expire", -9 * time.Hour, 30 * time.Minute, []string{soon}, []string{over}, nil},
		{"expired", -2 * day, -day, []string{over}, nil, nil},
		{"early", 30 * time.Minute, 90 * day, []string{early}, nil, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				is := newIssuer(t)
				cert, key := is.issue(&x509.Certificate{
					DNSNames: []string{"gw.example"}, NotBefore: time.Now().Add(test.begins), NotAfter: time.Now().Add(test.ends),
				})
				var log logBuffer
				k, err := certs.New(certs.Config{Pairs: []certs.Pair{inline(cert, key)}}, slog.New(slog.NewTextHandler(&log, nil)))
				if err != nil {
					t.Fatal(err)
				}
				ctx, stop := context.WithCancel(t.Context())
				var wg sync.WaitGroup
				wg.Go(func() { k.Run(ctx, nil) })
				var want []string
				for _, step := range []struct {
					wait time.Duration
					news []string
				}{{0, test.first}, {time.Hour, test.hour}, {2 * time.Hour, test.end}} {
					time.Sleep(step.wait)
					synctest.Wait()
					want = append(want, step.news...)
					if got := message.FindAllString(log.String(), -1); !slices.Equal(got, want) {
						t.Errorf("it has said %q, want %q", got, want)
					}
				}
				stop()
				wg.Wait()
			})
		})
	}
}

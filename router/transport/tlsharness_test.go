package transport_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/wireroom/wireroom/router/transport"
)

// certificate is self-signed, as servers have them: ECDSA on P-256.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

func serverTLS() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{certificate()}, DynamicRecordSizingDisabled: true}
}

func clientTLS() *tls.Config { return &tls.Config{InsecureSkipVerify: true} }

// A secureListener speaks TLS over lean connections.
type secureListener struct {
	net.Listener
	client *tls.Config
}

// listenTLS listens on TCP for TLS.
func listenTLS(t testing.TB) *secureListener {
	t.Helper()
	return &secureListener{tls.NewListener(transport.NewListener(listenTCP(t)), serverTLS()), clientTLS()}
}

func (l *secureListener) dial() (net.Conn, error) {
	return tls.Dial("tcp", l.Addr().String(), l.client)
}

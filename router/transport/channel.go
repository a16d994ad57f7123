package transport

import (
	"bytes"
	"crypto/tls"
)

// channelOf returns what tells a TLS connection from every other one
// ([router.Peer.ChannelID]), or nil if there is no TLS.
func channelOf(state *tls.ConnectionState) func(kind string) []byte {
	if state == nil {
		return nil
	}
	return func(kind string) []byte {
		switch kind {
		case "tls-unique":
			// There is none for TLS 1.3, nor after a resumption that
			// somebody in between could have arranged.
			return bytes.Clone(state.TLSUnique)
		case "tls-exporter":
			id, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
			if err != nil { // TLS 1.2 without extended master secret
				return nil
			}
			return id
		}
		return nil
	}
}

package transport

import "sync/atomic"

type counters struct {
	upgraded, refused, badOrigin atomic.Uint64
	tooMany                      atomic.Uint64
	pings, pingTimeouts          atomic.Uint64
	protocol, dataType           atomic.Uint64
	badData, tooBig              atomic.Uint64
	deflating, rawSockets        atomic.Uint64
	out                          deflated
}

// deflated counts messages that were compressed, or were not.
type deflated struct{ messages, before, after, plain atomic.Uint64 }

// violation counts a violation by its close code.
func (c *counters) violation(code closeCode) {
	switch code {
	case closeDataType:
		c.dataType.Add(1)
	case closeBadData:
		c.badData.Add(1)
	case closeTooBig:
		c.tooBig.Add(1)
	default:
		c.protocol.Add(1)
	}
}

// Stats counts what a server did since it began.
type Stats struct {
	Open int // connections now

	Upgraded   uint64 // upgrade requests and RawSocket greetings that were granted
	RawSockets uint64 // those of them that are RawSocket
	Refused    uint64 // those that were refused, for whatever reason, and connections that never greeted
	BadOrigin  uint64 // those of them that were refused because of their Origin
	TooMany    uint64 // those of them that the [Gatekeeper] refused

	Pings        uint64 // sent by the server
	PingTimeouts uint64 // connections ended because nothing came after a ping

	// Connections ended because the peer violated RFC 6455, WAMP's RawSocket
	// or a limit, by the status code that it was told or, on a RawSocket,
	// would have been.
	ProtocolErrors uint64 // 1002
	WrongType      uint64 // 1003: text for binary, or binary for text
	BadData        uint64 // 1007: text that is not UTF-8, or compressed data that cannot be inflated
	TooBig         uint64 // 1009

	BytesIn, BytesOut uint64 // after the upgrade, before TLS
	MessagesIn        uint64
	FramesOut         uint64 // messages, pings, pongs and close frames

	Deflating uint64 // of the upgraded, those that negotiated permessage-deflate

	// Messages that were compressed, each once for all its receivers, and
	// their bytes before and after; and those that were sent as they are
	// because compressing them saves too little.
	Deflated, DeflatedFrom, DeflatedTo uint64
	NotDeflated                        uint64

	// Messages that came compressed, and their bytes before and after they
	// were inflated.
	Inflated, InflatedFrom, InflatedTo uint64
}

// Stats returns the counters as they are now.
func (s *Server) Stats() Stats {
	st := Stats{
		Upgraded:       s.stats.upgraded.Load(),
		RawSockets:     s.stats.rawSockets.Load(),
		Refused:        s.stats.refused.Load(),
		BadOrigin:      s.stats.badOrigin.Load(),
		TooMany:        s.stats.tooMany.Load(),
		Pings:          s.stats.pings.Load(),
		PingTimeouts:   s.stats.pingTimeouts.Load(),
		ProtocolErrors: s.stats.protocol.Load(),
		WrongType:      s.stats.dataType.Load(),
		BadData:        s.stats.badData.Load(),
		TooBig:         s.stats.tooBig.Load(),
		Deflating:      s.stats.deflating.Load(),
		Deflated:       s.stats.out.messages.Load(),
		DeflatedFrom:   s.stats.out.before.Load(),
		DeflatedTo:     s.stats.out.after.Load(),
		NotDeflated:    s.stats.out.plain.Load(),
	}
	for i := range s.shards {
		sh := &s.shards[i]
		st.BytesIn += sh.bytesIn.Load()
		st.BytesOut += sh.bytesOut.Load()
		st.MessagesIn += sh.messagesIn.Load()
		st.FramesOut += sh.framesOut.Load()
		st.Inflated += sh.inflated.Load()
		st.InflatedFrom += sh.inflatedFrom.Load()
		st.InflatedTo += sh.inflatedTo.Load()
	}
	s.mu.Lock()
	st.Open = s.open
	s.mu.Unlock()
	return st
}

package nodes

import (
	"bytes"
	"encoding/json"
	"errors"
)

// encode returns a message: its head, which is JSON, a line feed, and what follows.
func encode(head any, parts ...[]byte) ([]byte, error) {
	b, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	b = append(b, '\n')
	for _, p := range parts {
		b = append(b, p...)
	}
	return b, nil
}

var errHead = errors.New("expected a line of JSON")

// decode reads the head of a message and returns what follows.
func decode(message []byte, head any) (rest []byte, err error) {
	line, rest, ok := bytes.Cut(message, []byte{'\n'})
	if !ok {
		return nil, errHead
	}
	return rest, json.Unmarshal(line, head)
}

// send says something to all other gateways. What cannot be said is an error.
func (m *Mesh) send(kind string, head any, parts ...[]byte) error {
	b, err := encode(head, parts...)
	if err != nil {
		return err
	}
	return m.bus.Send(kind, b)
}

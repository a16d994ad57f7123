//go:build linux

package torture_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/kolo/xmlrpc"
)

// call posts events by XML-RPC, one or several, to one of the gateways. What it
// sends and what it reads is made by an XML-RPC client that others wrote.
func (p *publisher) call(ctx context.Context, events []posted) ([]receipt, error) {
	method, args := "event.publish", []any{ingestKey, events[0].Class, members(events[0].Data), events[0].ID}
	if len(events) > 1 {
		many := make([]any, len(events))
		for i, e := range events {
			many[i] = map[string]any{"class": e.Class, "id": e.ID, "data": members(e.Data)}
		}
		method, args = "event.publish_many", []any{ingestKey, many}
	}
	req, err := xmlrpc.NewRequest("http://"+p.cluster.any(p.rng).front.addr()+"/RPC2", method, args)
	if err != nil {
		return nil, err
	}
	resp, err := p.client.Do(req.WithContext(ctx))
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", resp.Status, answer)
	}
	if err := xmlrpc.Response(answer).Err(); err != nil {
		fault, ok := errors.AsType[xmlrpc.FaultError](err)
		switch {
		case !ok:
			return nil, err
		case fault.Code == 503 || fault.Code == 408 || fault.Code == -32603:
			return nil, fault // try again
		default:
			return nil, refusal{fault.Error()}
		}
	}
	receipts := make([]receipt, len(events))
	if len(events) == 1 {
		return receipts, xmlrpc.Response(answer).Unmarshal(&receipts[0].ID)
	}
	var ids []string
	if err := xmlrpc.Response(answer).Unmarshal(&ids); err != nil {
		return nil, err
	}
	if len(ids) != len(events) {
		return nil, fmt.Errorf("%d receipts for %d events", len(ids), len(events))
	}
	for i, id := range ids {
		receipts[i].ID = id
	}
	return receipts, nil
}

// members are the data as XML-RPC has them.
func members(d payload) map[string]any {
	return map[string]any{"key": d.Key, "room": d.Room, "tag": d.Tag}
}

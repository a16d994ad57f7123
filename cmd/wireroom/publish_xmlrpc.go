package main

import (
	"context"
	"time"
)

// An xmlrpcPublisher posts events as a web application does.
type xmlrpcPublisher struct{ client *xmlrpcClient }

func newXMLRPCPublisher(target, key string, timeout time.Duration) (publisher, error) {
	c, err := newXMLRPCClient(target, key, timeout)
	if err != nil {
		return nil, err
	}
	return &xmlrpcPublisher{c}, nil
}

func (p *xmlrpcPublisher) publish(ctx context.Context, e publication) (string, error) {
	if _, ok := e.value.(map[string]any); !ok {
		return "", usageErrorf("DATA: expected a JSON object over XML-RPC, found %s", quoteShort(jsonText(e.value)))
	}
	data, err := xmlrpcValue(e.value)
	if err != nil {
		return "", usageErrorf("DATA: %w", err)
	}
	params := []any{e.topic, data}
	if e.id != "" {
		params = append(params, e.id)
	}
	var id string
	if err := p.client.call(ctx, &id, "event.publish", params...); err != nil {
		return "", err
	}
	return id, nil
}

func (p *xmlrpcPublisher) close() { p.client.http.CloseIdleConnections() }

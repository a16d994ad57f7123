package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// An httpPublisher posts events as JSON.
type httpPublisher struct {
	client *http.Client
	url    string
	key    string
}

func newHTTPPublisher(target, key string, timeout time.Duration) (publisher, error) {
	u, err := httpURL("--http", target, "/events")
	if err != nil {
		return nil, err
	}
	if key == "" {
		return nil, usageErrorf("--key: an ingest key is needed with --http")
	}
	return &httpPublisher{newHTTPClient(timeout), u.String(), key}, nil
}

func (p *httpPublisher) publish(ctx context.Context, e publication) (string, error) {
	body, err := json.Marshal(struct {
		Class string `json:"class"`
		Data  any    `json:"data"`
		ID    string `json:"id,omitempty"`
	}{e.topic, e.value, e.id})
	if err != nil {
		return "", fmt.Errorf("encode the event: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+p.key)
	resp, err := p.client.Do(req)
	if err != nil {
		return "", requestError(ctx, "publish "+e.topic, p.url, err)
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return "", requestError(ctx, "publish "+e.topic, p.url, err)
	}
	if resp.StatusCode/100 != 2 {
		return "", &exitError{code: exitRefused, err: fmt.Errorf("publish %s: %s", e.topic, problemText(resp, answer))}
	}
	var receipt struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(answer, &receipt); err != nil {
		return "", fmt.Errorf("publish %s: expected a JSON receipt, found %s", e.topic, quoteShort(string(answer)))
	}
	return receipt.ID, nil
}

// problemText returns what an application/problem+json answer says, or the
// status line.
func problemText(resp *http.Response, body []byte) string {
	var problem struct{ Title, Detail string }
	if json.Unmarshal(body, &problem) == nil && problem.Detail+problem.Title != "" {
		if problem.Detail == "" {
			problem.Detail = problem.Title
		}
		return fmt.Sprintf("%s (%s)", printable(problem.Detail), printable(resp.Status))
	}
	return printable(resp.Status)
}

func (p *httpPublisher) close() { p.client.CloseIdleConnections() }

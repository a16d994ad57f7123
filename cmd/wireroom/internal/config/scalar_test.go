package config

import (
	"testing"
	"time"
)

func TestParseSize(t *testing.T) {
	tests := []struct {
		text string
		want int64 // -1: refused
	}{
		{"512", 512},
		{"0", 0},
		{"64KiB", 64 << 10},
		{"1 MiB", 1 << 20},
		{"1.5MiB", 3 << 19},
		{"2kB", 2000},
		{"2KB", 2000},
		{"1GB", 1e9},
		{"10B", 10},
		{"", -1},
		{"KiB", -1},
		{"-1", -1},
		{"1e3", -1},
		{"0x10", -1},
		{"1.2.3", -1},
		{"12 parsecs", -1},
		{"99999999999TiB", -1},
		{"Inf", -1},
	}
	for _, tt := range tests {
		got, err := parseSize(tt.text)
		if err != nil {
			got = -1
		}
		if got != tt.want {
			t.Errorf("parseSize(%q) = %d, want %d", tt.text, got, tt.want)
		}
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 512: "512", 1 << 10: "1KiB", 1536: "1536", 1 << 20: "1MiB", 3 << 30: "3GiB", 1 << 40: "1TiB"} {
		got := formatSize(n)
		if got != want {
			t.Errorf("formatSize(%d) = %s, want %s", n, got, want)
		}
		if back, err := parseSize(got); err != nil || back != n {
			t.Errorf("parseSize(%q) = %d, %v, want %d", got, back, err, n)
		}
	}
}

func TestParseDuration(t *testing.T) {
	const refused = -1
	tests := []struct {
		text string
		want time.Duration
	}{
		{"10s", 10 * time.Second},
		{"720h", 720 * time.Hour},
		{"7d", 7 * day},
		{"1w2d12h", 9*day + 12*time.Hour},
		{"1h30m", 90 * time.Minute},
		{"0s", 0},
		{"0", 0},
		{"250ms", 250 * time.Millisecond},
		{"", refused},
		{"10", refused},
		{"d", refused},
		{"1.5d", refused},
		{"1d2w", refused},
		{"1d-2h", refused},
		{"-1d", refused},
		{"99999999w", refused},
		{"9000000h", refused},
		{"soon", refused},
	}
	for _, tt := range tests {
		got, err := ParseDuration(tt.text)
		if err != nil {
			got = refused
		}
		if got != tt.want {
			t.Errorf("ParseDuration(%q) = %v, want %v", tt.text, got, tt.want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "1m", 90 * time.Second: "1m30s", time.Hour: "1h",
		36 * time.Hour: "36h", 7 * day: "7d", 10 * time.Millisecond: "10ms",
	} {
		got := FormatDuration(d)
		if got != want {
			t.Errorf("FormatDuration(%v) = %s, want %s", d, got, want)
		}
		if back, err := ParseDuration(got); err != nil || back != d {
			t.Errorf("ParseDuration(%q) = %v, %v, want %v", got, back, err, d)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"http", "rawsocket", "subscribe", "publish", "call"}
	for word, want := range map[string]string{
		"htp": "http", "HTTP": "http", "htpt": "http", "subscribes": "subscribe", "pubish": "publish",
		"cal": "call", "color": "", "x": "", "": "", "subscription": "",
	} {
		if got := nearest(word, known); got != want {
			t.Errorf("nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

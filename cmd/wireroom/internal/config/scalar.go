package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

var errSyntax = errors.New("syntax")

// units are the units of a [Size], longest first.
var units = []struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10},
	{"MiB", 1 << 20},
	{"GiB", 1 << 30},
	{"TiB", 1 << 40},
	{"kB", 1e3},
	{"KB", 1e3},
	{"MB", 1e6},
	{"GB", 1e9},
	{"TB", 1e12},
	{"B", 1},
	{"", 1},
}

// parseSize parses "512", "64KiB", "1 MiB" or "1.5GB" as a number of bytes.
func parseSize(s string) (int64, error) {
	for _, u := range units {
		num, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		num = strings.TrimSpace(num)
		if num == "" || strings.Trim(num, "0123456789.") != "" {
			return 0, errSyntax
		}
		f, err := strconv.ParseFloat(num, 64)
		if err != nil || f*float64(u.bytes) >= math.MaxInt64 {
			return 0, errSyntax
		}
		return int64(f * float64(u.bytes)), nil
	}
	return 0, errSyntax
}

// formatSize writes n as parseSize reads it, in the largest binary unit that
// divides it.
func formatSize(n int64) string {
	for i := 3; i >= 0; i-- {
		if u := units[i]; n >= u.bytes && n%u.bytes == 0 {
			return fmt.Sprintf("%d%s", n/u.bytes, u.name)
		}
	}
	return fmt.Sprintf("%d", n)
}

// ParseDuration parses a duration as [time.ParseDuration] does, and also days
// and weeks as its first parts: "7d", "1w2d12h".
func ParseDuration(s string) (time.Duration, error) {
	var sum time.Duration
	rest := s
	for _, u := range []struct {
		name string
		unit time.Duration
	}{{"w", 7 * day}, {"d", day}} {
		num, after, ok := strings.Cut(rest, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(num, 10, 32)
		if err != nil || time.Duration(n) > math.MaxInt64/2/u.unit {
			return 0, errSyntax
		}
		sum += time.Duration(n) * u.unit
		rest = after
	}
	if rest == "" && s != "" {
		return sum, nil
	}
	d, err := time.ParseDuration(rest)
	if err != nil || d > math.MaxInt64/2 || d < 0 && sum > 0 {
		return 0, errSyntax
	}
	return sum + d, nil
}

// FormatDuration writes d as [ParseDuration] reads it, without zero parts.
func FormatDuration(d time.Duration) string {
	if d > 0 && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

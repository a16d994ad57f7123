package bench

import (
	"strconv"
	"strings"
)

// patternTopic returns the k-th topic that is published to.
func patternTopic(base string, k int) string {
	return base + ".t" + strconv.Itoa(k) + ".value"
}

// matchingPattern returns a pattern, and how it matches, that matches the k-th
// topic and no other.
func matchingPattern(base string, k int) (pattern, match string) {
	topic := base + ".t" + strconv.Itoa(k) + "."
	if k%2 == 0 {
		return topic + "val", "prefix"
	}
	return topic, "wildcard" // an empty last part stands for any
}

// otherPattern returns the i-th pattern that matches none of the topics. It
// begins as they do, or has its wildcards where they differ, so that it can't
// be ruled out by a glance.
func otherPattern(base string, i int) (pattern, match string) {
	n := strconv.Itoa(i)
	switch i % 6 {
	case 0, 2, 4:
		return base + ".p" + n, "prefix"
	case 1:
		return base + "..w" + n, "wildcard"
	case 3:
		return base + ".w" + n + ".", "wildcard"
	}
	_, rest, _ := strings.Cut(base, ".")
	if rest != "" {
		rest = "." + rest
	}
	return rest + ".w" + n + ".value", "wildcard" // an empty first part
}

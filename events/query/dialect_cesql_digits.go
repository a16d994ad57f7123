package query

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// digits returns the condition that the field has a string that is cast to an
// Integer, and to one of the numbers: regular expressions for how these can be
// written, with a sign and zeros in front.
func (c *sqlCompiler) digits(f path, pos int, list spans) (sized, *Error) {
	var zero bool
	var positive, negative []string
	for _, s := range list {
		lo, hi := int64(math.Ceil(max(s.lo, math.MinInt32))), int64(math.Floor(min(s.hi, math.MaxInt32)))
		if s.loOpen && float64(lo) == s.lo {
			lo++
		}
		if s.hiOpen && float64(hi) == s.hi {
			hi--
		}
		zero = zero || lo <= 0 && hi >= 0
		positive = append(positive, digitRanges(max(lo, 1), hi)...)
		negative = append(negative, digitRanges(max(-hi, 1), -lo)...)
	}
	var texts []string
	if zero {
		texts = append(texts, "^[+-]?0+$")
	}
	texts = append(texts, c.packed(`^\+?0*(?:`, positive)...)
	texts = append(texts, c.packed(`^-0*(?:`, negative)...)
	kids := make([]sized, len(texts))
	for i, text := range texts {
		var err *Error
		if kids[i], err = c.regexp(f, pos, text, nil); err != nil {
			return sized{}, err
		}
	}
	return c.join(opOr, pos, kids...), nil
}

// packed puts alternatives into as few regular expressions as the limit allows.
func (c *sqlCompiler) packed(begin string, alternatives []string) []string {
	const end = ")$"
	var texts []string
	var now []string
	n := 0
	flush := func() {
		if len(now) > 0 {
			texts = append(texts, begin+strings.Join(now, "|")+end)
		}
		now, n = nil, len(begin)+len(end)
	}
	flush()
	for _, a := range alternatives {
		if n+len(a)+1 > c.options.Limits.Regexp {
			flush()
		}
		now = append(now, a)
		n += len(a) + 1
	}
	flush()
	return texts
}

// digitRanges returns regular expressions for the numbers from lo, which is 1 or
// more, to hi, without zeros in front.
func digitRanges(lo, hi int64) []string {
	var list []string
	for lo <= hi {
		// The largest block of numbers that begins at lo and has all endings of
		// some length.
		block, endings := int64(1), 0
		for lo%(block*10) == 0 && lo+block*10-1 <= hi {
			block, endings = block*10, endings+1
		}
		digit := lo / block % 10
		last := digit
		for last < 9 && lo+(last-digit+2)*block-1 <= hi {
			last++
		}
		text := ""
		if before := lo / block / 10; before > 0 {
			text = fmt.Sprint(before)
		}
		if last == digit {
			text += fmt.Sprint(digit)
		} else {
			text += fmt.Sprintf("[%d-%d]", digit, last)
		}
		list = append(list, text+anyDigits(endings, endings))
		lo += (last - digit + 1) * block
	}
	return mergeLengths(list)
}

func anyDigits(from, to int) string {
	switch {
	case to == 0:
		return ""
	case from == to && to == 1:
		return `\d`
	case from == to:
		return fmt.Sprintf(`\d{%d}`, to)
	}
	return fmt.Sprintf(`\d{%d,%d}`, from, to)
}

// mergeLengths writes the numbers of 1 digit, of 2 and so on as one.
func mergeLengths(list []string) []string {
	first, n := -1, 0
	for from := range 10 {
		i := slices.Index(list, "[1-9]"+anyDigits(from, from))
		if i < 0 && n > 0 {
			break
		}
		if i >= 0 {
			if n == 0 {
				first = from
			}
			n++
		}
	}
	if n < 2 {
		return list
	}
	rest := slices.DeleteFunc(slices.Clone(list), func(s string) bool {
		for from := first; from < first+n; from++ {
			if s == "[1-9]"+anyDigits(from, from) {
				return true
			}
		}
		return false
	})
	return append([]string{"[1-9]" + anyDigits(first, first+n-1)}, rest...)
}

//go:build linux

package bench

import (
	"errors"
	"math/rand/v2"
	"strconv"
	"strings"

	"github.com/spf13/pflag"
)

// maxPayload is how many bytes a payload may have.
const maxPayload = 512 << 10

// A fillingKind is what a payload has behind its head: text, which compresses
// as prose does, or random, which hardly compresses.
type fillingKind string

const (
	fillText   fillingKind = "text"
	fillRandom fillingKind = "random"
)

// String, Set and Type make a fillingKind a flag's value.
func (k *fillingKind) String() string { return string(*k) }

// Set accepts "text" and "random".
func (k *fillingKind) Set(s string) error {
	if s != string(fillText) && s != string(fillRandom) {
		return errors.New(`expected "text" or "random"`)
	}
	*k = fillingKind(s)
	return nil
}

// Type is what the help shows as the value.
func (k *fillingKind) Type() string { return "text|random" }

// addFilling adds the flag that chooses the payload.
func (o *options) addFilling(f *pflag.FlagSet) {
	o.filling = fillText
	f.Var(&o.filling, "payload", "what the argument is made of: text, or random, which can't be compressed")
}

// newPayload returns a payload of size bytes, at least minPayload, with the
// filling that was asked for. It is the same in every run.
func (o *options) newPayload(size int) []byte {
	b := newPayload(size)
	rng := rand.New(rand.NewPCG(1896, 1))
	if o.filling == fillRandom {
		const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		for i := minPayload; i < size; i++ {
			b[i] = digits[rng.IntN(len(digits))]
		}
		return b
	}
	for at := minPayload; at < size; {
		at += copy(b[at:], fillingWords[rng.IntN(len(fillingWords))])
		at += copy(b[at:], " ")
	}
	return b
}

// fillingWords are the words of a text. Those that are common in English are
// there more than once.
var fillingWords = strings.Fields(`
	the the the the of of of and and a a in in to to is was that for it on with as at by from this are or be
	order customer price total paid shipped address street city country message received channel station
	evening morning report weather traffic market number value change status pending delivered returned`)

// joinInts writes numbers with sep between them.
func joinInts(all []int, sep string) string {
	texts := make([]string, len(all))
	for i, n := range all {
		texts[i] = strconv.Itoa(n)
	}
	return strings.Join(texts, sep)
}

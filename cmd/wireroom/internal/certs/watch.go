package certs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// lookEvery is how often files are read again.
	lookEvery = 5 * time.Second

	// maxFile is how many bytes a file may have.
	maxFile = 1 << 20
)

// A watched is what one or two files make together. It belongs to Run.
type watched struct {
	// Fixed at construction.
	names []string // of the files; nil if there is nothing to be read again
	fixed []string // what stands beside them; "" for each that is a file
	parse func(texts []string) (change, error)

	texts []string // until New has used them
	taken digest   // of the texts that are in use
	seen  digest   // of what was read last
	bad   digest   // of what was refused last
}

// A digest tells the contents of files from others; it is zero for none.
type digest [sha256.Size]byte

func watch(texts []PEM, parse func(texts []string) (change, error)) *watched {
	w := &watched{parse: parse}
	for _, p := range texts {
		w.texts = append(w.texts, p.Text)
		if p.File != "" {
			w.names = append(w.names, p.File)
			w.fixed = append(w.fixed, "")
		} else {
			w.fixed = append(w.fixed, p.Text)
		}
	}
	w.taken = digestOf(w.texts)
	return w
}

// digestOf does not care for line ends after a text, which are not part of a
// secret in the configuration.
func digestOf(texts []string) digest {
	h := sha256.New()
	for _, t := range texts {
		t = strings.TrimRight(t, "\r\n")
		fmt.Fprintf(h, "%d:%s", len(t), t)
	}
	return digest(h.Sum(nil))
}

// read reads the files.
func (w *watched) read() (texts []string, err error) {
	texts = slices.Clone(w.fixed)
	names := w.names
	for i := range texts {
		if texts[i] != "" {
			continue
		}
		if texts[i], err = readFile(names[0]); err != nil {
			return nil, err
		}
		names = names[1:]
	}
	return texts, nil
}

func readFile(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = &fs.PathError{Op: "read", Path: name, Err: fmt.Errorf("expected at most %d bytes, found more", maxFile)}
	}
	return string(data), err
}

// Run reads the files again every few seconds, and at once when something comes
// from now, until ctx is done. It logs when certificates expire, some days before
// and when they have.
//
// What has changed is taken when it has stood for a round, so that a
// certificate is not taken without its key, which is written a moment later.
func (k *Keeper) Run(ctx context.Context, now <-chan os.Signal) {
	came := make(chan issued) // never closed
	if k.issuing != nil {
		var wg sync.WaitGroup
		defer wg.Wait()
		wg.Go(func() { k.issuing.run(ctx, came) })
	}
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		k.warn(time.Now())
		select {
		case <-tick.C:
			k.look(false)
		case <-now:
			k.look(true)
		case i := <-came:
			k.take(i)
		case <-ctx.Done():
			return
		}
	}
}

// look reads all files, and takes what has changed; unless at once, only if it
// is what was read the last time, too.
func (k *Keeper) look(atOnce bool) {
	for _, w := range k.files {
		texts, err := w.read()
		sum := digestOf(texts)
		if err != nil {
			sum = digestOf([]string{err.Error()})
		}
		settled := atOnce || sum == w.seen
		w.seen = sum
		switch {
		case sum == w.taken:
			w.bad = digest{} // it is to be logged again if it comes again
			continue
		case !settled || sum == w.bad:
			continue
		}
		var c change
		if err == nil {
			c, err = w.parse(texts)
		}
		if err != nil {
			w.bad = sum
			k.log.Error("certificate cannot be read again; the one before stays", "files", w.names, "err", reason(err))
			continue
		}
		next := *k.now.Load()
		next.pairs = slices.Clone(next.pairs)
		c.apply(&next)
		k.now.Store(&next)
		w.taken, w.bad = sum, digest{}
		k.log.LogAttrs(context.Background(), slog.LevelInfo, "certificate read again",
			append(c.about, slog.Any("files", w.names))...)
	}
}

// reason is err without what it says of a file's name if that is not needed.
func reason(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return fmt.Errorf("%s: %w", e.Path, e.Err)
	}
	return err
}

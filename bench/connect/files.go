package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/varve-log/varve/bench/jvm"
)

const throughTime = 90 * time.Second

func (r *run) input() string  { return r.Path("in.txt") }
func (r *run) output() string { return r.Path("out.txt") }

func line(n int) string { return fmt.Sprintf("line %06d %s", n, strings.Repeat("z", n%80)) }

// write appends one part to the input.
func (r *run) write() error {
	f, err := os.OpenFile(r.input(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	for range r.lines {
		if _, err := fmt.Fprintln(f, line(r.written)); err != nil {
			return errors.Join(err, f.Close())
		}
		r.written++
	}
	return f.Close()
}

// awaitOutput waits until the output ends with the last line of the input, having every line in order.
func (r *run) awaitOutput(ctx context.Context) error {
	return r.await(ctx, throughTime, "the output", func() (bool, string) {
		b, err := os.ReadFile(r.output())
		if err != nil {
			return false, err.Error()
		}
		next := 0
		for l := range strings.Lines(string(b)) {
			if strings.TrimSuffix(l, "\n") == line(next) {
				next++
			}
		}
		return next == r.written, fmt.Sprintf("%d of %d lines", next, r.written)
	})
}

// sameFiles compares both files byte by byte.
func (r *run) sameFiles() error {
	in, err := os.ReadFile(r.input())
	if err != nil {
		return err
	}
	out, err := os.ReadFile(r.output())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if !bytes.Equal(in, out) {
		return fmt.Errorf("the output of %d bytes differs from the input of %d", len(out), len(in))
	}
	return nil
}

// checkTopic requires every line in the topic once and in order.
func (r *run) checkTopic(ctx context.Context) error {
	next := 0
	var wrong error
	err := jvm.Follow(ctx, r.Bootstrap, throughTime, []string{topic}, func(rec *kgo.Record) bool {
		if got := string(rec.Value); got != line(next) {
			wrong = fmt.Errorf("offset %d holds %q, want %q", rec.Offset, got, line(next))
			return true
		}
		next++
		return next == r.written
	})
	if err != nil {
		return fmt.Errorf("%w: %d of %d lines", err, next, r.written)
	}
	return wrong
}

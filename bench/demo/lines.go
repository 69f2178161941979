package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
)

const (
	lineBytesMax = 1 << 20
	// kcatFormat is what parseTabs reads; no value here holds a line end.
	kcatFormat  = `%p\t%o\t%T\t%k\t%s\n`
	stderrBytes = 4 << 10
)

// tallyCommand runs a command and takes each line of its output as a record.
func tallyCommand(
	ctx context.Context, cmd *exec.Cmd, parse func([]byte, *message) error, t *tally,
) error {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	lineErr := tallyLines(pipe, parse, t)
	if lineErr != nil {
		_, _ = io.Copy(io.Discard, pipe) // let it end by itself
	}
	err = cmd.Wait()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", cmd, err, tailOf(stderr.Bytes()))
	}
	return errors.Join(ctx.Err(), lineErr, err)
}

func tailOf(b []byte) []byte { return bytes.TrimSpace(b[max(0, len(b)-stderrBytes):]) }

func tallyLines(r io.Reader, parse func([]byte, *message) error, t *tally) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, lineBytesMax), lineBytesMax)
	var m message
	for n := 1; lines.Scan(); n++ {
		if err := parse(lines.Bytes(), &m); err != nil {
			return fmt.Errorf("line %d, %.200q: %w", n, lines.Bytes(), err)
		}
		t.addAt(&m)
	}
	return lines.Err()
}

var errLine = errors.New("not the line that is expected")

// parseTabs reads a line of kcatFormat.
func parseTabs(line []byte, m *message) error {
	p, line, ok1 := bytes.Cut(line, []byte{'\t'})
	o, line, ok2 := bytes.Cut(line, []byte{'\t'})
	ts, line, ok3 := bytes.Cut(line, []byte{'\t'})
	key, value, ok4 := bytes.Cut(line, []byte{'\t'})
	if !ok1 || !ok2 || !ok3 || !ok4 {
		return errLine
	}
	m.key, m.value = key, value
	return parseNumbers(m, p, o, ts)
}

func parseNumbers(m *message, partition, offset, timestamp []byte) error {
	p, err1 := strconv.ParseInt(string(partition), 10, 32)
	o, err2 := strconv.ParseInt(string(offset), 10, 64)
	ts, err3 := strconv.ParseInt(string(timestamp), 10, 64)
	m.partition, m.offset, m.timestamp = int32(p), o, ts
	return errors.Join(err1, err2, err3)
}

// replayLines reads what `varve replay -o json` prints. The standard decoder would take longer than
// everything else of the demo, so it is used only for text with other escapes than of quotes and
// backslashes.
type replayLines struct{ key, value []byte }

func (r *replayLines) parse(line []byte, m *message) (err error) {
	rest := line
	field := func(name, end string) (text []byte) {
		if !bytes.HasPrefix(rest, []byte(name)) {
			err = errLine
			return nil
		}
		text, rest, _ = bytes.Cut(rest[len(name):], []byte(end))
		return text
	}
	partition := field(`{"partition":`, ",")
	offset := field(`"offset":`, ",")
	timestamp := field(`"timestamp":`, ",")
	if err != nil {
		return err
	}
	if r.key, rest, err = unquoteField(r.key[:0], rest, `"key":"`); err != nil {
		return err
	}
	if r.value, rest, err = unquoteField(r.value[:0], rest, `,"value":"`); err != nil {
		return err
	}
	if string(rest) != `,"headers":[]}` {
		return errLine
	}
	m.key, m.value = r.key, r.value
	return parseNumbers(m, partition, offset, timestamp)
}

// unquoteField appends the string that follows name to dst; rest begins behind its quote.
func unquoteField(dst, line []byte, name string) (text, rest []byte, err error) {
	if !bytes.HasPrefix(line, []byte(name)) {
		return dst, line, errLine
	}
	whole := line[len(name)-1:]
	line = line[len(name):]
	for {
		i := bytes.IndexAny(line, `"\`)
		switch {
		case i < 0 || i+1 == len(line):
			return dst, line, errLine
		case line[i] == '"':
			return append(dst, line[:i]...), line[i+1:], nil
		case line[i+1] == '"' || line[i+1] == '\\':
			dst = append(append(dst, line[:i]...), line[i+1])
			line = line[i+2:]
		default:
			return decodeField(whole)
		}
	}
}

// decodeField reads the JSON string at the start of line.
func decodeField(line []byte) (text, rest []byte, err error) {
	dec := json.NewDecoder(bytes.NewReader(line))
	var s string
	if err := dec.Decode(&s); err != nil {
		return nil, nil, err
	}
	return []byte(s), line[dec.InputOffset():], nil
}

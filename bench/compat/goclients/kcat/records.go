package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/varve-log/varve/bench/compat/goclients/driver"
)

const lineMax = 4096 // longer values are sent as files

func (k *kcat) Produce(ctx context.Context, p driver.Produce) (int64, error) {
	partition, last := p.Records[0].Partition, p.Records[len(p.Records)-1]
	args := []string{
		"-P", "-t", p.Topic, "-p", strconv.Itoa(int(partition)), "-z", p.Codec, "-X", "acks=all",
	}
	args = append(args, "-X", fmt.Sprintf("enable.idempotence=%t", p.Idempotent))
	if p.BatchRecords > 0 {
		args = append(args, "-X", fmt.Sprintf("batch.num.messages=%d", p.BatchRecords))
	}
	if p.BytesMax > 0 {
		args = append(args, "-X", fmt.Sprintf("message.max.bytes=%d", p.BytesMax))
	}
	before, err := k.OffsetFor(ctx, p.Topic, partition, driver.Latest)
	if err != nil {
		return 0, err
	}
	if err := k.write(ctx, args, p.Records); err != nil {
		return 0, err
	}
	// kcat does not tell offsets: the last record's is found by its value, as others write too.
	end, err := k.OffsetFor(ctx, p.Topic, partition, driver.Latest)
	if err != nil {
		return 0, err
	}
	got, err := k.Read(
		ctx, driver.Read{Topic: p.Topic, Partition: partition, From: before, N: int(end - before)},
	)
	for _, r := range got {
		if bytes.Equal(r.Value, last.Value) {
			return r.Offset, nil
		}
	}
	return -1, err
}

// write sends plain records as lines to one process, and others each to its own.
func (k *kcat) write(ctx context.Context, args []string, records []driver.Record) error {
	plain := true
	var lines bytes.Buffer
	for _, r := range records {
		plain = plain && len(r.Value) > 0 && len(r.Value) < lineMax && len(r.Headers) == 0 &&
			(r.Key == nil) == (records[0].Key == nil)
		if r.Key != nil {
			fmt.Fprintf(&lines, "%s\t", r.Key)
		}
		fmt.Fprintf(&lines, "%s\n", r.Value)
	}
	if plain {
		if records[0].Key != nil {
			args = append(args, "-K", "\t")
		}
		_, err := k.run(ctx, lines.Bytes(), args...)
		return err
	}
	for _, r := range records {
		if err := k.writeOne(ctx, append([]string{}, args...), r); err != nil {
			return err
		}
	}
	return nil
}

func (k *kcat) writeOne(ctx context.Context, args []string, r driver.Record) error {
	for _, h := range r.Headers {
		if h.Value == nil {
			args = append(args, "-H", h.Key)
		} else {
			args = append(args, "-H", h.Key+"="+string(h.Value))
		}
	}
	if len(r.Value) >= lineMax {
		dir, err := os.MkdirTemp("", "kcat-")
		if err != nil {
			return err
		}
		defer func() { _ = os.RemoveAll(dir) }()
		file := filepath.Join(dir, "value")
		if err := os.WriteFile(file, r.Value, 0o600); err != nil {
			return err
		}
		_, err = k.run(ctx, nil, append(args, file)...)
		return err
	}
	if r.Value == nil {
		args = append(args, "-Z") // what is empty becomes null
	}
	line := string(r.Value) + "\n"
	if r.Key != nil {
		args = append(args, "-K", "\t")
		line = string(r.Key) + "\t" + line
	}
	_, err := k.run(ctx, []byte(line), args...)
	return err
}

func (k *kcat) Read(ctx context.Context, r driver.Read) ([]driver.Record, error) {
	if r.N == 0 {
		return nil, nil
	}
	args := []string{
		"-C", "-t", r.Topic, "-p", strconv.Itoa(int(r.Partition)), "-o", strconv.FormatInt(r.From, 10),
		"-c", strconv.Itoa(r.N), "-e", "-q", "-f", "%o %T %K %S %h\n%k%s\n",
	}
	if r.FetchBytes > 0 {
		args = append(args, "-X", fmt.Sprintf("fetch.message.max.bytes=%d", r.FetchBytes))
	}
	out, err := k.run(ctx, nil, args...)
	if err != nil {
		return nil, err
	}
	var records []driver.Record
	for in := bufio.NewReader(bytes.NewReader(out)); ; {
		record, err := parse(in)
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		record.Partition = r.Partition
		records = append(records, record)
	}
}

// parse reads one record as the format of Read writes it.
func parse(in *bufio.Reader) (driver.Record, error) {
	var r driver.Record
	line, err := in.ReadString('\n')
	if err != nil {
		return r, err
	}
	fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 5)
	if len(fields) < 5 {
		return r, fmt.Errorf("kcat wrote %q", line)
	}
	var numbers [4]int64
	for i := range numbers {
		if numbers[i], err = strconv.ParseInt(fields[i], 10, 64); err != nil {
			return r, err
		}
	}
	r.Offset, r.Timestamp, r.Headers = numbers[0], time.UnixMilli(numbers[1]), parseHeaders(fields[4])
	if r.Key, err = take(in, numbers[2]); err != nil {
		return r, err
	}
	if r.Value, err = take(in, numbers[3]); err != nil {
		return r, err
	}
	_, err = in.Discard(1)
	return r, err
}

// take reads so many bytes; -1 is null.
func take(in io.Reader, size int64) ([]byte, error) {
	if size < 0 {
		return nil, nil
	}
	b := make([]byte, size)
	_, err := io.ReadFull(in, b)
	return b, err
}

func parseHeaders(text string) (headers []driver.Header) {
	if text == "" {
		return nil
	}
	for _, header := range strings.Split(text, ",") {
		name, value, _ := strings.Cut(header, "=")
		h := driver.Header{Key: name, Value: []byte(value)}
		if value == "NULL" {
			h.Value = nil
		}
		headers = append(headers, h)
	}
	return headers
}

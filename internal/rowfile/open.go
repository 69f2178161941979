package rowfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// LineBytesMax bounds one line of ndjson and one row of csv.
const LineBytesMax = 64 << 20

// Open reads the file at path; "-" is standard input, whose format must be named and cannot be
// parquet. The error is a sentence for people and wraps ErrUnreadable when the content is at fault.
func Open(path string, o Options) (Reader, error) {
	format, err := formatOf(path, o.Format)
	if err != nil {
		return nil, err
	}
	if path == "-" {
		return openStream(os.Stdin, "standard input", 0, format, o)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w; check the path", path, errors.Unwrap(err))
	}
	st, err := f.Stat()
	if err == nil && st.IsDir() {
		err = fmt.Errorf("%s is a directory: name one file", path)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	var r Reader
	if format == "parquet" {
		r, err = newParquet(f, path, o)
	} else {
		r, err = openStream(f, path, st.Size(), format, o)
	}
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return r, nil
}

func openStream(r io.ReadCloser, name string, size int64, format string, o Options,
) (Reader, error) {
	switch format {
	case "ndjson":
		return newNDJSON(r, name, size, o), nil
	case "csv":
		return newCSV(r, name, size, o)
	}
	return nil, fmt.Errorf("%s: %s needs a file, not a stream: save it and name its path",
		name, format)
}

// formatOf checks the named format or takes it from the file's name.
func formatOf(path, format string) (string, error) {
	switch format {
	case "ndjson", "csv", "parquet":
		return format, nil
	case "":
	default:
		return "", fmt.Errorf("unknown file format %q: want ndjson, csv or parquet", format)
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".ndjson", ".jsonl", ".json":
		return "ndjson", nil
	case ".csv":
		return "csv", nil
	case ".parquet":
		return "parquet", nil
	}
	return "", fmt.Errorf(
		"%s: its name does not tell the format: name ndjson, csv or parquet", path)
}

// unknownColumn is the error for a --key or --timestamp that the file has not.
func unknownColumn(file, what, column string, have []string) error {
	const most = 50
	tail := ""
	if len(have) > most {
		have, tail = have[:most], ", ..."
	}
	return fmt.Errorf("%s: no column %q for the %s: it has %s%s: %w",
		file, column, what, strings.Join(have, ", "), tail, ErrUnreadable)
}

// counter counts the bytes that were read through it.
type counter struct {
	r io.Reader
	n func(int)
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n(n)
	return n, err
}

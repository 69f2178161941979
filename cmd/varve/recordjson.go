package main

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"

	"github.com/varve-log/varve/kafka/record"
)

// appendRecordJSON appends a record as one line of JSON: what `consume -o json` and `replay -o json`
// print. Keys and values that are not UTF-8 stand in key_base64 and value_base64, so that nothing is
// lost; timestamps are milliseconds since the epoch.
func appendRecordJSON(dst []byte, partition int32, r record.Record) []byte {
	dst = append(dst, `{"partition":`...)
	dst = strconv.AppendInt(dst, int64(partition), 10)
	dst = append(dst, `,"offset":`...)
	dst = strconv.AppendInt(dst, int64(r.Offset), 10)
	dst = append(dst, `,"timestamp":`...)
	dst = strconv.AppendInt(dst, int64(r.Timestamp), 10)
	dst = appendTextField(append(dst, ','), "key", r.Key)
	dst = appendTextField(append(dst, ','), "value", r.Value)
	dst = append(dst, `,"headers":[`...)
	for i, h := range r.Headers {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendTextField(append(dst, '{'), "key", []byte(h.Key))
		dst = append(appendTextField(append(dst, ','), "value", h.Value), '}')
	}
	return append(dst, "]}\n"...)
}

func appendTextField(dst []byte, name string, text []byte) []byte {
	dst = append(append(dst, '"'), name...)
	switch {
	case text == nil:
		return append(dst, `":null`...)
	case !utf8.Valid(text):
		dst = base64.StdEncoding.AppendEncode(append(dst, `_base64":"`...), text)
		return append(dst, '"')
	}
	return appendJSONString(append(dst, `":`...), text)
}

// appendJSONString quotes valid UTF-8, escaping no more than JSON demands.
func appendJSONString(dst, text []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	from := 0
	for i, c := range text {
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		dst = append(dst, text[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, text[from:]...), '"')
}

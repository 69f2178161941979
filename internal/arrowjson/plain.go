package arrowjson

import (
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Text appends the values as plain text: text as it is, anything else as its JSON without quotes. A
// null value appends nothing.
func Text(a arrow.Array, s Style) Appender {
	plain := textAppender(a, s)
	return func(dst []byte, i int) []byte {
		if a.IsNull(i) {
			return dst
		}
		return plain(dst, i)
	}
}

func textAppender(a arrow.Array, s Style) Appender {
	switch a := a.(type) {
	case *array.String:
		return func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) }
	case *array.LargeString:
		return func(dst []byte, i int) []byte { return append(dst, a.Value(i)...) }
	case *array.Float64:
		return func(dst []byte, i int) []byte { return textFloat(dst, a.Value(i), 64) }
	case *array.Float32:
		return func(dst []byte, i int) []byte { return textFloat(dst, float64(a.Value(i)), 32) }
	case *array.Dictionary:
		values := Text(a.Dictionary(), s)
		return func(dst []byte, i int) []byte { return values(dst, a.GetValueIndex(i)) }
	}
	value := valueAppender(a, s)
	return func(dst []byte, i int) []byte {
		from := len(dst)
		dst = value(dst, i)
		if n := len(dst); n-from < 2 || dst[from] != '"' {
			return dst
		}
		return unquote(dst, from)
	}
}

// textFloat is AppendFloat with names for what JSON cannot say.
func textFloat(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return strconv.AppendFloat(dst, f, 'g', -1, bits)
	}
	return AppendFloat(dst, f, bits)
}

// unquote strips the quotes and the backslashes of the JSON string at dst[from:], which has no
// escapes but those of " and \\.
func unquote(dst []byte, from int) []byte {
	out := dst[:from]
	for in := from + 1; in < len(dst)-1; in++ {
		if dst[in] == '\\' {
			in++
		}
		out = append(out, dst[in])
	}
	return out
}

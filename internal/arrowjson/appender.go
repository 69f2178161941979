package arrowjson

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Style chooses between forms that JSON leaves open.
type Style struct {
	// EscapeBytes writes bytes as text in which printable ASCII stands for itself and any other byte,
	// and the backslash, is \xHH, as DuckDB prints a BLOB. Otherwise bytes are base64.
	EscapeBytes bool
	// AssumeUTC writes timestamps without a zone as UTC, with a Z. Otherwise they have no zone.
	AssumeUTC bool
}

// Appender appends an array's value i, which must be in range.
type Appender func(dst []byte, i int) []byte

// Supported tells whether Of knows the type; the error names it.
func Supported(t arrow.DataType) error {
	switch t := t.(type) {
	case *arrow.NullType, *arrow.BooleanType, *arrow.Int8Type, *arrow.Int16Type, *arrow.Int32Type,
		*arrow.Int64Type, *arrow.Uint8Type, *arrow.Uint16Type, *arrow.Uint32Type, *arrow.Uint64Type,
		*arrow.Float16Type, *arrow.Float32Type, *arrow.Float64Type, *arrow.StringType,
		*arrow.LargeStringType, *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.FixedSizeBinaryType,
		*arrow.TimestampType, *arrow.Date32Type, *arrow.Time32Type, *arrow.Time64Type,
		*arrow.Decimal32Type, *arrow.Decimal64Type, *arrow.Decimal128Type, *arrow.Decimal256Type,
		*arrow.MonthDayNanoIntervalType, *arrow.DurationType:
		return nil
	case *arrow.DictionaryType:
		return Supported(t.ValueType)
	case *arrow.FixedSizeListType:
		return Supported(t.Elem())
	case *arrow.ListType:
		return Supported(t.Elem())
	case *arrow.MapType:
		return Supported(t.Elem())
	case *arrow.StructType:
		for _, f := range t.Fields() {
			if err := Supported(f.Type); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("type %s has no JSON form", t)
}

// Of appends the JSON of the values of one array of a supported type.
func Of(a arrow.Array, s Style) Appender {
	value := valueAppender(a, s)
	if a.NullN() == 0 {
		return value
	}
	return func(dst []byte, i int) []byte {
		if a.IsNull(i) {
			return append(dst, "null"...)
		}
		return value(dst, i)
	}
}

func valueAppender(a arrow.Array, s Style) Appender {
	switch a := a.(type) {
	case *array.Int8:
		return integers(a.Values())
	case *array.Int16:
		return integers(a.Values())
	case *array.Int32:
		return integers(a.Values())
	case *array.Int64:
		return integers(a.Values())
	case *array.Uint8:
		return integers(a.Values())
	case *array.Uint16:
		return integers(a.Values())
	case *array.Uint32:
		return integers(a.Values())
	case *array.Uint64:
		return func(dst []byte, i int) []byte { return strconv.AppendUint(dst, a.Value(i), 10) }
	case *array.Float32:
		return func(dst []byte, i int) []byte { return AppendFloat(dst, float64(a.Value(i)), 32) }
	case *array.Float64:
		return func(dst []byte, i int) []byte { return AppendFloat(dst, a.Value(i), 64) }
	case *array.Boolean:
		return func(dst []byte, i int) []byte { return strconv.AppendBool(dst, a.Value(i)) }
	case *array.String:
		return func(dst []byte, i int) []byte { return AppendString(dst, a.Value(i)) }
	case *array.LargeString:
		return func(dst []byte, i int) []byte { return AppendString(dst, a.Value(i)) }
	case *array.Timestamp:
		return timestamps(a, s)
	case *array.Date32:
		return func(dst []byte, i int) []byte {
			return a.Value(i).ToTime().AppendFormat(append(dst, '"'), time.DateOnly+`"`)
		}
	}
	return rareAppender(a, s)
}

// rareAppender serves the types whose speed matters less.
func rareAppender(a arrow.Array, s Style) Appender {
	switch a := a.(type) {
	case *array.Binary:
		return func(dst []byte, i int) []byte { return appendBytes(dst, a.Value(i), s) }
	case *array.LargeBinary:
		return func(dst []byte, i int) []byte { return appendBytes(dst, a.Value(i), s) }
	case *array.FixedSizeBinary:
		return func(dst []byte, i int) []byte { return appendBytes(dst, a.Value(i), s) }
	case *array.Float16:
		return func(dst []byte, i int) []byte {
			return AppendFloat(dst, float64(a.Value(i).Float32()), 32)
		}
	case *array.Time32, *array.Time64, *array.Duration:
		return func(dst []byte, i int) []byte { return AppendString(dst, a.ValueStr(i)) }
	case *array.Decimal32, *array.Decimal64, *array.Decimal128, *array.Decimal256:
		return func(dst []byte, i int) []byte { return append(dst, a.ValueStr(i)...) }
	case *array.MonthDayNanoInterval:
		return func(dst []byte, i int) []byte { return appendInterval(dst, a.Value(i)) }
	case *array.Dictionary:
		values := Of(a.Dictionary(), s)
		return func(dst []byte, i int) []byte { return values(dst, a.GetValueIndex(i)) }
	case *array.FixedSizeList:
		return lists(a.ValueOffsets, a.ListValues(), s)
	case *array.Map:
		if keys, ok := a.Keys().(*array.String); ok {
			return objects(a.ValueOffsets, keys, Of(a.Items(), s))
		}
		return lists(a.ValueOffsets, a.ListValues(), s)
	case *array.List:
		return lists(a.ValueOffsets, a.ListValues(), s)
	case *array.Struct:
		return structs(a, s)
	}
	return func(dst []byte, _ int) []byte { return append(dst, "null"...) } // array.Null
}

func integers[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32](values []T) Appender {
	return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, int64(values[i]), 10) }
}

func timestamps(a *array.Timestamp, s Style) Appender {
	t := a.DataType().(*arrow.TimestampType)
	layout := time.RFC3339Nano
	if t.TimeZone == "" && !s.AssumeUTC {
		layout = "2006-01-02T15:04:05.999999999"
	}
	return func(dst []byte, i int) []byte {
		at := a.Value(i).ToTime(t.Unit).UTC()
		return append(at.AppendFormat(append(dst, '"'), layout), '"')
	}
}

func appendBytes(dst, b []byte, s Style) []byte {
	dst = append(dst, '"')
	if !s.EscapeBytes {
		return append(base64.StdEncoding.AppendEncode(dst, b), '"')
	}
	for _, c := range b {
		switch {
		case c == '"':
			dst = append(dst, '\\', '"')
		case c == '\\' || c < ' ' || c > '~':
			dst = append(dst, '\\', '\\', 'x', upperDigits[c>>4], upperDigits[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}

const upperDigits = "0123456789ABCDEF"

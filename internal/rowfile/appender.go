package rowfile

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// appender appends the JSON of a column's value i.
type appender func(dst []byte, i int) []byte

// supported tells whether appenderOf knows the type.
func supported(t arrow.DataType) error {
	switch t := t.(type) {
	case *arrow.NullType, *arrow.BooleanType, *arrow.Int8Type, *arrow.Int16Type, *arrow.Int32Type,
		*arrow.Int64Type, *arrow.Uint8Type, *arrow.Uint16Type, *arrow.Uint32Type, *arrow.Uint64Type,
		*arrow.Float16Type, *arrow.Float32Type, *arrow.Float64Type, *arrow.StringType,
		*arrow.LargeStringType, *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.FixedSizeBinaryType,
		*arrow.TimestampType, *arrow.Date32Type, *arrow.Time32Type, *arrow.Time64Type,
		*arrow.Decimal32Type, *arrow.Decimal64Type, *arrow.Decimal128Type, *arrow.Decimal256Type:
		return nil
	case *arrow.ListType:
		return supported(t.Elem())
	case *arrow.MapType:
		return supported(t.Elem())
	case *arrow.StructType:
		for _, f := range t.Fields() {
			if err := supported(f.Type); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("type %s has no JSON form", t)
}

// appenderOf binds an appender to one array of a supported type.
func appenderOf(a arrow.Array) appender {
	value := valueAppender(a)
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

func valueAppender(a arrow.Array) appender {
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
		return func(dst []byte, i int) []byte { return appendFloat(dst, float64(a.Value(i)), 32) }
	case *array.Float64:
		return func(dst []byte, i int) []byte { return appendFloat(dst, a.Value(i), 64) }
	case *array.Boolean:
		return func(dst []byte, i int) []byte { return strconv.AppendBool(dst, a.Value(i)) }
	case *array.String:
		return func(dst []byte, i int) []byte { return appendString(dst, a.Value(i)) }
	case *array.LargeString:
		return func(dst []byte, i int) []byte { return appendString(dst, a.Value(i)) }
	case *array.Timestamp:
		return timestamps(a)
	case *array.Date32:
		return func(dst []byte, i int) []byte {
			return a.Value(i).ToTime().AppendFormat(append(dst, '"'), time.DateOnly+`"`)
		}
	}
	return rareAppender(a)
}

// rareAppender serves the types whose speed matters less.
func rareAppender(a arrow.Array) appender {
	switch a := a.(type) {
	case *array.Binary:
		return func(dst []byte, i int) []byte { return appendBase64(dst, a.Value(i)) }
	case *array.LargeBinary:
		return func(dst []byte, i int) []byte { return appendBase64(dst, a.Value(i)) }
	case *array.FixedSizeBinary:
		return func(dst []byte, i int) []byte { return appendBase64(dst, a.Value(i)) }
	case *array.Float16:
		return func(dst []byte, i int) []byte {
			return appendFloat(dst, float64(a.Value(i).Float32()), 32)
		}
	case *array.Time32, *array.Time64:
		return func(dst []byte, i int) []byte { return appendString(dst, a.ValueStr(i)) }
	case *array.Decimal32, *array.Decimal64, *array.Decimal128, *array.Decimal256:
		return func(dst []byte, i int) []byte { return append(dst, a.ValueStr(i)...) }
	case *array.Map:
		return lists(a.ValueOffsets, a.ListValues())
	case *array.List:
		return lists(a.ValueOffsets, a.ListValues())
	case *array.Struct:
		return structs(a)
	}
	return func(dst []byte, _ int) []byte { return append(dst, "null"...) } // array.Null
}

func integers[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32](values []T) appender {
	return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, int64(values[i]), 10) }
}

func timestamps(a *array.Timestamp) appender {
	unit := a.DataType().(*arrow.TimestampType).Unit
	return func(dst []byte, i int) []byte {
		t := a.Value(i).ToTime(unit).UTC()
		return append(t.AppendFormat(append(dst, '"'), time.RFC3339Nano), '"')
	}
}

func appendBase64(dst, b []byte) []byte {
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), b), '"')
}

func lists(offsets func(int) (int64, int64), values arrow.Array) appender {
	element := appenderOf(values)
	return func(dst []byte, i int) []byte {
		begin, end := offsets(i)
		dst = append(dst, '[')
		for j := begin; j < end; j++ {
			if j > begin {
				dst = append(dst, ',')
			}
			dst = element(dst, int(j))
		}
		return append(dst, ']')
	}
}

func structs(a *array.Struct) appender {
	fields := a.DataType().(*arrow.StructType).Fields()
	names := make([][]byte, len(fields))
	members := make([]appender, len(fields))
	for f := range fields {
		names[f] = append(appendString(nil, fields[f].Name), ':')
		members[f] = appenderOf(a.Field(f))
	}
	return func(dst []byte, i int) []byte {
		dst = append(dst, '{')
		for f := range members {
			if f > 0 {
				dst = append(dst, ',')
			}
			dst = members[f](append(dst, names[f]...), i)
		}
		return append(dst, '}')
	}
}

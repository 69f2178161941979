package arrowjson

import (
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

func lists(offsets func(int) (int64, int64), values arrow.Array, s Style) Appender {
	element := Of(values, s)
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

func structs(a *array.Struct, s Style) Appender {
	fields := a.DataType().(*arrow.StructType).Fields()
	names := make([][]byte, len(fields))
	members := make([]Appender, len(fields))
	for f := range fields {
		names[f] = append(AppendString(nil, fields[f].Name), ':')
		members[f] = Of(a.Field(f), s)
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

// objects appends maps whose keys are text.
func objects(offsets func(int) (int64, int64), keys *array.String, item Appender) Appender {
	return func(dst []byte, i int) []byte {
		begin, end := offsets(i)
		dst = append(dst, '{')
		for j := int(begin); j < int(end); j++ {
			if j > int(begin) {
				dst = append(dst, ',')
			}
			dst = item(append(AppendString(dst, keys.Value(j)), ':'), j)
		}
		return append(dst, '}')
	}
}

// appendInterval appends a duration of ISO 8601, as "P1M2DT3.5S".
func appendInterval(dst []byte, v arrow.MonthDayNanoInterval) []byte {
	dst = append(dst, '"', 'P')
	if v.Months != 0 {
		dst = append(strconv.AppendInt(dst, int64(v.Months), 10), 'M')
	}
	if v.Days != 0 {
		dst = append(strconv.AppendInt(dst, int64(v.Days), 10), 'D')
	}
	if v.Nanoseconds != 0 || v.Months == 0 && v.Days == 0 {
		seconds := strconv.FormatFloat(float64(v.Nanoseconds)/1e9, 'f', -1, 64)
		dst = append(append(append(dst, 'T'), seconds...), 'S')
	}
	return append(dst, '"')
}

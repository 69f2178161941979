package arrowrec

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/varve-log/varve/internal/arrowjson"
	"github.com/varve-log/varve/query/table"
)

// Column is one column of a topic.
type Column uint8

// The columns, in the order of the schema.
const (
	Partition Column = iota
	Offset
	Timestamp
	Key
	Value
	Headers
	LeaderEpoch
	ProducerID
	ProducerEpoch
	columnsEnd
)

// ColumnsCount is the number of columns of a topic.
const ColumnsCount = int(columnsEnd)

var columnNames = [ColumnsCount]string{
	"partition", "offset", "timestamp", "key", "value", "headers",
	"leader_epoch", "producer_id", "producer_epoch",
}

// Name is the column's name in SQL and in the Arrow schema.
func (c Column) Name() string { return columnNames[c] }

// Set is a set of columns.
type Set uint16

// AllColumns is every column of a topic.
const AllColumns = Set(1<<ColumnsCount - 1)

// Of is the set of the columns.
func Of(columns ...Column) Set {
	var s Set
	for _, c := range columns {
		s |= 1 << c
	}
	return s
}

// Has reports whether c is in the set.
func (s Set) Has(c Column) bool { return s&(1<<c) != 0 }

// perRecord are the columns that need a batch's records to be walked.
const perRecord = Set(1<<Timestamp | 1<<Key | 1<<Value | 1<<Headers)

// headerType is one header as Arrow sees it.
var headerType = arrow.StructOf(
	arrow.Field{Name: "key", Type: arrow.BinaryTypes.String},
	arrow.Field{Name: "value", Type: arrow.BinaryTypes.Binary, Nullable: true},
)

// Schema is the Arrow schema of the columns, in their fixed order. The value column of a topic of
// format json is utf8 with arrowjson.Mark.
func Schema(columns Set, format table.ValueFormat) *arrow.Schema {
	var fields []arrow.Field
	for c := Column(0); c < columnsEnd; c++ {
		if columns.Has(c) {
			fields = append(fields, field(c, format))
		}
	}
	return arrow.NewSchema(fields, nil)
}

func field(c Column, format table.ValueFormat) arrow.Field {
	f := arrow.Field{Name: c.Name()}
	switch c {
	case Partition, LeaderEpoch:
		f.Type = arrow.PrimitiveTypes.Int32
	case Offset:
		f.Type = arrow.PrimitiveTypes.Int64
	case Timestamp:
		f.Type, f.Nullable = arrow.FixedWidthTypes.Timestamp_ms, true
	case Key:
		f.Type, f.Nullable = arrow.BinaryTypes.Binary, true
	case Value:
		f.Type, f.Nullable = arrow.BinaryTypes.Binary, true
		if format != table.Raw {
			f.Type = arrow.BinaryTypes.String
		}
		if format == table.JSON {
			f.Metadata = arrowjson.Mark()
		}
	case Headers:
		f.Type = arrow.ListOfField(arrow.Field{Name: "element", Type: headerType})
	case ProducerID:
		f.Type, f.Nullable = arrow.PrimitiveTypes.Int64, true
	case ProducerEpoch:
		f.Type, f.Nullable = arrow.PrimitiveTypes.Int16, true
	}
	return f
}

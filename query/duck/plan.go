package duck

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/varve-log/varve/query/table"
)

// scanFunction is the name of the table function behind every topic.
const scanFunction = "varve_scan"

// The JSON of json_serialize_plan, as far as bounds need it.
type (
	planJSON struct {
		Error bool     `json:"error"`
		Plans []opJSON `json:"plans"`
	}
	opJSON struct {
		Type          string      `json:"type"`
		Children      []opJSON    `json:"children"`
		Expressions   []exprJSON  `json:"expressions"`
		Name          string      `json:"name"`
		Names         []string    `json:"names"`
		Parameters    []valueJSON `json:"parameters"`
		ColumnIndexes []struct {
			Index *int `json:"index"`
		} `json:"column_indexes"`
		ProjectionIDs []int `json:"projection_ids"`
	}
	exprJSON struct {
		Class          string     `json:"expression_class"`
		Type           string     `json:"type"`
		Index          *int       `json:"index"`
		Children       []exprJSON `json:"children"`
		Child          *exprJSON  `json:"child"`
		Left           *exprJSON  `json:"left"`
		Right          *exprJSON  `json:"right"`
		Input          *exprJSON  `json:"input"`
		Lower          *exprJSON  `json:"lower"`
		Upper          *exprJSON  `json:"upper"`
		LowerInclusive bool       `json:"lower_inclusive"`
		UpperInclusive bool       `json:"upper_inclusive"`
		ReturnType     typeJSON   `json:"return_type"`
		Value          *valueJSON `json:"value"`
	}
	typeJSON struct {
		ID string `json:"id"`
	}
	valueJSON struct {
		Type   typeJSON        `json:"type"`
		IsNull bool            `json:"is_null"`
		Value  json.RawMessage `json:"value"`
	}
)

// errNoPlan is for statements that json_serialize_plan does not take.
var errNoPlan = errors.New("no serialized plan")

// planBounds reads a serialized plan: for each number of a scan, the bounds that hold for all of
// its occurrences.
func planBounds(text []byte) (map[int64]table.Bounds, error) {
	var p planJSON
	d := json.NewDecoder(bytes.NewReader(text))
	if err := d.Decode(&p); err != nil {
		return nil, fmt.Errorf("read serialized plan: %w", err)
	}
	if p.Error {
		return nil, errNoPlan
	}
	found := make(map[int64]table.Bounds)
	for i := range p.Plans {
		collect(&p.Plans[i], nil, found)
	}
	return found, nil
}

// collect walks the plan; filter is the parent when that is a filter.
func collect(op, filter *opJSON, found map[int64]table.Bounds) {
	if id, ok := scanNumber(op); ok {
		b := table.All()
		if filter != nil {
			for i := range filter.Expressions {
				b = b.And(exprBounds(&filter.Expressions[i], op))
			}
		}
		if other, twice := found[id]; twice {
			b = b.Or(other)
		}
		found[id] = b
	}
	var below *opJSON
	if op.Type == "LOGICAL_FILTER" {
		below = op
	}
	for i := range op.Children {
		collect(&op.Children[i], below, found)
	}
}

// scanNumber returns the number that a scan was given.
func scanNumber(op *opJSON) (int64, bool) {
	if op.Type != "LOGICAL_GET" || op.Name != scanFunction || len(op.Parameters) != 2 {
		return 0, false
	}
	return op.Parameters[1].integer()
}

// integer is the value of an integer or a timestamp that fits in 64 bits.
func (v *valueJSON) integer() (int64, bool) {
	if v == nil || v.IsNull {
		return 0, false
	}
	var n int64
	if json.Unmarshal(v.Value, &n) != nil {
		return 0, false
	}
	return n, true
}

// exprBounds returns bounds outside of which the expression is not true.
func exprBounds(e *exprJSON, get *opJSON) table.Bounds {
	switch e.Class {
	case "BOUND_CONJUNCTION":
		return conjunction(e, get)
	case "BOUND_COMPARISON":
		if b, ok := comparison(e.Type, e.Left, e.Right, get); ok {
			return b
		}
		if b, ok := comparison(flipped[e.Type], e.Right, e.Left, get); ok {
			return b
		}
	case "BOUND_BETWEEN":
		return between(e, get)
	case "BOUND_OPERATOR":
		if e.Type == "COMPARE_IN" && len(e.Children) > 1 {
			return oneOf(e, get)
		}
	}
	return table.All()
}

func conjunction(e *exprJSON, get *opJSON) table.Bounds {
	switch e.Type {
	case "CONJUNCTION_AND":
		b := table.All()
		for i := range e.Children {
			b = b.And(exprBounds(&e.Children[i], get))
		}
		return b
	case "CONJUNCTION_OR":
		var b table.Bounds
		for i := range e.Children {
			b = b.Or(exprBounds(&e.Children[i], get))
		}
		return b
	}
	return table.All()
}

func between(e *exprJSON, get *opJSON) table.Bounds {
	lower, upper := "COMPARE_GREATERTHAN", "COMPARE_LESSTHAN"
	if e.LowerInclusive {
		lower = "COMPARE_GREATERTHANOREQUALTO"
	}
	if e.UpperInclusive {
		upper = "COMPARE_LESSTHANOREQUALTO"
	}
	b := table.All()
	if lo, ok := comparison(lower, e.Input, e.Lower, get); ok {
		b = b.And(lo)
	}
	if hi, ok := comparison(upper, e.Input, e.Upper, get); ok {
		b = b.And(hi)
	}
	return b
}

func oneOf(e *exprJSON, get *opJSON) table.Bounds {
	var b table.Bounds
	for i := range e.Children[1:] {
		one, ok := comparison("COMPARE_EQUAL", &e.Children[0], &e.Children[1+i], get)
		if !ok {
			return table.All()
		}
		b = b.Or(one)
	}
	return b
}

// flipped is each comparison with its sides exchanged.
var flipped = map[string]string{
	"COMPARE_EQUAL":                "COMPARE_EQUAL",
	"COMPARE_LESSTHAN":             "COMPARE_GREATERTHAN",
	"COMPARE_LESSTHANOREQUALTO":    "COMPARE_GREATERTHANOREQUALTO",
	"COMPARE_GREATERTHAN":          "COMPARE_LESSTHAN",
	"COMPARE_GREATERTHANOREQUALTO": "COMPARE_LESSTHANOREQUALTO",
}

// comparison bounds `column op constant`; ok is false when it is not of that form.
func comparison(op string, left, right *exprJSON, get *opJSON) (b table.Bounds, ok bool) {
	column, ok := columnOf(left, get)
	if !ok || right == nil || right.Class != "BOUND_CONSTANT" {
		return b, false
	}
	v, ok := right.Value.integer()
	if !ok {
		return b, false
	}
	box := table.FullBox()
	switch {
	case column == "partition" && isInteger(right.Value.Type.ID):
		box.Partition, ok = interval(op, v)
	case column == "offset" && isInteger(right.Value.Type.ID):
		box.Offset, ok = interval(op, v)
	case column == "timestamp" && right.Value.Type.ID == "TIMESTAMP WITH TIME ZONE":
		box.Timestamp, ok = interval(op, v)
		box.Timestamp = milliseconds(box.Timestamp)
	default:
		return b, false
	}
	return table.Within(box), ok
}

func isInteger(id string) bool {
	switch id {
	case "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER":
		return true
	}
	return false
}

// columnOf names the column that a reference, or a widening cast of one, stands for.
func columnOf(e *exprJSON, get *opJSON) (string, bool) {
	if e == nil {
		return "", false
	}
	if e.Class == "BOUND_CAST" && e.ReturnType.ID == "BIGINT" {
		return columnOf(e.Child, get)
	}
	if e.Class != "BOUND_REF" {
		return "", false
	}
	if e.Index == nil {
		return "", false
	}
	i := *e.Index
	if len(get.ProjectionIDs) > 0 {
		if i < 0 || i >= len(get.ProjectionIDs) {
			return "", false
		}
		i = get.ProjectionIDs[i]
	}
	if i < 0 || i >= len(get.ColumnIndexes) {
		return "", false
	}
	c := get.ColumnIndexes[i].Index
	if c == nil || *c < 0 || *c >= len(get.Names) {
		return "", false
	}
	return get.Names[*c], true
}

// interval holds the x with `x op v`.
func interval(op string, v int64) (table.Interval, bool) {
	in := table.Everything()
	switch op {
	case "COMPARE_EQUAL":
		in = table.Interval{Min: v, Max: v}
	case "COMPARE_GREATERTHAN":
		if v == math.MaxInt64 {
			return in, false
		}
		in.Min = v + 1
	case "COMPARE_GREATERTHANOREQUALTO":
		in.Min = v
	case "COMPARE_LESSTHAN":
		if v == math.MinInt64 {
			return in, false
		}
		in.Max = v - 1
	case "COMPARE_LESSTHANOREQUALTO":
		in.Max = v
	default:
		return in, false
	}
	return in, true
}

// milliseconds holds the milliseconds that lie in an interval of microseconds.
func milliseconds(us table.Interval) table.Interval {
	ms := us
	if us.Min != math.MinInt64 {
		ms.Min = -floorDiv(-us.Min, 1000)
	}
	if us.Max != math.MaxInt64 {
		ms.Max = floorDiv(us.Max, 1000)
	}
	return ms
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

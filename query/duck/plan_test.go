package duck

import (
	"errors"
	"math"
	"testing"

	"github.com/varve-log/varve/query/table"
)

// get is a scan of reference n with the columns partition, offset and timestamp, and in place of %s
// what else the plan says of it.
func get(n string) string {
	return `{"type":"LOGICAL_GET","name":"varve_scan","names":["partition","offset","timestamp"],
		"parameters":[{"is_null":false,"value":"t"},{"is_null":false,"value":` + n + `}],
		"column_indexes":[{"index":2},{"index":0},{"index":1}],"children":[]}`
}

func filter(expression, child string) string {
	return `{"type":"LOGICAL_FILTER","expressions":[` + expression + `],"children":[` + child + `]}`
}

func compare(op, column, kind, value string) string {
	return `{"expression_class":"BOUND_COMPARISON","type":"` + op + `",
		"left":{"expression_class":"BOUND_REF","index":` + column + `},
		"right":{"expression_class":"BOUND_CONSTANT",
			"value":{"type":{"id":"` + kind + `"},"is_null":false,"value":` + value + `}}}`
}

func box(change func(b *table.Box)) table.Box {
	b := table.FullBox()
	change(&b)
	return b
}

func TestPlanBounds(t *testing.T) {
	offset3 := compare("COMPARE_EQUAL", "2", "BIGINT", "3")
	for name, c := range map[string]struct {
		plan string
		want table.Box
	}{
		"offset": {
			filter(offset3, get("1")),
			box(func(b *table.Box) { b.Offset = table.Interval{Min: 3, Max: 3} }),
		},
		"microseconds are rounded inwards": {
			filter(compare("COMPARE_GREATERTHAN", "0", "TIMESTAMP WITH TIME ZONE", "1500"), get("1")),
			box(func(b *table.Box) { b.Timestamp = table.Interval{Min: 2, Max: math.MaxInt64} }),
		},
		"before 1970": {
			filter(compare("COMPARE_LESSTHAN", "0", "TIMESTAMP WITH TIME ZONE", "-1500"), get("1")),
			box(func(b *table.Box) { b.Timestamp = table.Interval{Min: math.MinInt64, Max: -2} }),
		},
		"wrong type of a constant": {
			filter(compare("COMPARE_EQUAL", "0", "BIGINT", "3"), get("1")),
			table.FullBox(),
		},
		"double": {
			filter(compare("COMPARE_LESSTHAN", "2", "DOUBLE", "3.5"), get("1")),
			table.FullBox(),
		},
		"unknown operator": {
			filter(compare("COMPARE_NOTEQUAL", "2", "BIGINT", "3"), get("1")),
			table.FullBox(),
		},
		"column out of range": {
			filter(compare("COMPARE_EQUAL", "7", "BIGINT", "3"), get("1")),
			table.FullBox(),
		},
		"not right above": {
			filter(offset3, `{"type":"LOGICAL_LIMIT","children":[`+get("1")+`]}`),
			table.FullBox(),
		},
		"twice, once without": {
			`{"type":"X","children":[` + filter(offset3, get("1")) + `,` + get("1") + `]}`, table.FullBox(),
		},
	} {
		found, err := planBounds([]byte(`{"error":false,"plans":[` + c.plan + `]}`))
		if err != nil {
			t.Fatal(name, err)
		}
		hull := found[1].Boxes()
		if got := hull[len(hull)-1]; got != c.want && hull[0] != c.want {
			t.Errorf("%s: %+v, want %+v", name, hull, c.want)
		}
	}
	if _, err := planBounds([]byte(`{"error":true}`)); !errors.Is(err, errNoPlan) {
		t.Errorf("got %v", err)
	}
	if _, err := planBounds([]byte(`nonsense`)); err == nil {
		t.Error("nonsense was read")
	}
}

func FuzzPlanBounds(f *testing.F) {
	f.Add([]byte(`{"plans":[` + filter(compare("COMPARE_EQUAL", "2", "BIGINT", "3"), get("1")) + `]}`))
	f.Fuzz(func(_ *testing.T, plan []byte) { _, _ = planBounds(plan) })
}

//go:build cgo

package duck

import (
	"context"
	"strconv"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// hintTopicsMax bounds the topics that a hint names.
const hintTopicsMax = 30

// topicsHint names the topics, or the columns' page when there are none.
func (r *Result) topicsHint(ctx context.Context) string {
	names, err := r.db.src.Topics(ctx)
	switch {
	case err != nil:
		return ""
	case len(names) == 0:
		return "the bucket holds no topics yet"
	}
	tail := ""
	if more := len(names) - hintTopicsMax; more > 0 {
		names, tail = names[:hintTopicsMax], " and "+strconv.Itoa(more)+" more"
	}
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = quoteName(n)
	}
	return "tables are topics: " + strings.Join(quoted, ", ") + tail
}

// quoteName quotes a topic's name where SQL needs it.
func quoteName(n string) string {
	for i := range len(n) {
		c := n[i]
		if c != '_' && (c < 'a' || c > 'z') && (i == 0 || c < '0' || c > '9') {
			return `"` + n + `"`
		}
	}
	return n
}

// checkNames refuses a.b without quotes when a.b is a topic: DuckDB would take b of the schema a,
// and with it perhaps another topic.
func (r *Result) checkNames(text string) error {
	list := duckdb.GetTableNames(r.db.conn, text, true)
	if list.Ptr == nil {
		return nil
	}
	defer duckdb.DestroyValue(&list)
	for i := range duckdb.GetListSize(list) {
		v := duckdb.GetListChild(list, i)
		name := duckdb.GetVarchar(v)
		duckdb.DestroyValue(&v)
		schema, _, qualified := strings.Cut(name, ".")
		if strings.HasPrefix(name, `"`) || !qualified || schemas[schema] {
			continue
		}
		if r.st.isTopic(name) {
			return &StatementError{
				Message: "topic " + name + " has a dot in its name",
				Hint:    `write it in double quotes: "` + name + `"`,
			}
		}
		return &StatementError{
			Message: "there is no schema " + schema + " for " + name,
			Hint:    r.topicsHint(r.st.ctx),
		}
	}
	return nil
}

// schemas are DuckDB's own.
var schemas = map[string]bool{
	"main": true, "memory": true, "temp": true, "system": true, "information_schema": true,
	"pg_catalog": true,
}

// makeViews makes views of the topics that are called like files: DuckDB would look for the file
// before it asks about topics.
func (r *Result) makeViews(text string) error {
	if !strings.Contains(text, ".") {
		return nil
	}
	names, err := r.db.src.Topics(r.st.ctx)
	if err != nil {
		return err
	}
	for _, n := range names {
		if !strings.Contains(n, ".") || !strings.Contains(text, `"`+n+`"`) {
			continue
		}
		// The number 0 is no reference's: such a scan is not pruned.
		view := `CREATE OR REPLACE TEMP VIEW "` + n + `" AS FROM ` + scanFunction + `('` + n + `', 0)`
		err := r.db.exec(view)
		if err != nil {
			return refused(err.Error())
		}
	}
	return nil
}

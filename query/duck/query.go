//go:build cgo

package duck

import (
	"context"
	"errors"
	"fmt"
	"strings"

	duckdb "github.com/duckdb/duckdb-go-bindings"
)

// Query runs one statement. The Result must be closed, also after an error of Next. A statement
// that DuckDB refuses is a *StatementError; when ctx is done, its error is returned.
func (d *DB) Query(ctx context.Context, text string) (*Result, error) {
	select {
	case d.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r := &Result{db: d, st: newStatement(ctx, d.src, d.o)}
	d.st.Store(r.st)
	r.watch(ctx)
	if err := r.start(text); err != nil {
		err = r.explain(ctx, err)
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// start plans and begins the statement.
func (r *Result) start(text string) error {
	if err := r.checkNames(text); err != nil {
		return err
	}
	if err := r.makeViews(text); err != nil {
		return err
	}
	var parsed duckdb.ExtractedStatements
	n := duckdb.ExtractStatements(r.db.conn, text, &parsed)
	defer duckdb.DestroyExtracted(&parsed)
	switch {
	case n == 0 && duckdb.ExtractStatementsError(parsed) != "":
		return refused(duckdb.ExtractStatementsError(parsed))
	case n != 1:
		return &StatementError{
			Message: fmt.Sprintf("want one SQL statement, have %d", n),
			Hint:    "run them one by one; a PIVOT counts as two unless it names its values with IN",
		}
	}
	if err := r.db.exec("BEGIN TRANSACTION READ ONLY"); err != nil {
		return err
	}
	r.began = true
	r.planBounds(text)
	return r.execute(parsed)
}

// planBounds reads the bounds of each scan from the optimized plan. What cannot be planned so is
// not pruned; a wrong statement gets its error when it is prepared for the run. The options that
// skip defaults are not used: they drop the column index 0 from its list.
func (r *Result) planBounds(text string) {
	var res duckdb.Result
	defer duckdb.DestroyResult(&res)
	sql := "SELECT json_serialize_plan('" + strings.ReplaceAll(text, "'", "''") +
		"', optimize := true)::VARCHAR"
	if duckdb.Query(r.db.conn, sql, &res) == duckdb.StateError {
		return
	}
	plan, ok := firstText(&res)
	if !ok {
		return
	}
	if bounds, err := planBounds([]byte(plan)); err == nil {
		r.st.setBounds(bounds)
	}
}

func (r *Result) execute(parsed duckdb.ExtractedStatements) error {
	r.st.replan()
	var prepared duckdb.PreparedStatement
	defer duckdb.DestroyPrepare(&prepared)
	state := duckdb.PrepareExtractedStatement(r.db.conn, parsed, 0, &prepared)
	if state == duckdb.StateError {
		return refused(duckdb.PrepareError(prepared))
	}
	if duckdb.NParams(prepared) > 0 {
		return &StatementError{Message: "the statement has parameters", Hint: "write the values in place"}
	}
	r.st.replan() // a statement with now() is bound once more
	var pending duckdb.PendingResult
	defer duckdb.DestroyPending(&pending)
	if duckdb.PendingPreparedStreaming(prepared, &pending) == duckdb.StateError {
		return refused(duckdb.PendingError(pending))
	}
	if duckdb.ExecutePending(pending, &r.res) == duckdb.StateError {
		return refused(duckdb.ResultError(&r.res))
	}
	return r.readSchema()
}

// refused is DuckDB's message without its guesses at system tables.
func refused(message string) error {
	lines := strings.Split(message, "\n")
	kept := lines[:0]
	for _, l := range lines {
		if !strings.HasPrefix(l, "Did you mean \"") {
			kept = append(kept, l)
		}
	}
	return &StatementError{Message: strings.Join(kept, "\n")}
}

// explain prefers the cause that callbacks saw, and adds the next step: how to write the one column
// whose name SQL has taken, or which tables there are.
func (r *Result) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if cause := r.st.failure(); cause != nil {
		return cause
	}
	var se *StatementError
	if !errors.As(err, &se) || se.Hint != "" {
		return err
	}
	switch {
	case strings.HasPrefix(se.Message, `Parser Error: syntax error at or near "offset"`):
		se.Hint = `offset is a word of SQL: write the column in double quotes, "offset"`
	case namesTables(se.Message):
		se.Hint = r.topicsHint(ctx)
	}
	return err
}

func namesTables(message string) bool {
	return strings.HasPrefix(message, "Catalog Error: Table ") ||
		strings.HasPrefix(message, "Parser Error") || strings.HasPrefix(message, "Binder Error")
}

//go:build cgo

package duck

import (
	"errors"
	"fmt"
	"runtime/cgo"
	"strconv"
	"sync/atomic"

	duckdb "github.com/duckdb/duckdb-go-bindings"

	"github.com/varve-log/varve/query/table"
)

// DB is an in-memory DuckDB whose tables are the topics of a source.
type DB struct {
	src    table.Source
	o      Options
	db     duckdb.Database
	conn   duckdb.Connection
	handle cgo.Handle                // of the DB, for DuckDB's callbacks
	turn   chan struct{}             // holds one token while a statement runs
	st     atomic.Pointer[statement] // the one that runs
}

// Open starts a DuckDB over src, which stays open when the DB is closed.
func Open(src table.Source, o Options) (*DB, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	d := &DB{src: src, o: o, turn: make(chan struct{}, 1)}
	if err := d.connect(); err != nil {
		return nil, err
	}
	d.handle = cgo.NewHandle(d)
	if err := d.prepare(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (d *DB) connect() error {
	var config duckdb.Config
	if duckdb.CreateConfig(&config) == duckdb.StateError {
		return errors.New("duckdb has no memory for its settings")
	}
	defer duckdb.DestroyConfig(&config)
	for _, s := range [][2]string{
		{"threads", strconv.Itoa(d.o.Threads)},
		{"memory_limit", strconv.FormatInt(d.o.MemoryBytes, 10) + "B"},
		{"temp_directory", d.o.TempDir},
		{"max_temp_directory_size", strconv.FormatInt(d.o.TempBytes, 10) + "B"},
		{"enable_external_access", "false"},
		{"autoinstall_known_extensions", "false"},
		{"autoload_known_extensions", "false"},
		{"allow_community_extensions", "false"},
	} {
		if duckdb.SetConfig(config, s[0], s[1]) == duckdb.StateError {
			return fmt.Errorf("duckdb refuses its setting %s = %q", s[0], s[1])
		}
	}
	var message string
	if duckdb.OpenExt("", &d.db, config, &message) == duckdb.StateError {
		return fmt.Errorf("open duckdb: %s", message)
	}
	if duckdb.Connect(d.db, &d.conn) == duckdb.StateError {
		duckdb.Close(&d.db)
		return errors.New("duckdb refuses a connection")
	}
	return nil
}

// prepare registers topics and closes the sandbox.
func (d *DB) prepare() error {
	if err := register(d.db, d.conn, d.handle); err != nil {
		return err
	}
	for _, s := range []string{"SET TimeZone = 'UTC'", "SET lock_configuration = true"} {
		if err := d.exec(s); err != nil {
			return fmt.Errorf("set up duckdb: %w", err)
		}
	}
	return nil
}

// exec runs a statement without a result.
func (d *DB) exec(statement string) error {
	var res duckdb.Result
	defer duckdb.DestroyResult(&res)
	if duckdb.Query(d.conn, statement, &res) == duckdb.StateError {
		return errors.New(duckdb.ResultError(&res))
	}
	return nil
}

// current is the statement that runs, for callbacks; nil between statements.
func (d *DB) current() *statement { return d.st.Load() }

// Close waits for the Result that is open and frees DuckDB.
func (d *DB) Close() error {
	d.turn <- struct{}{}
	duckdb.Disconnect(&d.conn)
	duckdb.Close(&d.db)
	d.handle.Delete()
	return nil
}

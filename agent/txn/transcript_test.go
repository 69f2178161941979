package txn

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/varve-log/varve/agent/coordinator"
	"github.com/varve-log/varve/kafka"
)

// start is the clock of every transcript at its beginning, 1000 s after the epoch.
var start = time.UnixMilli(1_000_000)

// Each transcript is a story told to one machine: what is asked, then what the machine asks for.
func TestTranscripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		w := &world{
			t: t, now: start, cfg: DefaultConfig(), sending: map[string]*WriteMarkers{},
		}
		w.machine = New(w.cfg, 7)
		w.machine.Loaded(w.now)
		datadriven.RunTest(t, path, w.run)
	})
}

type world struct {
	t       *testing.T
	cfg     Config
	now     time.Time
	machine *Machine
	log     []coordinator.Record
	token   coordinator.Token
	sending map[string]*WriteMarkers
}

func (w *world) run(t *testing.T, d *datadriven.TestData) string {
	w.token++
	m, to := w.machine, w.token
	switch d.Cmd {
	case "config":
		return w.configure(d)
	case "give":
		var id int64
		d.ScanArgs(t, "id", &id)
		m.GiveProducerID(kafka.ProducerID(id))
		return ""
	case "replay":
		return w.replay(d)
	case "init":
		return w.show(m.InitProducerID(w.now, to, InitProducerID{
			ID: idOf(d), Timeout: time.Duration(number(d, "timeout", 60_000)) * time.Millisecond,
			Expected: expected(d), TwoPhase: d.HasArg("2pc"), KeepPrepared: d.HasArg("keep"),
		}))
	case "add":
		return w.show(m.AddPartitions(w.now, to, AddPartitions{
			ID: idOf(d), Producer: producer(d), Partitions: partitions(d),
			Version: Version(number(d, "v", 0)),
		}))
	case "verify":
		return w.show(m.VerifyPartitions(w.now, to, VerifyPartitions{
			ID: idOf(d), Producer: producer(d), Partitions: partitions(d),
		}))
	case "commit", "abort":
		return w.show(m.End(w.now, to, End{
			ID: idOf(d), Producer: producer(d), Commit: d.Cmd == "commit",
			Version: Version(number(d, "v", 0)),
		}))
	case "marked":
		of := w.sending[idOf(d)]
		if d.HasArg("late") {
			of = &WriteMarkers{ID: idOf(d)}
		}
		return w.show(m.MarkersWritten(w.now, of, partitions(d)))
	case "advance":
		by, err := time.ParseDuration(d.CmdArgs[0].Key)
		if err != nil {
			t.Fatal(err)
		}
		w.now = w.now.Add(by)
		return w.show(m.Tick(w.now))
	case "describe":
		return w.show(m.Describe(w.now, to, idOf(d)))
	case "list":
		return w.list(d)
	case "reload":
		return w.reload()
	}
	t.Fatalf("unknown command %s", d.Cmd)
	return ""
}

func (w *world) configure(d *datadriven.TestData) string {
	for _, a := range d.CmdArgs {
		v, err := time.ParseDuration(a.SingleVal(w.t))
		switch a.Key {
		case "two-phase":
			w.cfg.TwoPhase, err = a.SingleVal(w.t) == "true", nil
		case "wait":
			w.cfg.ConcurrentWait = v
		case "expiration":
			w.cfg.IDExpiration = v
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	w.machine.cfg = w.cfg
	return ""
}

// replay puts an id into a state that would take long to reach.
func (w *world) replay(d *datadriven.TestData) string {
	state := Empty
	for _, a := range d.CmdArgs {
		if a.Key == "state" {
			state, _ = StateOf(a.Vals[0])
		}
	}
	ms := kafka.TimestampOf(w.now)
	r := encode(idOf(d), &metadata{
		producer: producer(d), previousID: kafka.NoProducerID, nextID: kafka.NoProducerID,
		timeoutMs: 60_000, state: state, started: ms, updated: ms,
		partitions: partitionSet{}.plus(partitions(d)), version: Version(number(d, "v", 2)),
	})
	w.log = append(w.log, r)
	if err := w.machine.Replay(coordinator.Stored{Record: r}); err != nil {
		w.t.Fatal(err)
	}
	return ""
}

func (w *world) reload() string {
	w.machine = replayed(w.t, w.cfg, w.log)
	return w.show(w.machine.Loaded(w.now))
}

// replayed is the machine that a restart makes of a log.
func replayed(t testing.TB, cfg Config, log []coordinator.Record) *Machine {
	t.Helper()
	m := New(cfg, 8)
	for i, r := range log {
		if err := m.Replay(coordinator.Stored{Record: r, Offset: kafka.Offset(i)}); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (w *world) list(d *datadriven.TestData) string {
	q := ListRequest{Duration: time.Duration(number(d, "duration", -1)) * time.Millisecond}
	if number(d, "duration", -1) < 0 {
		q.Duration = -1
	}
	for _, a := range d.CmdArgs {
		switch a.Key {
		case "states":
			q.States = a.Vals
		case "pattern":
			q.Pattern = a.Vals[0]
		case "pid":
			q.ProducerIDs = []kafka.ProducerID{kafka.ProducerID(number(d, "pid", 0))}
		}
	}
	f, err := NewFilter(q)
	if err != nil {
		return err.Error() + "\n"
	}
	var out strings.Builder
	for _, l := range w.machine.List(w.now, f) {
		fmt.Fprintf(&out, "%s %d %s\n", l.ID, l.ProducerID, l.State)
	}
	if len(f.Unknown) > 0 {
		fmt.Fprintf(&out, "unknown states: %v\n", f.Unknown)
	}
	return out.String()
}

// show prints effects and keeps the records.
func (w *world) show(eff coordinator.Effects) string {
	w.log = append(w.log, eff.Records...)
	var out strings.Builder
	for _, r := range eff.Records {
		fmt.Fprintf(&out, "record %s\n", w.record(r))
	}
	for _, r := range eff.Replies {
		late := ""
		if r.To != w.token {
			late = fmt.Sprintf(" (to %d)", r.To)
		}
		fmt.Fprintf(&out, "reply%s %s\n", late, value(r))
	}
	for _, a := range eff.Actions {
		switch a := a.(type) {
		case *WriteMarkers:
			w.sending[a.ID] = a
			kind := "abort"
			if a.Commit {
				kind = "commit"
			}
			fmt.Fprintf(&out, "markers %s %s %s v%d coordinator epoch %d: %s\n", a.ID, kind,
				pe(a.Producer), a.Version, a.CoordinatorEpoch, names(a.Partitions))
		case NeedProducerID:
			fmt.Fprintf(&out, "needs a producer id\n")
		}
	}
	if due := w.machine.Due(); !due.IsZero() {
		fmt.Fprintf(&out, "due in %s\n", due.Sub(w.now))
	}
	return out.String()
}

func (w *world) record(r coordinator.Record) string {
	id, err := decodeKey(r.Key)
	if err != nil {
		w.t.Fatal(err)
	}
	if r.Value == nil {
		return id + " tombstone"
	}
	m, err := decode(r.Value)
	if err != nil {
		w.t.Fatal(err)
	}
	return id + " " + m.text()
}

// text is everything that a record holds.
func (m *metadata) text() string {
	s := fmt.Sprintf("%s %s v%d", m.state, pe(m.producer), m.version)
	if m.previousID != kafka.NoProducerID {
		s += fmt.Sprintf(" previous %d", m.previousID)
	}
	if m.nextID != kafka.NoProducerID {
		s += fmt.Sprintf(" next %d", m.nextID)
	}
	if len(m.partitions) > 0 {
		s += " on " + names(m.partitions.sorted())
	}
	if m.started != kafka.NoTimestamp {
		s += fmt.Sprintf(" started %s", time.UnixMilli(int64(m.started)).Sub(start))
	}
	return s + fmt.Sprintf(" timeout %dms updated %s", m.timeoutMs,
		time.UnixMilli(int64(m.updated)).Sub(start))
}

func value(r coordinator.Reply) string {
	switch v := r.Value.(type) {
	case coordinator.Producer:
		return pe(v)
	case []error:
		var out []string
		for _, err := range v {
			if err == nil {
				err = errors.New("ok")
			}
			out = append(out, err.Error())
		}
		return strings.Join(out, ", ")
	case Description:
		return fmt.Sprintf("%s %s %s timeout %s started %s: %s", v.ID, v.State, pe(v.Producer),
			v.Timeout, started(v.Started), names(v.Partitions))
	}
	if r.Err != nil {
		return "refused: " + r.Err.Error()
	}
	return "ok"
}

func started(ts kafka.Timestamp) string {
	if ts == kafka.NoTimestamp {
		return "never"
	}
	return time.UnixMilli(int64(ts)).Sub(start).String()
}

func pe(p coordinator.Producer) string { return fmt.Sprintf("%d/%d", p.ID, p.Epoch) }

func names(ps []Partition) string {
	var out []string
	for _, p := range ps {
		out = append(out, fmt.Sprintf("%s-%d", p.Topic, p.Partition))
	}
	return strings.Join(out, " ")
}

func idOf(d *datadriven.TestData) string {
	for _, a := range d.CmdArgs {
		if a.Key == "id" {
			return a.Vals[0]
		}
	}
	return ""
}

func number(d *datadriven.TestData, key string, or int64) int64 {
	for _, a := range d.CmdArgs {
		if a.Key == key {
			n, err := strconv.ParseInt(a.Vals[0], 10, 64)
			if err != nil {
				panic(err)
			}
			return n
		}
	}
	return or
}

func expected(d *datadriven.TestData) *coordinator.Producer {
	if !d.HasArg("p") {
		return nil
	}
	p := producer(d)
	return &p
}

func producer(d *datadriven.TestData) coordinator.Producer {
	for _, a := range d.CmdArgs {
		if a.Key == "p" {
			id, epoch, _ := strings.Cut(a.Vals[0], "/")
			i, _ := strconv.ParseInt(id, 10, 64)
			e, _ := strconv.ParseInt(epoch, 10, 16)
			return coordinator.Producer{ID: kafka.ProducerID(i), Epoch: int16(e)}
		}
	}
	return coordinator.Producer{}
}

// partitions are the lines of the input, "topic-number".
func partitions(d *datadriven.TestData) []Partition {
	set := partitionSet{}
	for _, f := range strings.Fields(d.Input) {
		i := strings.LastIndexByte(f, '-')
		n, err := strconv.ParseInt(f[i+1:], 10, 32)
		if err != nil {
			panic(err)
		}
		set[Partition{f[:i], int32(n)}] = struct{}{}
	}
	return set.sorted()
}

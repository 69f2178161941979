package bucket

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/mem"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/query"
	"github.com/varve-log/varve/query/arrowrec"
	"github.com/varve-log/varve/query/duck"
	"github.com/varve-log/varve/query/output"
	"github.com/varve-log/varve/query/table"
	"github.com/varve-log/varve/segment"
	"github.com/varve-log/varve/tiering/replay"
)

const (
	partitions = 5
	segments   = 4
	records    = 200 // of a segment
	start      = 978307200000
	day        = 24 * 3600_000
)

// sealedBucket makes a bucket with the topic flights: 5 partitions of 4 sealed segments whose
// timestamps are out of order within their day.
func sealedBucket(t *testing.T) objstore.Store {
	t.Helper()
	store := mem.New()
	c, err := catalog.Open(t.Context(), store, catalog.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, err = c.Register(t.Context(), cluster.RegisterAgent{
		Agent: cluster.Agent{
			ID: 1, DiskUUID: "disk", Advertised: "localhost:9092", FormatMax: cluster.Format,
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	topic := cluster.CreateTopic{
		ID: catalog.NewTopicID(), Name: "flights",
		Configs:     map[string]string{formatConfig: "json"},
		Assignments: [][]int32{{1}, {1}, {1}, {1}, {1}},
	}
	if _, err := c.Commit(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	for p := range int32(partitions) {
		tp := kafka.TopicPartition{Topic: topic.ID, Partition: p}
		for s := range segments {
			seal(t, store, c.Partition(tp), s)
		}
	}
	return store
}

// seal adds one segment to a partition.
func seal(t *testing.T, store objstore.Store, pm *catalog.PartitionManifest, s int) {
	t.Helper()
	tp := pm.TP()
	base := kafka.Offset(s * records)
	var data []byte
	b := record.NewBuilder(record.Zstd)
	for i := range records {
		o := int64(base) + int64(i)
		v := fmt.Appendf(nil, `{"origin":"A%d","n":%d}`, o%3, o)
		b.Append(kafka.Timestamp(start+int64(s)*day+o*7919%24*3600_000), []byte("k"), v)
		if (i+1)%50 == 0 {
			batch, err := b.Build()
			if err != nil {
				t.Fatal(err)
			}
			batch.SetBaseOffset(base + kafka.Offset(i-49))
			batch.SetLeaderEpoch(0)
			data = append(data, batch...)
			b.Reset()
		}
	}
	id := segment.ID{Topic: tp.Topic, Partition: tp.Partition, BaseOffset: base}
	sealed, err := segment.Seal(bytes.NewReader(data), int64(len(data)), id, segment.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m := sealed.Meta
	e := manifest.Entry{
		BaseOffset: m.BaseOffset, NextOffset: m.NextOffset, UID: catalog.NewUID(), Bytes: sealed.Size(),
		DataBytes: m.DataBytes, FooterBytes: m.FooterBytes, CRC32C: sealed.CRC32C, Records: m.Records,
		Batches: m.Batches, MinTimestamp: m.MinTimestamp, MaxTimestamp: m.MaxTimestamp,
		Format: m.FormatVersion,
	}
	body := objstore.Body{Reader: sealed.Body(), Size: sealed.Size()}
	if _, err := store.Put(t.Context(), e.Key(tp), body, objstore.Condition{}); err != nil {
		t.Fatal(err)
	}
	_, err = pm.Edit(t.Context(), func(h manifest.Head) (manifest.Head, error) {
		return h.AddSegment(manifest.Segment{Entry: e, Epochs: m.Epochs}, 0)
	})
	if err != nil {
		t.Fatal(err)
	}
}

func openSource(t *testing.T, store objstore.Store) *Source {
	t.Helper()
	src, err := Open(t.Context(), store, replay.DefaultConfig())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = src.Close() })
	return src
}

// run returns what a statement prints as ndjson.
func run(t *testing.T, src table.Source, statement string) (string, duck.Report) {
	t.Helper()
	var out bytes.Buffer
	rep, err := query.Run(t.Context(), src, statement, &out, query.Options{Format: output.JSON})
	if errors.Is(err, duck.ErrNeedsCgo) {
		t.Skip("query tests need a C compiler: build with CGO_ENABLED=1")
	}
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return strings.TrimSpace(out.String()), rep
}

func TestQueryOverBucket(t *testing.T) {
	src := openSource(t, sealedBucket(t))
	for _, c := range []struct {
		statement, want string
		gets            int64 // most GETs of segments and footers
	}{
		{"SELECT count(*) AS n FROM flights", `{"n":4000}`, 40},
		{
			`SELECT value->>'origin' AS o, count(*) AS n FROM flights GROUP BY o ORDER BY o`,
			`{"o":"A0","n":1335}` + "\n" + `{"o":"A1","n":1335}` + "\n" + `{"o":"A2","n":1330}`, 40,
		},
		{`SELECT count(*) AS n, min("timestamp") AS t FROM flights WHERE "timestamp" >= '2001-01-03'
			AND "timestamp" < '2001-01-04'`, `{"n":1000,"t":"2001-01-03T00:00:00Z"}`, 10},
		{`SELECT "offset", value FROM flights WHERE "partition" = 2 AND "offset" BETWEEN 399 AND 400
			ORDER BY ALL`, `{"offset":399,"value":{"origin":"A0","n":399}}` + "\n" +
			`{"offset":400,"value":{"origin":"A1","n":400}}`, 4},
		{`SELECT count(*) AS n FROM flights a JOIN flights b USING ("partition", "offset")
			WHERE a."offset" < 5 AND b."partition" = 1`, `{"n":5}`, 20},
	} {
		before := src.Traffic().GETs
		got, rep := run(t, src, c.statement)
		if got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.statement, got, c.want)
		}
		if gets := rep.Traffic.GETs - before; gets > c.gets+partitions {
			t.Errorf("%s: %d GETs, want at most %d", c.statement, gets, c.gets+partitions)
		}
	}
}

// Records below the log start offset lie in a sealed object still, and must not be shown.
func TestLogStartOffsetIsHonoured(t *testing.T) {
	store := sealedBucket(t)
	c, err := catalog.Open(t.Context(), store, catalog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	topic, _ := c.State().Topic("flights")
	tp := kafka.TopicPartition{Topic: topic.ID, Partition: 3}
	_, err = c.Partition(tp).Edit(t.Context(), func(h manifest.Head) (manifest.Head, error) {
		return h.MoveLogStart(250, 0, time.UnixMilli(start))
	})
	if err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	src := openSource(t, store)
	got, _ := run(t, src, `SELECT min("offset") AS first, count(*) AS n
		FROM flights WHERE "partition" = 3`)
	if want := `{"first":250,"n":550}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// A batch reader feeds `varve replay -o arrow` with what query reads.
func TestBatchesToArrow(t *testing.T) {
	src := openSource(t, sealedBucket(t))
	topic, err := src.Topic(t.Context(), "flights")
	if err != nil {
		t.Fatal(err)
	}
	tp := kafka.TopicPartition{Topic: topic.ID, Partition: 1}
	offsets := kafka.OffsetRange{Base: 190, Next: 610}
	batches, err := src.Batches(t.Context(), tp, offsets)
	if err != nil {
		t.Fatal(err)
	}
	r := arrowrec.NewReader(1, batches, arrowrec.Options{Format: table.JSON, Offsets: offsets})
	rows := int64(0)
	for {
		rec, err := r.Next(context.Background())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		rows += rec.NumRows()
	}
	if rows != 420 {
		t.Errorf("%d rows, want 420", rows)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestOpenSaysWhatIsMissing(t *testing.T) {
	_, err := Open(t.Context(), mem.New(), replay.DefaultConfig())
	if !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

package hotlog

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/varve-log/varve/internal/vfs"
	"github.com/varve-log/varve/kafka"
	"github.com/varve-log/varve/kafka/record"
	"github.com/varve-log/varve/segment"
)

func verifiedLog(t *testing.T, o Opening) *Log {
	t.Helper()
	l, err := Open(vfs.NewMem(), testDir, DefaultConfig(), o, Deps{Files: NewFileSet(4)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func txnBatch(t *testing.T, id kafka.ProducerID, epoch int16, seq int32) record.Batch {
	t.Helper()
	b := record.NewBuilder(record.None)
	b.SetProducer(id, epoch, seq)
	b.Transactional = true
	b.Append(1, nil, []byte("value"))
	out, err := b.Build()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func appendWith(t *testing.T, l *Log, b []byte, o AppendOptions) {
	t.Helper()
	if _, err := l.Append(b, 0, o); err != nil {
		t.Fatal(err)
	}
}

func wantRefused(t *testing.T, l *Log, b []byte, o AppendOptions, want error) {
	t.Helper()
	if _, err := l.Append(b, 0, o); !errors.Is(err, want) {
		t.Fatalf("%v, want %v", err, want)
	}
}

func begin(t *testing.T, l *Log, b record.Batch, bumps bool) AppendOptions {
	t.Helper()
	g, err := l.BeginVerification(b.ProducerID(), b.ProducerEpoch(), b.BaseSequence(), bumps)
	if err != nil {
		t.Fatal(err)
	}
	return AppendOptions{Verified: true, Guard: g}
}

func TestATransactionBeginsWithItsGuardOnly(t *testing.T) {
	l := verifiedLog(t, Opening{})
	first := txnBatch(t, 7, 0, 0)
	wantRefused(t, l, first, AppendOptions{Verified: true}, ErrNotVerified)
	shown := begin(t, l, first, false)
	wantRefused(t, l, first, AppendOptions{Verified: true, Guard: shown.Guard + 1}, ErrNotVerified)
	appendWith(t, l, first, shown)
	// From now on the transaction is open here.
	second := txnBatch(t, 7, 0, 1)
	if o := begin(t, l, second, false); o.Guard != NoGuard {
		t.Fatal("a guard for a transaction that is open")
	}
	appendWith(t, l, second, AppendOptions{Verified: true})
	// The guard is used up, also after the end.
	appendWith(t, l, record.NewMarker(record.Commit, 7, 0, 1, 1), AppendOptions{})
	wantRefused(t, l, txnBatch(t, 7, 0, 2), shown, ErrNotVerified)
}

// The race of KIP-890: verified, then aborted, then appended.
func TestAMarkerEndsAVerification(t *testing.T) {
	l := verifiedLog(t, Opening{})
	b := txnBatch(t, 7, 0, 0)
	shown := begin(t, l, b, false)
	appendWith(t, l, record.NewMarker(record.Abort, 7, 0, 1, 1), AppendOptions{})
	wantRefused(t, l, b, shown, ErrNotVerified)
	again := begin(t, l, b, false)
	if again.Guard == shown.Guard {
		t.Fatal("the same guard twice")
	}
	appendWith(t, l, b, again)
}

// With version 2 the producer's next transaction has the epoch of the marker before it, which may come
// while the next one is being verified.
func TestTheMarkerBeforeLeavesTheNextVerification(t *testing.T) {
	l := verifiedLog(t, Opening{})
	b := txnBatch(t, 7, 0, 0)
	appendWith(t, l, b, begin(t, l, b, true))
	next := txnBatch(t, 7, 1, 0)
	shown := begin(t, l, next, true)
	appendWith(t, l, record.NewMarker(record.Commit, 7, 1, 1, 1), AppendOptions{TransactionVersion: 2})
	appendWith(t, l, next, shown)
}

func TestNothingOvertakesWhatIsBeingVerified(t *testing.T) {
	l := verifiedLog(t, Opening{})
	first, second := txnBatch(t, 7, 0, 0), txnBatch(t, 7, 0, 1)
	shown := begin(t, l, first, false)
	begin(t, l, second, false)
	wantRefused(t, l, second, shown, ErrOutOfOrderSequence)
	appendWith(t, l, first, shown)
	appendWith(t, l, second, AppendOptions{Verified: true})
	// A version 2 producer that is not known begins at 0.
	late := txnBatch(t, 8, 0, 5)
	wantRefused(t, l, late, begin(t, l, late, true), ErrOutOfOrderSequence)
	old := txnBatch(t, 9, 0, 5)
	appendWith(t, l, old, begin(t, l, old, false))
}

func TestOlderEpochsAreFenced(t *testing.T) {
	l := verifiedLog(t, Opening{})
	appendWith(t, l, record.NewMarker(record.Abort, 7, 3, 1, 1), AppendOptions{})
	old := txnBatch(t, 7, 2, 0)
	if _, err := l.BeginVerification(7, 2, 0, false); !errors.Is(err, ErrInvalidProducerEpoch) {
		t.Fatal(err)
	}
	wantRefused(t, l, old, AppendOptions{Verified: true}, ErrInvalidProducerEpoch)
	wantRefused(t, l, record.NewMarker(record.Abort, 7, 2, 1, 1), AppendOptions{}, ErrInvalidProducerEpoch)
	wantRefused(t, l, record.NewMarker(record.Abort, 7, 3, 0, 1), AppendOptions{}, ErrTxnCoordinatorFenced)
}

// A late marker of version 2 has the epoch of the transaction that runs; one that is repeated after the
// end has it, too, and does no harm.
func TestMarkersOfVersion2(t *testing.T) {
	l := verifiedLog(t, Opening{})
	v2 := AppendOptions{TransactionVersion: 2}
	appendWith(t, l, txnBatch(t, 7, 4, 0), AppendOptions{})
	wantRefused(t, l, record.NewMarker(record.Commit, 7, 4, 1, 1), v2, ErrInvalidProducerEpoch)
	appendWith(t, l, record.NewMarker(record.Commit, 7, 5, 1, 1), v2)
	appendWith(t, l, record.NewMarker(record.Commit, 7, 5, 1, 1), v2)
	wantRefused(t, l, record.NewMarker(record.Commit, 7, 4, 1, 1), v2, ErrInvalidProducerEpoch)
	appendWith(t, l, txnBatch(t, 8, math.MaxInt16, 0), AppendOptions{})
	appendWith(t, l, record.NewMarker(record.Abort, 8, math.MaxInt16, 1, 1), v2)
	if l.StableOffset(l.LogEndOffset()) != l.LogEndOffset() {
		t.Fatal("a transaction is still open")
	}
}

func TestVerificationsAreBounded(t *testing.T) {
	l := verifiedLog(t, Opening{})
	for id := range kafka.ProducerID(verifyingMax + 10) {
		begin(t, l, txnBatch(t, id, 0, 0), false)
	}
	if n := len(l.verifying); n != verifyingMax {
		t.Fatalf("%d verifications are kept", n)
	}
	l.mu.Lock()
	l.expireVerificationsLocked(time.Now().Add(time.Hour).UnixMilli())
	l.mu.Unlock()
	if n := len(l.verifying); n != 0 {
		t.Fatalf("%d verifications do not expire", n)
	}
}

// What was sealed has ended: a transaction that is open in the sealed producer state does not hold back
// the last stable offset of a log that goes on without its markers.
func TestSealedTransactionsHaveEnded(t *testing.T) {
	open := Opening{StartOffset: 100, Producers: []segment.ProducerState{{
		ProducerID: 7, Epoch: 2, LastSequence: 9, LastOffset: 99, CurrentTxnFirstOffset: 90,
		CoordinatorEpoch: 1,
	}}}
	l := verifiedLog(t, open)
	if got := l.StableOffset(100); got != 100 {
		t.Fatalf("last stable offset %d", got)
	}
	// The marker comes late, and the producer is fenced as before.
	appendWith(t, l, record.NewMarker(record.Abort, 7, 3, 2, 1), AppendOptions{TransactionVersion: 2})
	wantRefused(t, l, txnBatch(t, 7, 2, 10), AppendOptions{}, ErrInvalidProducerEpoch)
	if got := l.AbortedIn(kafka.OffsetRange{Base: 0, Next: 1000}); len(got) != 0 {
		t.Fatalf("aborted %v", got)
	}
	if err := l.Reset(open); err != nil {
		t.Fatal(err)
	}
	if got := l.StableOffset(100); got != 100 {
		t.Fatalf("last stable offset %d after a reset", got)
	}
}

func TestOpenTransactionsAreCounted(t *testing.T) {
	l := verifiedLog(t, Opening{})
	later := time.Now().Add(time.Hour)
	if n, _ := l.OpenTransactions(later); n != 0 {
		t.Fatal(n)
	}
	appendWith(t, l, txnBatch(t, 7, 0, 0), AppendOptions{})
	appendWith(t, l, txnBatch(t, 8, 0, 0), AppendOptions{})
	appendWith(t, l, record.NewMarker(record.Commit, 8, 0, 1, 1), AppendOptions{})
	if n, since := l.OpenTransactions(later); n != 1 || since.IsZero() {
		t.Fatal(n, since)
	}
	if n, _ := l.OpenTransactions(time.Now().Add(-time.Hour)); n != 0 {
		t.Fatal(n)
	}
}

package progress

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestDescribe(t *testing.T) {
	at := time.Unix(0, 0)
	tests := []struct {
		name    string
		history []sample
		want    string
	}{
		{"first look", []sample{{at: at, part: -1}}, "produce  0 records  0/s  0 B/s"},
		{
			"half done",
			[]sample{{at, 0, 0, 0}, {at.Add(2 * time.Second), 500_000, 50 << 20, 0.5}},
			"produce [============            ]  50%  500,000 records  250,000/s  25.0 MiB/s  2 s left",
		},
		{
			"done",
			[]sample{{at, 0, 0, 0}, {at.Add(time.Second), 10, 10, 1.2}},
			"produce [========================] 100%  10 records  10/s  10 B/s",
		},
	}
	for _, test := range tests {
		if got := describe("produce", test.history); got != test.want {
			t.Errorf("%s:\ngot  %q\nwant %q", test.name, got, test.want)
		}
	}
}

// A bar leaves a clean line behind, and draws nothing where nobody looks.
func TestDraw(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen strings.Builder
		b := New(&screen, Options{Verb: "replay", Draw: true, Total: 100})
		b.Add(40, 4000)
		wait := time.NewTimer(2 * redrawEvery)
		<-wait.C
		synctest.Wait()
		b.Done()
		b.Done()
		if text := screen.String(); !strings.Contains(text, "40%") || !strings.HasSuffix(text, " \r") {
			t.Errorf("got %q", text)
		}
		if records, bytes := b.Totals(); records != 40 || bytes != 4000 {
			t.Errorf("counted %d records, %d bytes", records, bytes)
		}
	})
	quiet := New(io.Discard, Options{})
	quiet.Add(1, 1)
	quiet.Done()
}

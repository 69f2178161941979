package render

import (
	"strings"
	"testing"
	"time"
)

func TestTable(t *testing.T) {
	table := NewTable("NAME", "COUNT", "RANGE")
	table.Row("äpfel", 3, "-")
	table.Row("b", 12345, "0-10")
	var b strings.Builder
	if err := table.Write(&b); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"NAME   COUNT  RANGE\n" +
		"äpfel      3  -\n" +
		"b      12345  0-10\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", &b, want)
	}
}

func TestWords(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{Bytes(0), "0 B"},
		{Bytes(999), "999 B"},
		{Bytes(1000), "0.98 KiB"},
		{Bytes(1536), "1.50 KiB"},
		{Bytes(12 << 30), "12.0 GiB"},
		{Bytes(3 << 60), "3072 PiB"},
		{Count(0), "0"},
		{Count(999), "999"},
		{Count(3_000_000), "3,000,000"},
		{Count(-1234), "-1,234"},
		{Seconds(1500 * time.Microsecond), "1.50 ms"},
		{Seconds(12300 * time.Millisecond), "12.3 s"},
		{Seconds(250 * time.Second), "4m10s"},
		{Seconds(3*time.Hour + 2*time.Minute), "3h02m"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestJSON(t *testing.T) {
	var b strings.Builder
	if err := JSON(&b, map[string]string{"a": "<b>"}); err != nil {
		t.Fatal(err)
	}
	if b.String() != "{\n  \"a\": \"<b>\"\n}\n" {
		t.Errorf("got %q", &b)
	}
}

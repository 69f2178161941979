package compat

import (
	"bytes"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/varve-log/varve/agent"
)

// kcat runs the command of that name against an agent.
type kcat struct {
	path string
	a    *agent.Agent
}

func newKcat(t *testing.T) kcat {
	t.Helper()
	path, err := exec.LookPath("kcat")
	switch {
	case err != nil && os.Getenv("CI") == "true":
		t.Fatal("kcat is missing, which CI must have: apt-get install kcat")
	case err != nil:
		t.Skip("kcat is not installed: apt-get install kcat")
	}
	return kcat{path, start(t)}
}

// try runs kcat with in as its input.
func (k kcat) try(t *testing.T, in string, args ...string) (out, errs string, err error) {
	t.Helper()
	args = append([]string{"-b", k.a.Addr().String(), "-m", "10"}, args...)
	cmd := exec.CommandContext(testContext(t), k.path, args...)
	var o, e bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}

// run is try that must succeed.
func (k kcat) run(t *testing.T, in string, args ...string) string {
	t.Helper()
	out, errs, err := k.try(t, in, args...)
	if err != nil {
		t.Fatalf("kcat %s: %v\n%s", strings.Join(args, " "), err, errs)
	}
	return out
}

// read consumes to the end of partition 0.
func (k kcat) read(t *testing.T, topic, from, format string, more ...string) string {
	t.Helper()
	args := []string{"-C", "-t", topic, "-p", "0", "-o", from, "-e", "-q", "-f", format}
	return k.run(t, "", append(args, more...)...)
}

func TestKcatCodecs(t *testing.T) {
	k := newKcat(t)
	lines := strings.Repeat("a line that compresses well, well, well\n", 2000)
	codecs := []string{"none", "gzip", "snappy", "lz4", "zstd"}
	for _, codec := range codecs {
		k.run(t, lines, "-P", "-t", "codecs", "-z", codec)
		k.run(t, lines, "-P", "-t", "codecs", "-z", codec, "-X", "enable.idempotence=true")
	}
	if got := k.read(t, "codecs", "beginning", `%s\n`); got != strings.Repeat(lines, 10) {
		t.Errorf("consumed %d bytes, want %d", len(got), 10*len(lines))
	}
	if got, want := k.read(t, "codecs", "-2", `%o\n`), "19998\n19999\n"; got != want {
		t.Errorf("the last two: %q, want %q", got, want)
	}
}

func TestKcatKeysNullsAndHeaders(t *testing.T) {
	k := newKcat(t)
	k.run(t, "k1:v1\nk2:\n", "-P", "-t", "t", "-K:", "-Z", "-H", "h=1", "-H", "g")
	k.run(t, "no key\n", "-P", "-t", "t")
	want := "0 2 2 h=1,g=NULL\n1 2 -1 h=1,g=NULL\n2 -1 6 \n"
	if got := k.read(t, "t", "0", `%o %K %S %h\n`); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestKcatAcrossTheSeam(t *testing.T) {
	k := newKcat(t)
	seamTopic(t, k.a, "seam")
	var all strings.Builder
	for i := range records {
		all.WriteString(value(i) + "\n")
	}
	if got := k.read(t, "seam", "beginning", `%s\n`); got != all.String() {
		t.Errorf("consumed %d bytes, want %d", len(got), all.Len())
	}
	for _, c := range []struct{ from, want string }{
		{"10", "10\n"},
		{"s@1700000001500", "2\n"},    // between two records in the bucket
		{"s@1700002999000", "2999\n"}, // the last in the bucket
		{"s@1700002999001", "3000\n"}, // the first on the disk
		{"s@1700003999000", "3999\n"},
	} {
		if got := k.read(t, "seam", c.from, `%o\n`, "-c", "1"); got != c.want {
			t.Errorf("from %s: %q, want %q", c.from, got, c.want)
		}
	}
	for at, want := range map[string]string{
		"-1": "4000", "-2": "0", "1": "0", "1700001000000": "1000", "1800000000000": "-1",
	} {
		got := k.run(t, "", "-Q", "-t", "seam:0:"+at)
		if got != "seam [0] offset "+want+"\n" {
			t.Errorf("query %s: %q, want %s", at, got, want)
		}
	}
}

func TestKcatMetadata(t *testing.T) {
	k := newKcat(t)
	create(t, k.a, "t")
	addr := k.a.Addr().String()
	want := " 1 brokers:\n  broker 1 at " + addr + " (controller)\n 1 topics:\n" +
		"  topic \"t\" with 1 partitions:\n    partition 0, leader 1, replicas: 1, isrs: 1\n"
	got := k.run(t, "", "-L", "-t", "t")
	if _, rest, _ := strings.Cut(got, "\n"); rest != want {
		t.Errorf("got %q, want %q", rest, want)
	}
}

// What a client asks for in vain is refused at once and in words.
func TestKcatRefusals(t *testing.T) {
	k := newKcat(t)
	create(t, k.a, "t", "max.message.bytes", "1000")
	for name, c := range map[string]struct {
		in, want string
		args     []string
	}{
		"too large": {
			strings.Repeat("x", 5000), "Message size too large", []string{"-P", "-t", "t"},
		},
		"no such partition": {
			"", "partition 7 does not exist", []string{"-C", "-t", "t", "-p", "7", "-e"},
		},
	} {
		_, errs, err := k.try(t, c.in, c.args...)
		if err == nil || !strings.Contains(errs, c.want) {
			t.Errorf("%s: %v, %q", name, err, errs)
		}
	}
}

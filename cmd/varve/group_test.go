package main

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// Groups with members, of both protocols: they are shown with what they consume, and their offsets stay.
func TestGroupWithMembers(t *testing.T) {
	s := &session{t: t, dir: t.TempDir()}
	s.startAgent()
	s.run("varve topic create flights --partitions 3")
	s.stdin = "one\ntwo\nthree\n"
	s.run("varve produce flights --partition 1")
	for _, protocol := range []string{"classic", "consumer"} {
		t.Run(protocol, func(t *testing.T) {
			s.t = t
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			opts := []kgo.Opt{
				kgo.SeedBrokers(os.Getenv("VARVE_BOOTSTRAP")), kgo.ClientID("reader"), kgo.ConsumerGroup(protocol),
				kgo.ConsumeTopics("flights"), kgo.InstanceID("desk"),
				kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
			}
			if protocol == "consumer" {
				opts = append(opts, kgo.ServerSideBalancer())
			}
			client, err := kgo.NewClient(opts...)
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			for n := 0; n < 3; {
				n += client.PollFetches(ctx).NumRecords()
				if ctx.Err() != nil {
					t.Fatal("nothing to consume")
				}
			}
			if err := client.CommitUncommittedOffsets(ctx); err != nil {
				t.Fatal(err)
			}
			got := s.run("varve group describe " + protocol)
			for _, want := range []string{
				"type " + protocol + "  state Stable", "members 1  lag 0", "desk", "reader", "/127.0.0.1",
				"flights          1          3    3    0  ", "flights          2          -    0    -  ",
			} {
				if !strings.Contains(got, want) {
					t.Errorf("%q is not in\n%s", want, got)
				}
			}
			for _, line := range []string{
				"varve group reset " + protocol + " --topic flights --to-earliest --execute",
				"varve group delete --yes " + protocol,
			} {
				if got := s.run(line); !strings.Contains(got, "it has members") {
					t.Errorf("%s gave\n%s", line, got)
				}
			}
			if got := s.run("varve group list --type " + protocol); !strings.Contains(got, "Stable") {
				t.Errorf("listed as\n%s", got)
			}
		})
	}
}

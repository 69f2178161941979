package agent

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/catalog/cluster"
)

// A holder of the agent id on another disk must be silent for claimSilence before it is replaced.
const (
	claimSilence      = 10 * time.Second
	claimPause        = 500 * time.Millisecond
	claimProbeTimeout = 2 * time.Second
)

// answers reports whether an agent of this cluster answers at the holder's address.
func answers(ctx context.Context, holder *cluster.Agent, clusterID string) bool {
	ctx, cancel := context.WithTimeout(ctx, claimProbeTimeout)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(holder.Advertised), kgo.RequestRetries(0),
		kgo.RetryTimeout(claimProbeTimeout), kgo.DialTimeout(claimProbeTimeout))
	if err != nil {
		return false
	}
	defer client.Close()
	req := kmsg.NewPtrDescribeClusterRequest()
	res, err := req.RequestWith(ctx, client.SeedBrokers()[0])
	return err == nil && res.ClusterID == clusterID
}

// pause waits d, or not at all with skip, and tells when ctx has ended.
func pause(ctx context.Context, d time.Duration, skip bool) error {
	if skip {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

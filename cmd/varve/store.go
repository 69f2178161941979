package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/varve-log/varve/catalog"
	"github.com/varve-log/varve/catalog/cluster"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/internal/objstore/open"
	"github.com/varve-log/varve/kafka"
)

func (a *app) openStore(ctx context.Context, cmd *cli.Command) (objstore.Store, error) {
	url, err := storeOf(cmd)
	if err != nil {
		return nil, err
	}
	return open.Open(ctx, url, open.Options{})
}

// noCatalog says what to check when a bucket holds no catalog.
func noCatalog(err error, url string) error {
	if errors.Is(err, catalog.ErrNotFound) {
		return fmt.Errorf("%s holds no varve cluster: check the prefix of the URL, "+
			"or start an agent on it first", url)
	}
	return err
}

// openCatalog opens a bucket for reading. The store is the caller's to close.
func (a *app) openCatalog(
	ctx context.Context, cmd *cli.Command,
) (objstore.Store, *catalog.Reader, error) {
	store, err := a.openStore(ctx, cmd)
	if err != nil {
		return nil, nil, err
	}
	reader, err := catalog.OpenReader(ctx, store)
	if err != nil {
		_ = store.Close()
		return nil, nil, noCatalog(err, store.URL())
	}
	return store, reader, nil
}

// archivedTopic finds a topic in the bucket's catalog.
func archivedTopic(state *cluster.State, name string) (*cluster.Topic, error) {
	if t, ok := state.Topic(name); ok {
		return t, nil
	}
	var names []string
	for _, t := range state.Topics() {
		names = append(names, t.Name)
	}
	if near := nearest(name, names); near != "" {
		return nil, fmt.Errorf("the bucket has no topic %q; did you mean %q?", name, near)
	}
	return nil, fmt.Errorf("the bucket has no topic %q; see `varve catalog ls`", name)
}

// partitionsOf are the topic's partitions, or those that --partition names.
func partitionsOf(cmd *cli.Command, topic *cluster.Topic) ([]kafka.TopicPartition, error) {
	var tps []kafka.TopicPartition
	for _, p := range cmd.Int32Slice("partition") {
		if p < 0 || int(p) >= len(topic.Partitions) {
			return nil, fmt.Errorf("topic %q has no partition %d, only 0 to %d",
				topic.Name, p, len(topic.Partitions)-1)
		}
		tps = append(tps, kafka.TopicPartition{Topic: topic.ID, Partition: p})
	}
	if len(tps) > 0 {
		return tps, nil
	}
	for p := range topic.Partitions {
		tps = append(tps, kafka.TopicPartition{Topic: topic.ID, Partition: int32(p)})
	}
	return tps, nil
}

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/urfave/cli/v3"
)

const (
	clientID = "varve"
	// dialTimeout and retryTimeout bound how long an agent that does not answer is waited for.
	dialTimeout  = 5 * time.Second
	retryTimeout = 15 * time.Second
)

// connect makes a Kafka client and asks the agent once, so that a wrong address shows at once.
func connect(ctx context.Context, cmd *cli.Command, opts ...kgo.Opt) (*kgo.Client, error) {
	bootstrap := cmd.String("bootstrap")
	seeds := strings.Split(bootstrap, ",")
	for _, s := range seeds {
		if _, _, err := net.SplitHostPort(s); err != nil {
			return nil, usagef(cmd, "--bootstrap %q is not HOST:PORT", s).withHint(
				"such as 127.0.0.1:9092; several are separated by commas")
		}
	}
	client, err := kgo.NewClient(append([]kgo.Opt{
		kgo.SeedBrokers(seeds...),
		kgo.ClientID(clientID),
		kgo.DialTimeout(dialTimeout),
		kgo.RetryTimeout(retryTimeout),
	}, opts...)...)
	if err != nil {
		return nil, fmt.Errorf("make a Kafka client: %w", err)
	}
	ask, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if err := client.Ping(ask); err != nil {
		client.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("no agent answers at %s: %w; "+
			"start one with `varve agent`, or name another with --bootstrap", bootstrap, rootCause(err))
	}
	return client, nil
}

// rootCause is the last error of a chain: what the system said.
func rootCause(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}

// kafkaError is a broker's refusal in its own words: its message, if it sent one, else the code's.
func kafkaError(code int16, message *string) error {
	err := kerr.ErrorForCode(code)
	if err == nil {
		return nil
	}
	if message != nil && *message != "" {
		return &refusal{code: err, message: *message}
	}
	return err
}

// refusal keeps the error code beside the broker's sentence.
type refusal struct {
	code    error
	message string
}

func (r *refusal) Error() string { return r.message }

// Unwrap gives the Kafka error code.
func (r *refusal) Unwrap() error { return r.code }

// errNoTopic tells that a topic is not there, and what to do.
func errNoTopic(topic string) error {
	return fmt.Errorf("topic %q does not exist; see `varve topic list`, or make it with "+
		"`varve topic create %s`", topic, topic)
}

// topicMetadata finds the named topics, or all where no name is given.
func topicMetadata(
	ctx context.Context, client *kgo.Client, names ...string,
) ([]kmsg.MetadataResponseTopic, error) {
	req := kmsg.NewPtrMetadataRequest()
	if len(names) > 0 {
		req.Topics = []kmsg.MetadataRequestTopic{}
	}
	for _, name := range names {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = kmsg.StringPtr(name)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return nil, fmt.Errorf("ask for metadata: %w", err)
	}
	for _, t := range resp.Topics {
		err := kerr.ErrorForCode(t.ErrorCode)
		if errors.Is(err, kerr.UnknownTopicOrPartition) {
			return nil, errNoTopic(*t.Topic)
		}
		if err != nil && len(names) > 0 {
			return nil, fmt.Errorf("topic %q: %w", names[0], err)
		}
	}
	return resp.Topics, nil
}

// oneTopic finds one topic by name.
func oneTopic(
	ctx context.Context, client *kgo.Client, name string,
) (kmsg.MetadataResponseTopic, error) {
	topics, err := topicMetadata(ctx, client, name)
	if err == nil && len(topics) == 0 {
		err = errNoTopic(name)
	}
	if err != nil {
		return kmsg.MetadataResponseTopic{}, err
	}
	return topics[0], nil
}

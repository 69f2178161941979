package api

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"regexp"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/varve-log/varve/kafka"
)

// probe gives a request that succeeds on a topic, and a check of its answer.
type probe func(version int16) (kmsg.Request, func(kmsg.Response) error)

func check(got, want any) error {
	if got != want {
		return fmt.Errorf("got %v, want %v", got, want)
	}
	return nil
}

// probes has one for each key.
func probes(topic *Topic, batch []byte) map[int16]probe {
	all := make(map[int16]probe)
	for _, some := range []map[int16]probe{
		recordProbes(topic, batch), clusterProbes(topic), topicProbes(topic), configProbes(topic),
		replicaProbes(topic), aclProbes(), memberProbes(), offsetProbes(topic), groupProbes(topic),
		consumerProbes(),
		txnProbes(topic),
	} {
		maps.Copy(all, some)
	}
	return all
}

func recordProbes(topic *Topic, batch []byte) map[int16]probe {
	return map[int16]probe{
		0: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			return produceRequest(topic, 0, -1, batch), func(r kmsg.Response) error {
				return check(r.(*kmsg.ProduceResponse).Topics[0].Partitions[0].ErrorCode, codeNone)
			}
		},
		1: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			return fetchRequest(topic, 0, 0), func(r kmsg.Response) error {
				p := r.(*kmsg.FetchResponse).Topics[0].Partitions[0]
				return check(fmt.Sprint(p.ErrorCode, len(p.RecordBatches) > 0), "0 true")
			}
		},
		2: func(v int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrListOffsetsRequest()
			t := kmsg.NewListOffsetsRequestTopic()
			t.Topic = topic.Name
			p := kmsg.NewListOffsetsRequestTopicPartition()
			p.Timestamp, p.CurrentLeaderEpoch = -2, -1
			t.Partitions = append(t.Partitions, p)
			req.Topics = append(req.Topics, t)
			return req, func(r kmsg.Response) error {
				p := r.(*kmsg.ListOffsetsResponse).Topics[0].Partitions[0]
				return check(fmt.Sprint(p.ErrorCode, p.Offset), "0 0")
			}
		},
	}
}

func clusterProbes(topic *Topic) map[int16]probe {
	return map[int16]probe{
		3: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrMetadataRequest()
			t := kmsg.NewMetadataRequestTopic()
			t.Topic = &topic.Name
			req.Topics = append(req.Topics, t)
			return req, func(r kmsg.Response) error {
				m := r.(*kmsg.MetadataResponse)
				return check(fmt.Sprint(len(m.Brokers), m.Topics[0].ErrorCode,
					len(m.Topics[0].Partitions)), "1 0 2")
			}
		},
		10: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrFindCoordinatorRequest()
			req.CoordinatorKey, req.CoordinatorKeys = "g", []string{"g"}
			return req, func(r kmsg.Response) error {
				f := r.(*kmsg.FindCoordinatorResponse)
				c, at := f.ErrorCode, f.NodeID
				if len(f.Coordinators) > 0 {
					c, at = f.Coordinators[0].ErrorCode, f.Coordinators[0].NodeID
				}
				return check(fmt.Sprint(c, at), "0 1")
			}
		},
		18: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrApiVersionsRequest()
			req.ClientSoftwareName, req.ClientSoftwareVersion = "test", "1.0"
			return req, func(r kmsg.Response) error {
				a := r.(*kmsg.ApiVersionsResponse)
				return check(fmt.Sprint(a.ErrorCode, len(a.ApiKeys)),
					fmt.Sprint(0, len(allEndpoints())))
			}
		},
	}
}

func topicProbes(topic *Topic) map[int16]probe {
	return map[int16]probe{
		19: func(v int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrCreateTopicsRequest()
			t := kmsg.NewCreateTopicsRequestTopic()
			t.Topic, t.NumPartitions, t.ReplicationFactor = fmt.Sprintf("v%d", v), -1, -1
			req.Topics = append(req.Topics, t)
			return req, func(r kmsg.Response) error {
				return check(r.(*kmsg.CreateTopicsResponse).Topics[0].ErrorCode, codeNone)
			}
		},
		20: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrDeleteTopicsRequest()
			t := kmsg.NewDeleteTopicsRequestTopic()
			t.Topic = kmsg.StringPtr("nosuch")
			req.Topics, req.TopicNames = append(req.Topics, t), []string{"nosuch"}
			return req, func(r kmsg.Response) error {
				return check(r.(*kmsg.DeleteTopicsResponse).Topics[0].ErrorCode, codeUnknownTopic)
			}
		},
		21: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrDeleteRecordsRequest()
			t := kmsg.NewDeleteRecordsRequestTopic()
			t.Topic = topic.Name
			p := kmsg.NewDeleteRecordsRequestTopicPartition()
			p.Partition, p.Offset = 1, -1
			t.Partitions = append(t.Partitions, p)
			req.Topics = append(req.Topics, t)
			return req, func(r kmsg.Response) error {
				p := r.(*kmsg.DeleteRecordsResponse).Topics[0].Partitions[0]
				return check(fmt.Sprint(p.ErrorCode, p.LowWatermark), "0 0")
			}
		},
		22: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			return kmsg.NewPtrInitProducerIDRequest(), func(r kmsg.Response) error {
				i := r.(*kmsg.InitProducerIDResponse)
				return check(fmt.Sprint(i.ErrorCode, i.ProducerID > 4000, i.ProducerEpoch), "0 true 0")
			}
		},
	}
}

func configProbes(topic *Topic) map[int16]probe {
	return map[int16]probe{
		23: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrOffsetForLeaderEpochRequest()
			t := kmsg.NewOffsetForLeaderEpochRequestTopic()
			t.Topic = topic.Name
			p := kmsg.NewOffsetForLeaderEpochRequestTopicPartition()
			p.Partition, p.LeaderEpoch = 1, 3
			t.Partitions = append(t.Partitions, p)
			req.Topics = append(req.Topics, t)
			return req, func(r kmsg.Response) error {
				p := r.(*kmsg.OffsetForLeaderEpochResponse).Topics[0].Partitions[0]
				return check(fmt.Sprint(p.ErrorCode, p.LeaderEpoch, p.EndOffset), "0 3 0")
			}
		},
		32: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrDescribeConfigsRequest()
			t := kmsg.NewDescribeConfigsRequestResource()
			t.ResourceType, t.ResourceName = kmsg.ConfigResourceTypeTopic, topic.Name
			t.ConfigNames = []string{"segment.bytes"}
			req.Resources = append(req.Resources, t)
			req.IncludeSynonyms, req.IncludeDocumentation = true, true
			return req, func(r kmsg.Response) error {
				c := r.(*kmsg.DescribeConfigsResponse).Resources[0].Configs
				return check(fmt.Sprintln(len(c), *c[0].Value, len(c[0].ConfigSynonyms)),
					"1 1073741824 1\n")
			}
		},
		33: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrAlterConfigsRequest()
			t := kmsg.NewAlterConfigsRequestResource()
			t.ResourceType, t.ResourceName = kmsg.ConfigResourceTypeTopic, topic.Name
			req.Resources = append(req.Resources, t)
			return req, func(r kmsg.Response) error {
				return check(r.(*kmsg.AlterConfigsResponse).Resources[0].ErrorCode, codeNone)
			}
		},
		37: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrCreatePartitionsRequest()
			t := kmsg.NewCreatePartitionsRequestTopic()
			t.Topic, t.Count = topic.Name, 2
			req.Topics = append(req.Topics, t)
			return req, func(r kmsg.Response) error {
				return check(r.(*kmsg.CreatePartitionsResponse).Topics[0].ErrorCode, codePartitions)
			}
		},
		44: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrIncrementalAlterConfigsRequest()
			t := kmsg.NewIncrementalAlterConfigsRequestResource()
			t.ResourceType, t.ResourceName = kmsg.ConfigResourceTypeTopic, topic.Name
			req.Resources = append(req.Resources, t)
			return req, func(r kmsg.Response) error {
				x := r.(*kmsg.IncrementalAlterConfigsResponse)
				return check(x.Resources[0].ErrorCode, codeNone)
			}
		},
		57: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrUpdateFeaturesRequest()
			u := kmsg.NewUpdateFeaturesRequestFeatureUpdate()
			u.Feature, u.MaxVersionLevel, u.UpgradeType = "transaction.version", 2, 1
			req.FeatureUpdates = append(req.FeatureUpdates, u)
			return req, func(r kmsg.Response) error {
				return check(r.(*kmsg.UpdateFeaturesResponse).ErrorCode, codeNone)
			}
		},
		60: func(int16) (kmsg.Request, func(kmsg.Response) error) {
			req := kmsg.NewPtrDescribeClusterRequest()
			req.EndpointType = brokerEndpoints
			return req, func(r kmsg.Response) error {
				d := r.(*kmsg.DescribeClusterResponse)
				return check(fmt.Sprintln(d.ErrorCode, d.ClusterID, len(d.Brokers)),
					"0 fake-cluster 1\n")
			}
		},
	}
}

// TestEveryVersionAdvertisedWorks sends every version of every key over a socket.
func TestEveryVersionAdvertisedWorks(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 2)
	c := dial(t, serveFake(t, f))
	batch := batchOf(t, kafka.TimestampOf(time.Now()), "v")
	all := probes(topic, batch)
	for _, e := range allEndpoints() {
		probe := all[e.key]
		if probe == nil {
			t.Fatalf("no probe for %s", kmsg.NameForKey(e.key))
		}
		for v := e.min; v <= e.max; v++ {
			if e.key == 0 && v < producedFrom {
				continue
			}
			req, ok := probe(v)
			if err := ok(c.receive(req, c.send(req, v))); err != nil {
				t.Errorf("%s version %d: %v", kmsg.NameForKey(e.key), v, err)
			}
		}
	}
}

// TestAdvertisedAsKafka holds the ranges against what Apache Kafka 4.3.1 answers: the file is what
// its kafka-broker-api-versions prints.
func TestAdvertisedAsKafka(t *testing.T) {
	text, err := os.ReadFile("testdata/kafka-4.3.1-apis.txt")
	if err != nil {
		t.Fatal(err)
	}
	ranges := make(map[string]string)
	for _, m := range regexp.MustCompile(`\((\d+)\): (\d+)(?: to (\d+))?`).
		FindAllStringSubmatch(string(text), -1) {
		ranges[m[1]] = m[2] + " to " + cmp.Or(m[3], m[2])
	}
	for _, e := range allEndpoints() {
		got, want := fmt.Sprintf("%d to %d", e.min, e.max), ranges[fmt.Sprint(e.key)]
		if got != want {
			t.Errorf("%s: advertised %s, Kafka %s", kmsg.NameForKey(e.key), got, want)
		}
	}
}

// TestVersionsBeyond: other versions close the connection, an ApiVersions version is answered in 0.
func TestVersionsBeyond(t *testing.T) {
	f := newFake()
	topic := f.create(t, "t", 1)
	addr := serveFake(t, f)
	for _, v := range []int16{0, 1, 2} {
		c := dial(t, addr)
		c.send(produceRequest(topic, 0, 1, nil), v)
		c.expectClosed()
	}
	c := dial(t, addr)
	c.send(fetchRequest(topic, 0, 0), 3)
	c.expectClosed()

	c = dial(t, addr)
	req := kmsg.NewPtrApiVersionsRequest()
	id := c.send(req, 5)
	req.SetVersion(0)
	resp := c.receive(req, id).(*kmsg.ApiVersionsResponse)
	if resp.ErrorCode != codeUnsupported || len(resp.ApiKeys) != 1 || resp.ApiKeys[0].MaxVersion != 4 {
		t.Errorf("unknown version: %+v", resp)
	}
	req.ClientSoftwareName, req.ClientSoftwareVersion = "bad name", "1"
	if r := ask[*kmsg.ApiVersionsResponse](c, req, 4); r.ErrorCode != codeInvalidRequest {
		t.Errorf("bad software name: %+v", r)
	}
}

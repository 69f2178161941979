"""Drives the scenarios with confluent-kafka, which is librdkafka."""

import sys

import confluent_kafka
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions
from confluent_kafka.admin import NewTopic, OffsetSpec

import scenarios
from scenarios import Record

TIME = 20


class Client:
    name, version = "confluent-kafka (Python)", confluent_kafka.version()

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.adm = AdminClient(self.config())

    def config(self, **more):
        return {"bootstrap.servers": self.bootstrap} | {k.replace("_", "."): v for k, v in more.items()}

    def create(self, topic, partitions, settings=None):
        new = NewTopic(topic, partitions, 1, config=settings or {})
        self.adm.create_topics([new])[topic].result(TIME)

    def produce(self, topic, records, codec="none", idempotent=False, batch_records=0, bytes_max=0):
        config = self.config(compression_type=codec, enable_idempotence=idempotent, acks="all")
        if batch_records:
            config["batch.num.messages"] = batch_records
        if bytes_max:
            config["message.max.bytes"] = bytes_max
        return send(Producer(config), topic, records)

    def read(self, topic, partition=0, start=0, n=1, committed=False, wait=scenarios.READ_WAIT, fetch_bytes=0):
        config = self.config(
            group_id="unused", enable_auto_commit=False, fetch_wait_max_ms=100, auto_offset_reset="error",
            isolation_level="read_committed" if committed else "read_uncommitted",
        )
        if fetch_bytes:
            config["max.partition.fetch.bytes"] = fetch_bytes
        consumer = Consumer(config)
        consumer.assign([TopicPartition(topic, partition, start)])

        def poll():
            got = []
            for m in consumer.consume(500, 0.1):
                if m.error():
                    raise KafkaException(m.error())
                got.append(Record(m.value(), m.key(), m.headers() or [], m.partition(), m.offset(), m.timestamp()[1]))
            return got

        try:
            return scenarios.collect(n, wait, poll)
        finally:
            consumer.close()

    def offset_for(self, topic, partition, at):
        spec = {-1: OffsetSpec.latest(), -2: OffsetSpec.earliest()}.get(at) or OffsetSpec.for_timestamp(at)
        tp = TopicPartition(topic, partition)
        return self.adm.list_offsets({tp: spec})[tp].result(TIME).offset

    def partitions(self, topic):
        found = self.adm.list_topics(topic, TIME).topics[topic].partitions
        return len(found), sum(p.leader >= 0 and p.error is None for p in found.values())

    def code(self, error):
        if not isinstance(error, KafkaException):
            return None
        return {
            KafkaError.TOPIC_ALREADY_EXISTS: scenarios.EXISTS, KafkaError.MSG_SIZE_TOO_LARGE: scenarios.TOO_LARGE,
            KafkaError._FENCED: scenarios.FENCED, KafkaError.INVALID_PRODUCER_EPOCH: scenarios.FENCED,
        }.get(error.args[0].code())

    def topics(self):
        return self.adm.list_topics(timeout=TIME).topics

    def settings(self, topic):
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic)
        entries = self.adm.describe_configs([resource])[resource].result(TIME)
        return {name: entry.value for name, entry in entries.items()}

    def alter(self, topic, name, value):
        entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ConfigResource.Type.TOPIC, topic, incremental_configs=[entry])
        self.adm.incremental_alter_configs([resource])[resource].result(TIME)

    def add_partitions(self, topic, total):
        self.adm.create_partitions([NewPartitions(topic, total)])[topic].result(TIME)

    def delete_records(self, topic, partition, before):
        tp = TopicPartition(topic, partition, before)
        self.adm.delete_records([tp])[tp].result(TIME)

    def delete_topic(self, topic):
        self.adm.delete_topics([topic])[topic].result(TIME)

    def commit(self, group, topic, partition, offset):
        at = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, partition, offset)])
        done = self.adm.alter_consumer_group_offsets([at])[group].result(TIME)
        if done.topic_partitions[0].error:
            raise KafkaException(done.topic_partitions[0].error)

    def committed(self, group, topic, partition):
        at = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, partition)])
        return self.adm.list_consumer_group_offsets([at])[group].result(TIME).topic_partitions[0].offset

    def groups(self):
        return [g.group_id for g in self.adm.list_consumer_groups().result(TIME).valid]

    def describe(self, group):
        found = self.adm.describe_consumer_groups([group])[group].result(TIME)
        return found.state.name, len(found.members)

    def delete_group(self, group):
        self.adm.delete_consumer_groups([group])[group].result(TIME)

    def transact(self, transactional_id):
        return Transaction(self.config(transactional_id=transactional_id))

    def member(self, args, events, leave):
        config = self.config(
            group_id=args.group, client_id=args.client_id, enable_auto_commit=False, auto_offset_reset="earliest",
            fetch_wait_max_ms=200, max_poll_interval_ms=scenarios.REBALANCE_MS,
        )
        if args.protocol == "consumer":
            config["group.protocol"] = "consumer"
        else:
            strategy = "cooperative-sticky" if args.assignor == "cooperative" else "range"
            config |= {
                "partition.assignment.strategy": strategy, "session.timeout.ms": scenarios.SESSION_MS,
                "heartbeat.interval.ms": scenarios.HEARTBEAT_MS,
            }
        if args.instance:
            config["group.instance.id"] = args.instance
        consumer = Consumer(config)

        def lost(_, partitions):
            events.lose(p.partition for p in partitions)

        consumer.subscribe(
            [args.topic], on_assign=lambda _, ps: events.gain(p.partition for p in ps), on_revoke=lost, on_lost=lost
        )
        while not leave.is_set():
            m = consumer.poll(0.1)
            if m is None:
                continue
            if m.error():
                if m.error().code() == KafkaError._FATAL:  # fatal() of the error is false
                    raise KafkaException(m.error())
                print(m.error(), file=sys.stderr)
                continue
            events.record(m.partition(), m.offset(), m.value())
            try:
                consumer.commit(m, asynchronous=False)
            except KafkaException as error:
                print("commit:", error, file=sys.stderr)
        consumer.close()


def send(producer, topic, records):
    """Writes records, waits for them, and returns the last offset."""
    delivered = []
    for r in records:
        producer.produce(
            topic, value=r.value, key=r.key, partition=r.partition, headers=r.headers,
            timestamp=r.timestamp or 0, on_delivery=lambda error, m: delivered.append((error, m)),
        )
    producer.flush(TIME)
    for error, _ in delivered:
        if error:
            raise KafkaException(error)
    scenarios.check(len(delivered) == len(records), f"{len(delivered)} of {len(records)} were acknowledged")
    return max(m.offset() for _, m in delivered)


class Transaction:
    def __init__(self, config):
        self.config, self.p = config, Producer(config)
        self.p.init_transactions(TIME)

    def begin(self):
        self.p.begin_transaction()

    def send(self, topic, records):
        try:
            send(self.p, topic, records)
        except KafkaException as error:
            # A fenced producer's records only say that they were purged; the commit says why.
            if error.args[0].code() != KafkaError._PURGE_QUEUE:
                raise
            self.commit()

    def offset(self, group, topic, partition, offset):
        consumer = Consumer({"bootstrap.servers": self.config["bootstrap.servers"], "group.id": group})
        at = TopicPartition(topic, partition, offset)
        self.p.send_offsets_to_transaction([at], consumer.consumer_group_metadata(), TIME)
        consumer.close()

    def commit(self):
        self.p.commit_transaction(TIME)

    def abort(self):
        self.p.abort_transaction(TIME)

    def close(self):
        pass


scenarios.main(Client)

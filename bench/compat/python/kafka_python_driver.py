"""Drives the scenarios with kafka-python."""

import sys

import kafka
from kafka import ConsumerRebalanceListener, KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import FencedInstanceIdError, KafkaError
from kafka.structs import OffsetAndMetadata

import scenarios
from scenarios import Absent, Record

TIME = 20
CODES = {
    36: scenarios.EXISTS, 10: scenarios.TOO_LARGE, 47: scenarios.FENCED, 90: scenarios.FENCED,
}


class Client:
    name, version = "kafka-python", kafka.__version__
    null_header = null_record = False  # it refuses them

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.adm = None

    def admin(self):
        self.adm = self.adm or KafkaAdminClient(bootstrap_servers=self.bootstrap)
        return self.adm

    def create(self, topic, partitions, settings=None):
        new = NewTopic(topic, partitions, 1, topic_configs=settings or {})
        self.admin().create_topics([new])

    def produce(self, topic, records, codec="none", idempotent=False, batch_records=0, bytes_max=0):
        options = {"enable_idempotence": idempotent, "acks": "all"}
        if codec != "none":
            options["compression_type"] = codec
        if batch_records > 1:
            options["batch_size"] = 60 + 15 * batch_records
        if bytes_max:
            options["max_request_size"] = bytes_max
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, **options)
        try:
            return send(producer, topic, records)
        finally:
            producer.close(TIME)

    def read(self, topic, partition=0, start=0, n=1, committed=False, wait=scenarios.READ_WAIT, fetch_bytes=0):
        options = {"isolation_level": "read_committed" if committed else "read_uncommitted"}
        if fetch_bytes:
            options["max_partition_fetch_bytes"] = fetch_bytes
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False, **options)
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        consumer.seek(tp, start)

        def poll():
            return [
                Record(r.value, r.key, list(r.headers), r.partition, r.offset, r.timestamp)
                for r in consumer.poll(100).get(tp, [])
            ]

        try:
            return scenarios.collect(n, wait, poll)
        finally:
            consumer.close()

    def offset_for(self, topic, partition, at):
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap)
        tp = TopicPartition(topic, partition)
        try:
            if at == scenarios.LATEST:
                return consumer.end_offsets([tp])[tp]
            if at == scenarios.EARLIEST:
                return consumer.beginning_offsets([tp])[tp]
            found = consumer.offsets_for_times({tp: at})[tp]
            return -1 if found is None else found.offset
        finally:
            consumer.close()

    def partitions(self, topic):
        found = self.admin().describe_topics([topic])[0]["partitions"]
        led = sum(p.get("leader_id", p.get("leader", -1)) >= 0 and not p["error_code"] for p in found)
        return len(found), led

    def code(self, error):
        return CODES.get(getattr(error, "errno", None)) if isinstance(error, KafkaError) else None

    def topics(self):
        return self.admin().list_topics()

    def settings(self, topic):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        found = self.admin().describe_configs([resource], config_filter="all")
        (by_name,) = found.values()
        return {name: entry["value"] for name, entry in by_name[topic].items()}

    def alter(self, topic, name, value):
        self.admin().alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {name: value})])

    def add_partitions(self, topic, total):
        self.admin().create_partitions({topic: total})

    def delete_records(self, topic, partition, before):
        self.admin().delete_records({TopicPartition(topic, partition): before})

    def delete_topic(self, topic):
        self.admin().delete_topics([topic])

    def commit(self, group, topic, partition, offset):
        at = {TopicPartition(topic, partition): OffsetAndMetadata(offset, "", -1)}
        for error in self.admin().alter_group_offsets(group, at).values():
            if error.errno:
                raise error()

    def committed(self, group, topic, partition):
        tp = TopicPartition(topic, partition)
        return self.admin().list_group_offsets({group: [tp]})[group][tp].offset

    def groups(self):
        return [g["group_id"] for g in self.admin().list_groups()]

    def describe(self, group):
        found = self.admin().describe_groups([group])[group]
        return str(found["group_state"]), len(found["members"])

    def delete_group(self, group):
        done = self.admin().delete_groups([group])
        for error in done.values() if isinstance(done, dict) else [e for _, e in done]:
            if getattr(error, "errno", 0):
                raise error

    def transact(self, transactional_id):
        return Transaction(self.bootstrap, transactional_id)

    def member(self, args, events, leave):
        if args.protocol == "consumer":
            raise Absent("consumer protocol (KIP-848)")

        class Listener(ConsumerRebalanceListener):
            def on_partitions_revoked(self, revoked):
                events.lose(p.partition for p in revoked)

            def on_partitions_assigned(self, assigned):
                events.gain(p.partition for p in assigned)

            def on_partitions_lost(self, lost):
                events.lose(p.partition for p in lost)

        assignor = CooperativeStickyAssignor if args.assignor == "cooperative" else RangePartitionAssignor
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap, group_id=args.group, client_id=args.client_id,
            group_instance_id=args.instance, enable_auto_commit=False, auto_offset_reset="earliest",
            session_timeout_ms=scenarios.SESSION_MS, heartbeat_interval_ms=scenarios.HEARTBEAT_MS,
            max_poll_interval_ms=scenarios.REBALANCE_MS, partition_assignment_strategy=[assignor],
        )
        consumer.subscribe([args.topic], listener=Listener())
        while not leave.is_set():
            try:
                got = consumer.poll(100)
                for records in got.values():
                    for r in records:
                        events.record(r.partition, r.offset, r.value)
                if got:
                    consumer.commit({tp: OffsetAndMetadata(rs[-1].offset + 1, "", -1) for tp, rs in got.items()})
            except FencedInstanceIdError:
                raise
            except KafkaError as error:
                print(repr(error), file=sys.stderr)
        consumer.close()


def send(producer, topic, records):
    """Writes records, waits for them, and returns the last offset."""
    futures = [
        producer.send(
            topic, value=r.value, key=r.key, headers=r.headers, partition=r.partition, timestamp_ms=r.timestamp
        )
        for r in records
    ]
    return max(future.get(TIME).offset for future in futures)


class Transaction:
    def __init__(self, bootstrap, transactional_id):
        self.p = KafkaProducer(bootstrap_servers=bootstrap, transactional_id=transactional_id)
        self.p.init_transactions()

    def begin(self):
        self.p.begin_transaction()

    def send(self, topic, records):
        send(self.p, topic, records)

    def offset(self, group, topic, partition, offset):
        at = {TopicPartition(topic, partition): OffsetAndMetadata(offset, "", -1)}
        self.p.send_offsets_to_transaction(at, group)

    def commit(self):
        self.p.commit_transaction()

    def abort(self):
        self.p.abort_transaction()

    def close(self):
        self.p.close(TIME)


scenarios.main(Client)

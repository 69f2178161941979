"""Drives the scenarios with aiokafka. The steps are not asynchronous: each call runs the loop."""

import asyncio
import sys
import time

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError, ProducerFenced, for_code

import scenarios
from scenarios import Absent, Record

CODES = {
    36: scenarios.EXISTS, 10: scenarios.TOO_LARGE, 47: scenarios.FENCED, 90: scenarios.FENCED,
}


def raise_code(code):
    if code:
        raise for_code(code)()


class Client:
    name, version = "aiokafka", aiokafka.__version__
    null_record = False  # it refuses one

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap
        self.loop = asyncio.new_event_loop()

    def run(self, call):
        return self.loop.run_until_complete(call)

    def admin(self, call):
        """Runs call(admin client)."""

        async def body():
            adm = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
            await adm.start()
            try:
                return await call(adm)
            finally:
                await adm.close()

        return self.run(body())

    def consumer(self, call, topic, partition, **options):
        """Runs call(consumer, topic partition) with an assigned consumer."""

        async def body():
            consumer = AIOKafkaConsumer(bootstrap_servers=self.bootstrap, enable_auto_commit=False, **options)
            await consumer.start()
            try:
                tp = TopicPartition(topic, partition)
                consumer.assign([tp])
                return await call(consumer, tp)
            finally:
                await consumer.stop()

        return self.run(body())

    def create(self, topic, partitions, settings=None):
        new = NewTopic(topic, partitions, 1, topic_configs=settings or {})
        done = self.admin(lambda adm: adm.create_topics([new]))
        raise_code(done.topic_errors[0][1])

    def produce(self, topic, records, codec="none", idempotent=False, batch_records=0, bytes_max=0):
        options = {"enable_idempotence": idempotent, "acks": "all"}
        if codec != "none":
            options["compression_type"] = codec
        if batch_records > 1:
            options["max_batch_size"] = 60 + 15 * batch_records
        if bytes_max:
            options |= {"max_request_size": bytes_max, "max_batch_size": bytes_max}

        async def body():
            async with AIOKafkaProducer(bootstrap_servers=self.bootstrap, **options) as producer:
                if batch_records == 1:
                    return [await send(producer, topic, [r]) for r in records][-1]
                return await send(producer, topic, records)

        return self.run(body())

    def read(self, topic, partition=0, start=0, n=1, committed=False, wait=scenarios.READ_WAIT, fetch_bytes=0):
        options = {"isolation_level": "read_committed" if committed else "read_uncommitted"}
        if fetch_bytes:
            options["max_partition_fetch_bytes"] = fetch_bytes

        async def body(consumer, tp):
            consumer.seek(tp, start)
            got, late = [], time.monotonic() + max(wait, scenarios.READ_WAIT)
            while len(got) < n and time.monotonic() < late:
                more = (await consumer.getmany(timeout_ms=100)).get(tp)
                for r in more or []:
                    got.append(Record(r.value, r.key, list(r.headers), r.partition, r.offset, r.timestamp))
                    late = time.monotonic() + wait
            return got[:n]

        return self.consumer(body, topic, partition, **options)

    def offset_for(self, topic, partition, at):
        async def body(consumer, tp):
            if at == scenarios.LATEST:
                return (await consumer.end_offsets([tp]))[tp]
            if at == scenarios.EARLIEST:
                return (await consumer.beginning_offsets([tp]))[tp]
            found = (await consumer.offsets_for_times({tp: at}))[tp]
            return -1 if found is None else found.offset

        return self.consumer(body, topic, partition)

    def partitions(self, topic):
        found = self.admin(lambda adm: adm.describe_topics([topic]))[0]["partitions"]
        return len(found), sum(p["leader"] >= 0 and p["error_code"] == 0 for p in found)

    def code(self, error):
        if isinstance(error, ProducerFenced):
            return scenarios.FENCED
        return CODES.get(getattr(error, "errno", None)) if isinstance(error, KafkaError) else None

    def topics(self):
        return self.admin(lambda adm: adm.list_topics())

    def settings(self, topic):
        resource = ConfigResource(ConfigResourceType.TOPIC, topic)
        done = self.admin(lambda adm: adm.describe_configs([resource]))
        code, message, _, _, entries = done[0].resources[0]
        raise_code(code)
        return {entry[0]: entry[1] for entry in entries}

    def alter(self, topic, name, value):
        # AlterConfigs replaces all settings of a topic: the library has no incremental call.
        configs = {"cleanup.policy": "delete", name: value}
        resource = ConfigResource(ConfigResourceType.TOPIC, topic, configs)
        done = self.admin(lambda adm: adm.alter_configs({resource: configs}))
        raise_code(done[0].resources[0][0])

    def add_partitions(self, topic, total):
        done = self.admin(lambda adm: adm.create_partitions({topic: NewPartitions(total)}))
        raise_code(done.topic_errors[0][1])

    def delete_records(self, topic, partition, before):
        at = {TopicPartition(topic, partition): RecordsToDelete(before_offset=before)}
        self.admin(lambda adm: adm.delete_records(at))

    def delete_topic(self, topic):
        done = self.admin(lambda adm: adm.delete_topics([topic]))
        raise_code(done.topic_error_codes[0][1])

    def commit(self, group, topic, partition, offset):
        async def body(consumer, tp):
            await consumer.commit({tp: offset})

        self.consumer(body, topic, partition, group_id=group)

    def committed(self, group, topic, partition):
        tp = TopicPartition(topic, partition)
        found = self.admin(lambda adm: adm.list_consumer_group_offsets(group, partitions=[tp]))
        return found[tp].offset

    def groups(self):
        return [group[0] for group in self.admin(lambda adm: adm.list_consumer_groups())]

    def describe(self, group):
        found = self.admin(lambda adm: adm.describe_consumer_groups([group]))[0].groups[0]
        raise_code(found[0])
        return found[2], len(found[5])

    def delete_group(self, group):
        raise Absent("deletion of groups")

    def transact(self, transactional_id):
        return Transaction(self, transactional_id)

    def member(self, args, events, leave):
        if args.protocol == "consumer":
            raise Absent("consumer protocol (KIP-848)")
        if args.assignor == "cooperative":
            raise Absent("cooperative rebalancing")
        if args.instance:
            # Its heartbeats and commits carry no instance name, so that the broker cannot tell it.
            scenarios.emit(event="without", detail="fencing of static members")
        self.run(self.belong(args, events, leave))

    async def belong(self, args, events, leave):
        class Listener(ConsumerRebalanceListener):
            async def on_partitions_revoked(self, revoked):
                events.lose(p.partition for p in revoked)

            async def on_partitions_assigned(self, assigned):
                events.own(p.partition for p in assigned)

        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.bootstrap, group_id=args.group, client_id=args.client_id,
            group_instance_id=args.instance, enable_auto_commit=False, auto_offset_reset="earliest",
            session_timeout_ms=scenarios.SESSION_MS, heartbeat_interval_ms=scenarios.HEARTBEAT_MS,
            max_poll_interval_ms=scenarios.REBALANCE_MS, rebalance_timeout_ms=scenarios.REBALANCE_MS,
            partition_assignment_strategy=[RangePartitionAssignor],
        )
        consumer.subscribe([args.topic], listener=Listener())
        await consumer.start()
        while not leave.is_set():
            try:
                got = await consumer.getmany(timeout_ms=100)
                for records in got.values():
                    for r in records:
                        events.record(r.partition, r.offset, r.value)
                if got:
                    await consumer.commit({tp: rs[-1].offset + 1 for tp, rs in got.items()})
            except KafkaError as error:
                print(repr(error), file=sys.stderr)
        await consumer.stop()


async def send(producer, topic, records):
    """Writes records, waits for them, and returns the last offset."""
    futures = []
    for r in records:
        futures.append(
            await producer.send(
                topic, r.value, r.key, partition=r.partition, timestamp_ms=r.timestamp, headers=r.headers
            )
        )
    return max(done.offset for done in await asyncio.gather(*futures))


class Transaction:
    def __init__(self, client, transactional_id):
        self.run = client.run

        async def body():
            p = AIOKafkaProducer(bootstrap_servers=client.bootstrap, transactional_id=transactional_id)
            await p.start()
            return p

        self.p = self.run(body())

    def begin(self):
        self.run(self.p.begin_transaction())

    def send(self, topic, records):
        self.run(send(self.p, topic, records))

    def offset(self, group, topic, partition, offset):
        self.run(self.p.send_offsets_to_transaction({TopicPartition(topic, partition): offset}, group))

    def commit(self):
        self.run(self.p.commit_transaction())

    def abort(self):
        self.run(self.p.abort_transaction())

    def close(self):
        self.run(self.p.stop())


scenarios.main(Client)

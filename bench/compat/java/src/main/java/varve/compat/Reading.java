package varve.compat;

import static varve.compat.Broker.bytes;
import static varve.compat.Broker.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;

/** Scenarios of where a record is: by time, in many partitions, in the bucket. */
final class Reading {
    private Reading() {}

    private static final long FIRST = 1_700_000_000_000L;

    static String time(Broker broker) throws Exception {
        String topic = broker.create("time", 1, "retention.ms", "-1");
        TopicPartition tp = new TopicPartition(topic, 0);
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            records.add(new ProducerRecord<>(topic, 0, FIRST + 1000L * i, null, bytes("t" + i)));
        }
        try (KafkaProducer<byte[], byte[]> p = broker.producer()) {
            Broker.send(p, records);
        }
        try (KafkaConsumer<byte[], byte[]> c = broker.consumer()) {
            c.assign(List.of(tp));
            Check.equal(offsetAt(c, tp, FIRST + 50_500), 51L, "offset at 50.5 s");
            Check.equal(offsetAt(c, tp, FIRST), 0L, "offset at the first timestamp");
            Check.equal(offsetAt(c, tp, FIRST + 100_000), null, "offset after the end");
            c.seek(tp, 51);
            ConsumerRecord<byte[], byte[]> r = Broker.poll(c, 49).get(0);
            Check.equal(text(r.value()), "t51", "first value");
            Check.equal(r.timestamp(), FIRST + 51_000, "its timestamp");
            c.seekToEnd(List.of(tp));
            Check.equal(c.position(tp), 100L, "position at the end");
            c.seek(tp, 5000); // out of range: on from the earliest, as auto.offset.reset says
            Check.equal(Broker.poll(c, 100).get(0).offset(), 0L, "offset after out of range");
        }
        return "";
    }

    private static Long offsetAt(KafkaConsumer<byte[], byte[]> c, TopicPartition tp, long time) {
        OffsetAndTimestamp found = c.offsetsForTimes(Map.of(tp, time)).get(tp);
        return found == null ? null : (Long) found.offset();
    }

    static String partitions(Broker broker) throws Exception {
        String topic = "compat.partitions";
        try (Admin admin = broker.admin()) {
            TopicDescription d = Compat.describe(admin, topic);
            Check.equal(d.partitions().size(), 10_000, "partitions");
            Check.that(d.partitions().stream().allMatch(p -> p.leader() != null), "a leader is missing");
        }
        long offset;
        try (KafkaProducer<byte[], byte[]> p = broker.producer()) {
            offset = p.send(new ProducerRecord<>(topic, 9999, null, bytes(broker.prefix()))).get().offset();
        }
        try (KafkaConsumer<byte[], byte[]> c = broker.consumer()) {
            Check.equal(c.partitionsFor(topic).size(), 10_000, "partitions by the consumer");
            TopicPartition tp = new TopicPartition(topic, 9999);
            c.assign(List.of(tp));
            c.seek(tp, offset);
            List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
            Check.await(30, () -> {
                c.poll(java.time.Duration.ofMillis(200)).forEach(got::add);
                return !got.isEmpty();
            }, () -> "no record at offset " + offset);
            Check.equal(text(got.get(0).value()), broker.prefix(), "value");
        }
        return "";
    }

    static String sealed(Broker broker) throws Exception {
        TopicPartition tp = new TopicPartition("compat.sealed", 0);
        String fill = "y".repeat(500);
        try (KafkaConsumer<byte[], byte[]> c = broker.consumer()) {
            c.assign(List.of(tp));
            c.seekToBeginning(List.of(tp));
            List<ConsumerRecord<byte[], byte[]>> got = Broker.poll(c, 4000);
            for (int i = 0; i < got.size(); i++) {
                Check.equal(got.get(i).offset(), (long) i, "offset");
                Check.equal(got.get(i).timestamp(), FIRST + 1000L * i, "timestamp");
                Check.equal(text(got.get(i).value()), String.format("%06d", i) + fill, "value");
            }
            Check.equal(offsetAt(c, tp, FIRST + 1_500_000), 1500L, "offset by time in the bucket");
            Check.equal(offsetAt(c, tp, FIRST + 3_500_000), 3500L, "offset by time on the disk");
        }
        return "";
    }
}

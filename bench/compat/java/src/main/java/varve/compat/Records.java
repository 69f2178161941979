package varve.compat;

import static varve.compat.Broker.bytes;
import static varve.compat.Broker.text;
import static varve.compat.Broker.values;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.header.Header;

/** Scenarios of records: what is read is what was sent. */
final class Records {
    private Records() {}

    static String codecs(Broker broker) throws Exception {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            String topic = broker.create("codecs." + codec, 1);
            List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
            for (int i = 0; i < 200; i++) {
                String value = "v" + i + "-" + "compress me ".repeat(100);
                sent.add(new ProducerRecord<>(topic, 0, bytes("k" + i), bytes(value)));
            }
            try (KafkaProducer<byte[], byte[]> p = broker.producer(
                    "compression.type", codec, "linger.ms", "50", "enable.idempotence", "false")) {
                Broker.send(p, sent);
            }
            List<ConsumerRecord<byte[], byte[]>> got = broker.read(topic, 0, 200);
            for (int i = 0; i < 200; i++) {
                Check.equal(got.get(i).offset(), (long) i, codec + ": offset");
                Check.equal(text(got.get(i).key()), "k" + i, codec + ": key");
                Check.that(Arrays.equals(got.get(i).value(), sent.get(i).value()), codec + ": value " + i);
            }
        }
        return "";
    }

    static String idempotent(Broker broker) throws Exception {
        String topic = broker.create("idempotent", 1);
        List<String> want = IntStream.range(0, 500).mapToObj(i -> "i" + i).toList();
        try (KafkaProducer<byte[], byte[]> p = broker.producer(
                "enable.idempotence", "true", "batch.size", "128", "linger.ms", "0",
                "max.in.flight.requests.per.connection", "5")) {
            Broker.send(p, want.stream()
                    .map(v -> new ProducerRecord<byte[], byte[]>(topic, 0, null, bytes(v))).toList());
        }
        List<ConsumerRecord<byte[], byte[]>> got = broker.read(topic, 0, 500);
        Check.equal(values(got), want, "values");
        Check.equal(got.get(499).offset(), 499L, "last offset");
        return "";
    }

    static String large(Broker broker) throws Exception {
        String topic = broker.create("large", 1, "max.message.bytes", "2097152");
        TopicPartition tp = new TopicPartition(topic, 0);
        try (KafkaProducer<byte[], byte[]> p = broker.producer("max.request.size", "8388608")) {
            for (int n = 0; n < 3; n++) {
                p.send(new ProducerRecord<>(topic, pattern(n))).get();
            }
            List<ConsumerRecord<byte[], byte[]>> got =
                    broker.read(topic, 0, 3, "max.partition.fetch.bytes", "65536");
            for (int n = 0; n < 3; n++) {
                Check.that(Arrays.equals(got.get(n).value(), pattern(n)), "value " + n);
            }
            Check.fails(RecordTooLargeException.class,
                    () -> p.send(new ProducerRecord<>(topic, new byte[3 << 20])).get());
        }
        try (KafkaConsumer<byte[], byte[]> c = broker.consumer()) {
            Check.equal(c.endOffsets(List.of(tp)).get(tp), 3L, "end offset");
        }
        return "";
    }

    private static byte[] pattern(int n) {
        byte[] value = new byte[1 << 20];
        for (int i = 0; i < value.length; i++) {
            value[i] = (byte) ((i + n) % 251);
        }
        return value;
    }

    static String headers(Broker broker) throws Exception {
        String topic = broker.create("headers", 1);
        byte[] binary = {0, (byte) 0xff};
        try (KafkaProducer<byte[], byte[]> p = broker.producer()) {
            ProducerRecord<byte[], byte[]> r = new ProducerRecord<>(topic, bytes("h"));
            r.headers().add("a", bytes("1")).add("a", bytes("2")).add("b", null);
            r.headers().add("c", new byte[0]).add("d", binary);
            p.send(r).get();
        }
        Header[] got = broker.read(topic, 0, 1).get(0).headers().toArray();
        Check.equal(Arrays.stream(got).map(Header::key).toList(), List.of("a", "a", "b", "c", "d"), "keys");
        Check.equal(text(got[0].value()) + text(got[1].value()), "12", "values of a");
        Check.equal(got[2].value(), null, "value of b");
        Check.equal(text(got[3].value()), "", "value of c");
        Check.that(Arrays.equals(got[4].value(), binary), "value of d");
        return "";
    }

    static String nulls(Broker broker) throws Exception {
        String topic = broker.create("nulls", 1);
        byte[] empty = {};
        try (KafkaProducer<byte[], byte[]> p = broker.producer()) {
            p.send(new ProducerRecord<>(topic, null, bytes("v"))).get();
            p.send(new ProducerRecord<>(topic, bytes("k"), null)).get();
            p.send(new ProducerRecord<byte[], byte[]>(topic, null, null)).get();
            p.send(new ProducerRecord<>(topic, empty, empty)).get();
        }
        List<String> got = broker.read(topic, 0, 4).stream()
                .map(r -> text(r.key()) + ":" + text(r.value())).toList();
        Check.equal(got, List.of("null:v", "k:null", "null:null", ":"), "keys and values");
        return "";
    }
}

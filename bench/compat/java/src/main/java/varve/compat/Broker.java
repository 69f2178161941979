package varve.compat;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** The broker under test, and clients of it. */
final class Broker {
    private static final Duration READ_TIME = Duration.ofSeconds(40);

    final String bootstrap;
    private final String prefix;

    Broker(String bootstrap, String prefix) {
        this.bootstrap = bootstrap;
        this.prefix = prefix;
    }

    /** The name of a topic, group or transactional id of a scenario. */
    String name(String of) {
        return prefix + "." + of;
    }

    String prefix() {
        return prefix;
    }

    private Properties properties(String... settings) {
        Properties p = new Properties();
        p.put("bootstrap.servers", bootstrap);
        for (int i = 0; i < settings.length; i += 2) {
            p.put(settings[i], settings[i + 1]);
        }
        return p;
    }

    Admin admin() {
        return Admin.create(properties("request.timeout.ms", "20000"));
    }

    /** A producer with acks=all and settings given as name, value, name, value. */
    KafkaProducer<byte[], byte[]> producer(String... settings) {
        Properties p = properties(settings);
        p.putIfAbsent("acks", "all");
        p.putIfAbsent("linger.ms", "5");
        p.putIfAbsent("delivery.timeout.ms", "40000");
        p.putIfAbsent("request.timeout.ms", "20000");
        return new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** A consumer that starts at the earliest offset and does not commit by itself. */
    KafkaConsumer<byte[], byte[]> consumer(String... settings) {
        Properties p = properties(settings);
        p.putIfAbsent("auto.offset.reset", "earliest");
        p.putIfAbsent("enable.auto.commit", "false");
        p.putIfAbsent("default.api.timeout.ms", "40000");
        return new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    /** Makes a topic of a scenario, with settings given as name, value, name, value. */
    String create(String of, int partitions, String... settings) throws Exception {
        Map<String, String> configs = new HashMap<>();
        for (int i = 0; i < settings.length; i += 2) {
            configs.put(settings[i], settings[i + 1]);
        }
        String topic = name(of);
        try (Admin admin = admin()) {
            NewTopic wanted = new NewTopic(topic, partitions, (short) 1).configs(configs);
            admin.createTopics(List.of(wanted)).all().get();
        }
        return topic;
    }

    /** Sends records and waits for the acks of all of them. */
    static void send(KafkaProducer<byte[], byte[]> p, List<ProducerRecord<byte[], byte[]>> records)
            throws Exception {
        List<Future<RecordMetadata>> acks = new ArrayList<>();
        for (ProducerRecord<byte[], byte[]> r : records) {
            acks.add(p.send(r));
        }
        p.flush();
        for (Future<RecordMetadata> ack : acks) {
            ack.get();
        }
    }

    /** Reads one partition by assignment from its beginning until it has so many records. */
    List<ConsumerRecord<byte[], byte[]>> read(
            String topic, int partition, int count, String... settings) {
        try (KafkaConsumer<byte[], byte[]> c = consumer(settings)) {
            TopicPartition tp = new TopicPartition(topic, partition);
            c.assign(List.of(tp));
            c.seekToBeginning(List.of(tp));
            return poll(c, count);
        }
    }

    /** Polls until there are so many records, and once more so that too many are seen. */
    static List<ConsumerRecord<byte[], byte[]>> poll(KafkaConsumer<byte[], byte[]> c, int count) {
        List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
        long deadline = System.nanoTime() + READ_TIME.toNanos();
        while (got.size() < count && System.nanoTime() < deadline) {
            c.poll(Duration.ofMillis(200)).forEach(got::add);
        }
        c.poll(Duration.ofMillis(200)).forEach(got::add);
        Check.equal(got.size(), count, "records read");
        return got;
    }

    static byte[] bytes(String s) {
        return s.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] b) {
        return b == null ? null : new String(b, StandardCharsets.UTF_8);
    }

    static List<String> values(List<ConsumerRecord<byte[], byte[]>> records) {
        return records.stream().map(r -> text(r.value())).toList();
    }
}

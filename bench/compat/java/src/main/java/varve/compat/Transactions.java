package varve.compat;

import static varve.compat.Broker.bytes;
import static varve.compat.Broker.values;

import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;

/** The scenario of transactions. */
final class Transactions {
    private Transactions() {}

    static String run(Broker broker) throws Exception {
        String topic = broker.create("transactions", 2);
        String id = broker.name("transactions");
        TopicPartition tp = new TopicPartition(topic, 0);
        ConsumerGroupMetadata group = new ConsumerGroupMetadata(id);
        try (KafkaProducer<byte[], byte[]> p = producer(broker, id)) {
            p.beginTransaction();
            Broker.send(p, records(topic, "a"));
            p.commitTransaction();
            p.beginTransaction();
            Broker.send(p, records(topic, "b"));
            p.sendOffsetsToTransaction(Map.of(tp, new OffsetAndMetadata(3)), group);
            p.abortTransaction();
            p.beginTransaction();
            Broker.send(p, records(topic, "c"));
            p.sendOffsetsToTransaction(Map.of(tp, new OffsetAndMetadata(7)), group);
            p.commitTransaction();
            read(broker, topic, id);
            fencing(broker, topic, id, p);
        }
        return "";
    }

    private static KafkaProducer<byte[], byte[]> producer(Broker broker, String id) {
        KafkaProducer<byte[], byte[]> p = broker.producer("transactional.id", id);
        p.initTransactions();
        return p;
    }

    private static List<ProducerRecord<byte[], byte[]>> records(String topic, String letter) {
        return IntStream.range(0, 50).mapToObj(
                i -> new ProducerRecord<byte[], byte[]>(topic, i % 2, null, bytes(letter + i))).toList();
    }

    private static void read(Broker broker, String topic, String group) {
        for (int partition = 0; partition < 2; partition++) {
            int first = partition;
            List<String> want = Stream.of("a", "c")
                    .flatMap(l -> IntStream.range(0, 25).mapToObj(i -> l + (2 * i + first))).toList();
            Check.equal(values(broker.read(topic, partition, 50, "isolation.level", "read_committed")),
                    want, "committed in partition " + partition);
            broker.read(topic, partition, 75, "isolation.level", "read_uncommitted");
        }
        TopicPartition tp = new TopicPartition(topic, 0);
        try (KafkaConsumer<byte[], byte[]> c = broker.consumer("group.id", group)) {
            Check.equal(c.committed(Set.of(tp)).get(tp), new OffsetAndMetadata(7), "committed offset");
        }
    }

    private static void fencing(
            Broker broker, String topic, String id, KafkaProducer<byte[], byte[]> old) throws Exception {
        try (KafkaProducer<byte[], byte[]> young = producer(broker, id)) {
            Check.fails(() -> {
                old.beginTransaction();
                old.send(new ProducerRecord<>(topic, bytes("late"))).get();
                old.commitTransaction();
                return "committed";
            }, List.of(ProducerFencedException.class, InvalidProducerEpochException.class));
            young.beginTransaction();
            young.commitTransaction();
        }
    }
}

package varve.compat;

import static varve.compat.Broker.text;

import java.io.IOException;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.CommitFailedException;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;

/** One member of a group, which tells on stdout what it owns and what it reads until stdin ends. */
final class GroupMember implements ConsumerRebalanceListener {
    private final TreeSet<Integer> owned = new TreeSet<>();

    static void run(Map<String, String> args) {
        String[] settings = settings(args);
        if (settings == null) {
            System.out.println(Json.object("event", "absent", "detail", "the library has no group.protocol"));
            return;
        }
        GroupMember member = new GroupMember();
        try (KafkaConsumer<byte[], byte[]> c =
                new Broker(args.get("bootstrap"), "").consumer(settings)) {
            c.subscribe(List.of(args.get("topic")), member);
            while (!ended) {
                member.poll(c);
            }
        } catch (Exception e) {
            System.out.println(Json.object("event", "error", "detail", e.toString()));
            System.exit(1);
        }
        System.out.println(Json.object("event", "left"));
    }

    private static volatile boolean ended;

    /** Watches stdin, whose end says: leave. */
    static void watchStdin() {
        Thread t = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                    // nothing is said before the end
                }
            } catch (IOException e) {
                // the same as its end
            }
            ended = true;
        });
        t.setDaemon(true);
        t.start();
    }

    private static String[] settings(Map<String, String> args) {
        String protocol = args.getOrDefault("protocol", "classic");
        java.util.ArrayList<String> s = new java.util.ArrayList<>(List.of(
                "group.id", args.get("group"), "client.id", args.getOrDefault("client-id", "java"),
                "max.poll.interval.ms", "10000"));
        if (protocol.equals("consumer")) {
            if (!Compat.hasConsumerProtocol()) {
                return null;
            }
            s.addAll(List.of("group.protocol", "consumer"));
        } else {
            String assignor = args.getOrDefault("assignor", "range").equals("cooperative")
                    ? "CooperativeStickyAssignor" : "RangeAssignor";
            s.addAll(List.of("session.timeout.ms", "6000", "heartbeat.interval.ms", "500",
                    "partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor));
        }
        if (args.containsKey("instance")) {
            s.addAll(List.of("group.instance.id", args.get("instance")));
        }
        return s.toArray(String[]::new);
    }

    private void poll(KafkaConsumer<byte[], byte[]> c) {
        ConsumerRecords<byte[], byte[]> records = c.poll(Duration.ofMillis(100));
        for (ConsumerRecord<byte[], byte[]> r : records) {
            System.out.println(Json.object("event", "record", "partition", r.partition(),
                    "offset", r.offset(), "value", text(r.value())));
        }
        if (records.isEmpty()) {
            return;
        }
        try {
            c.commitSync();
        } catch (CommitFailedException | RebalanceInProgressException e) {
            System.err.println("commit: " + e); // the next owner gets these records again
        }
    }

    @Override
    public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
        partitions.forEach(tp -> owned.add(tp.partition()));
        tell();
    }

    @Override
    public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
        partitions.forEach(tp -> owned.remove(tp.partition()));
        tell();
    }

    private void tell() {
        System.out.println(Json.object("event", "assigned", "partitions", owned));
    }
}

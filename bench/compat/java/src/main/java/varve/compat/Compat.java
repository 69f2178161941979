package varve.compat;

import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.DescribeLogDirsResult;
import org.apache.kafka.clients.admin.DescribeTopicsResult;
import org.apache.kafka.clients.admin.LogDirDescription;
import org.apache.kafka.clients.admin.ReplicaInfo;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;

/** Calls whose names differ between the versions of the client. */
final class Compat {
    private Compat() {}

    @SuppressWarnings("unchecked")
    static TopicDescription describe(Admin admin, String topic) throws Exception {
        DescribeTopicsResult result = admin.describeTopics(List.of(topic));
        String name = has(result.getClass(), "topicNameValues") ? "topicNameValues" : "values";
        Object values = result.getClass().getMethod(name).invoke(result);
        return ((Map<String, KafkaFuture<TopicDescription>>) values).get(topic).get();
    }

    /** Whether this version of the client has a method without arguments. */
    static boolean has(Class<?> in, String method) {
        try {
            in.getMethod(method);
            return true;
        } catch (NoSuchMethodException e) {
            return false;
        }
    }

    /** Whether the client knows the groups of KIP-848. */
    static boolean hasConsumerProtocol() {
        try {
            ConsumerConfig.class.getField("GROUP_PROTOCOL_CONFIG");
            return true;
        } catch (NoSuchFieldException e) {
            return false;
        }
    }

    /** The bytes that a node's log directories hold of a topic. */
    @SuppressWarnings("unchecked")
    static long logDirs(Admin admin, int node, String topic) throws Exception {
        DescribeLogDirsResult result = admin.describeLogDirs(List.of(node));
        String name = has(result.getClass(), "allDescriptions") ? "allDescriptions" : "all";
        Object all = ((KafkaFuture<?>) result.getClass().getMethod(name).invoke(result)).get();
        long bytes = 0;
        for (LogDirDescription d : ((Map<Integer, Map<String, LogDirDescription>>) all).get(node).values()) {
            for (Map.Entry<TopicPartition, ReplicaInfo> r : d.replicaInfos().entrySet()) {
                bytes += r.getKey().topic().equals(topic) ? r.getValue().size() : 0;
            }
        }
        return bytes;
    }
}

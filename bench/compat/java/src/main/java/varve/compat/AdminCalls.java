package varve.compat;

import static varve.compat.Broker.bytes;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.SecurityDisabledException;
import org.apache.kafka.common.errors.TopicExistsException;

/** The scenario of admin calls. */
final class AdminCalls {
    private AdminCalls() {}

    static String run(Broker broker) throws Exception {
        String topic = broker.name("admin");
        try (Admin admin = broker.admin()) {
            create(admin, topic);
            configs(admin, topic);
            partitions(admin, topic);
            deleteRecords(broker, admin, topic);
            group(admin, topic);
            cluster(admin, topic);
            admin.deleteTopics(List.of(topic)).all().get();
            Check.await(10, () -> !admin.listTopics().names().get().contains(topic),
                    () -> topic + " is still listed");
        }
        return "";
    }

    private static void create(Admin admin, String topic) throws Exception {
        NewTopic wanted = new NewTopic(topic, 2, (short) 1)
                .configs(Map.of("retention.ms", "3600000", "cleanup.policy", "delete"));
        admin.createTopics(List.of(wanted)).all().get();
        Check.fails(TopicExistsException.class, () -> admin.createTopics(List.of(wanted)).all().get());
        Check.that(admin.listTopics().names().get().contains(topic), topic + " is not listed");
        Check.equal(Compat.describe(admin, topic).partitions().size(), 2, "partitions");
    }

    private static void configs(Admin admin, String topic) throws Exception {
        ConfigResource resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        Check.equal(config(admin, resource, "retention.ms"), "3600000", "retention.ms");
        AlterConfigOp set = new AlterConfigOp(
                new ConfigEntry("retention.ms", "7200000"), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(resource, List.of(set))).all().get();
        Check.await(10, () -> config(admin, resource, "retention.ms").equals("7200000"),
                () -> "retention.ms is " + config(admin, resource, "retention.ms"));
        Check.equal(config(admin, resource, "cleanup.policy"), "delete", "cleanup.policy");
    }

    private static String config(Admin admin, ConfigResource resource, String name) throws Exception {
        Config all = admin.describeConfigs(List.of(resource)).all().get().get(resource);
        return all.get(name).value();
    }

    private static void partitions(Admin admin, String topic) throws Exception {
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all().get();
        Check.await(10, () -> Compat.describe(admin, topic).partitions().size() == 4,
                () -> Compat.describe(admin, topic));
    }

    private static void deleteRecords(Broker broker, Admin admin, String topic) throws Exception {
        TopicPartition tp = new TopicPartition(topic, 0);
        List<ProducerRecord<byte[], byte[]>> records = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            records.add(new ProducerRecord<>(topic, 0, null, bytes("r" + i)));
        }
        try (KafkaProducer<byte[], byte[]> p = broker.producer()) {
            Broker.send(p, records);
        }
        long mark = admin.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(5)))
                .lowWatermarks().get(tp).get().lowWatermark();
        Check.equal(mark, 5L, "low watermark");
        Check.equal(offset(admin, tp, OffsetSpec.earliest()), 5L, "earliest offset");
        Check.equal(offset(admin, tp, OffsetSpec.latest()), 10L, "latest offset");
    }

    private static long offset(Admin admin, TopicPartition tp, OffsetSpec spec) throws Exception {
        return admin.listOffsets(Map.of(tp, spec)).partitionResult(tp).get().offset();
    }

    private static void group(Admin admin, String topic) throws Exception {
        String group = topic;
        TopicPartition tp = new TopicPartition(topic, 0);
        TopicPartition other = new TopicPartition(topic, 1);
        OffsetAndMetadata six = new OffsetAndMetadata(6, "here");
        admin.alterConsumerGroupOffsets(group, Map.of(tp, six, other, six)).all().get();
        Check.that(listed(admin, group), group + " is not listed");
        ConsumerGroupDescription d = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
        Check.equal(d.state().toString(), "Empty", "state");
        Check.equal(d.members().size(), 0, "members");
        admin.deleteConsumerGroupOffsets(group, Set.of(other)).all().get();
        Check.equal(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get(),
                Map.of(tp, six), "committed offsets");
        admin.deleteConsumerGroups(List.of(group)).all().get();
        Check.that(!listed(admin, group), group + " is still listed");
        Check.fails(GroupIdNotFoundException.class,
                () -> admin.deleteConsumerGroups(List.of(group)).all().get());
    }

    private static boolean listed(Admin admin, String group) throws Exception {
        return admin.listConsumerGroups().all().get().stream().anyMatch(g -> g.groupId().equals(group));
    }

    private static void cluster(Admin admin, String topic) throws Exception {
        int node = admin.describeCluster().nodes().get().iterator().next().id();
        Check.equal(admin.describeCluster().controller().get().id(), node, "controller");
        Check.that(Compat.logDirs(admin, node, topic) > 0, "log directories show no bytes of the topic");
        Check.equal(admin.listPartitionReassignments().reassignments().get(), Map.of(), "reassignments");
        Check.fails(SecurityDisabledException.class, () -> admin.describeAcls(
                org.apache.kafka.common.acl.AclBindingFilter.ANY).values().get());
    }
}

package varve.compat;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.common.utils.AppInfoParser;

/** The driver that bench/compat/README.md describes, over Kafka's Java client. */
public final class Main {
    private static final int SCENARIO_SECONDS = 60;

    private Main() {}

    public static void main(String[] arguments) throws Exception {
        System.setOut(new PrintStream(
                new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8));
        Map<String, String> args = parse(arguments);
        if (args.get("scenario").equals("member")) {
            GroupMember.watchStdin();
            GroupMember.run(args);
            System.exit(0);
        }
        Map<String, Scenario> wanted = scenarios();
        if (!args.get("scenario").equals("all")) {
            wanted.keySet().retainAll(java.util.Set.of(args.get("scenario")));
        }
        if (wanted.isEmpty()) {
            System.err.println("no scenario " + args.get("scenario"));
            System.exit(2);
        }
        Broker broker = new Broker(args.get("bootstrap"), args.get("prefix"));
        wanted.forEach((name, scenario) -> report(name, scenario, broker));
        System.exit(0);
    }

    private static Map<String, String> parse(String[] args) {
        Map<String, String> m = new HashMap<>();
        for (int i = 0; i + 1 < args.length; i += 2) {
            m.put(args[i].replaceFirst("^--", ""), args[i + 1]);
        }
        return m;
    }

    private static Map<String, Scenario> scenarios() {
        Map<String, Scenario> m = new LinkedHashMap<>();
        m.put("codecs", Records::codecs);
        m.put("idempotent", Records::idempotent);
        m.put("transactions", Transactions::run);
        m.put("time", Reading::time);
        m.put("admin", AdminCalls::run);
        m.put("large", Records::large);
        m.put("headers", Records::headers);
        m.put("nulls", Records::nulls);
        m.put("partitions", Reading::partitions);
        m.put("sealed", Reading::sealed);
        return m;
    }

    private static void report(String name, Scenario scenario, Broker broker) {
        long begun = System.nanoTime();
        String result = "pass";
        String detail;
        try {
            detail = within(scenario, broker);
        } catch (Throwable e) {
            result = "fail";
            detail = e.getMessage() == null || !(e instanceof AssertionError) ? e.toString() : e.getMessage();
            e.printStackTrace();
        }
        System.out.println(Json.object("client", "kafka-clients", "version", AppInfoParser.getVersion(),
                "scenario", name, "result", result, "detail", detail,
                "ms", (System.nanoTime() - begun) / 1_000_000));
    }

    private static String within(Scenario scenario, Broker broker) throws Throwable {
        ExecutorService one = Executors.newSingleThreadExecutor();
        Future<String> run = one.submit(() -> scenario.run(broker));
        try {
            return run.get(SCENARIO_SECONDS, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            throw new AssertionError("not done within " + SCENARIO_SECONDS + " s");
        } catch (ExecutionException e) {
            Throwable t = e.getCause();
            throw t instanceof ExecutionException && t.getCause() != null ? t.getCause() : t;
        } finally {
            one.shutdownNow();
        }
    }
}

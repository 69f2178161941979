package varve.compat;

import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;

/** What a scenario says about what it saw. */
final class Check {
    private Check() {}

    static void that(boolean holds, String what) {
        if (!holds) {
            throw new AssertionError(what);
        }
    }

    static void equal(Object got, Object want, String what) {
        if (!Objects.equals(got, want)) {
            throw new AssertionError(what + ": got " + got + ", want " + want);
        }
    }

    /** Requires that a call fails with an error of one of these classes, alone or as a cause. */
    static void fails(Callable<?> call, List<Class<?>> want) throws Exception {
        Object got;
        try {
            got = call.call();
        } catch (Exception e) {
            for (Throwable t = e; t != null; t = t.getCause()) {
                for (Class<?> c : want) {
                    if (c.isInstance(t)) {
                        return;
                    }
                }
            }
            throw new AssertionError("want " + want + ", got " + e, e);
        }
        throw new AssertionError("want " + want + ", got success: " + got);
    }

    static void fails(Class<?> want, Callable<?> call) throws Exception {
        fails(call, List.of(want));
    }

    /** Waits until something holds; the state tells what was last seen. */
    static void await(int seconds, Callable<Boolean> holds, Callable<Object> state) throws Exception {
        long deadline = System.nanoTime() + seconds * 1_000_000_000L;
        while (!holds.call()) {
            if (System.nanoTime() > deadline) {
                throw new AssertionError("not within " + seconds + " s: " + state.call());
            }
            Thread.sleep(50);
        }
    }
}

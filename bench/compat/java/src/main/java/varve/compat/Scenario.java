package varve.compat;

/** One thing that a client is used for. */
interface Scenario {
    /** Throws when the broker does not behave as written; else tells which steps the client lacks. */
    String run(Broker broker) throws Exception;
}

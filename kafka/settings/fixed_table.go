package settings

const (
	byGoroutines = "there are no thread pools: each connection has its own goroutines"
	bySystem     = "the system's own size is used"
)

// fixedAgentSettings are Kafka's broker settings that many clusters set and that have no meaning
// here: their default is taken and nothing else, with the reason.
var fixedAgentSettings = []*Setting{
	{
		Name: "auto.leader.rebalance.enable", Type: Boolean, Default: "true", ReadOnly: true,
		Doc: "Give leadership back to the preferred replica.", Unsupported: "there is one replica",
	},
	{
		Name: "background.threads", Type: Int, Default: "10", ReadOnly: true,
		Doc: "Threads of background work.", check: atLeast(1), Unsupported: byGoroutines,
	},
	{
		Name: "controlled.shutdown.enable", Type: Boolean, Default: "true", ReadOnly: true,
		Doc: "Hand leadership over before a stop.", Unsupported: "a stop is always in order",
	},
	{
		Name: "num.io.threads", Type: Int, Default: "8", ReadOnly: true,
		Doc: "Threads that handle requests.", check: atLeast(1), Unsupported: byGoroutines,
	},
	{
		Name: "num.network.threads", Type: Int, Default: "3", ReadOnly: true,
		Doc: "Threads that read requests and write answers.", check: atLeast(1),
		Unsupported: byGoroutines,
	},
	{
		Name: "num.recovery.threads.per.data.dir", Type: Int, Default: "2", ReadOnly: true,
		Doc: "Threads that recover logs at a start.", check: atLeast(1), Unsupported: byGoroutines,
	},
	{
		Name: "num.replica.fetchers", Type: Int, Default: "1", ReadOnly: true,
		Doc: "Threads that fetch as a follower.", Unsupported: "there is one replica",
	},
	{
		Name: "queued.max.requests", Type: Int, Default: "500", ReadOnly: true,
		Doc:   "Requests that may wait for a thread.",
		check: atLeast(1), Unsupported: "queued.max.request.bytes bounds them",
	},
	{
		Name: "socket.listen.backlog.size", Type: Int, Default: "50", ReadOnly: true,
		Doc: "Connections that may wait to be accepted.", check: atLeast(1), Unsupported: bySystem,
	},
	{
		Name: "socket.receive.buffer.bytes", Type: Int, Default: "102400", ReadOnly: true,
		Doc: "SO_RCVBUF of connections.", Unsupported: bySystem,
	},
	{
		Name: "socket.send.buffer.bytes", Type: Int, Default: "102400", ReadOnly: true,
		Doc: "SO_SNDBUF of connections.", Unsupported: bySystem,
	},
}

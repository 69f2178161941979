package agent

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// hangingAfter is how long beyond transaction.max.timeout.ms a transaction may have had no append before
// it counts as hanging, as in Kafka.
const hangingAfter = 5 * time.Minute

// watchTransactions shows transactions that no coordinator seems to end. They hold back the last stable
// offset, and with it readers of committed records and sealing.
func (a *Agent) watchTransactions() {
	f := promauto.With(a.registry)
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "varve", Subsystem: "agent", Name: "hanging_transactions",
		Help: "Open transactions without an append for longer than any may run.",
	}, func() float64 {
		count, _ := a.hangingTransactions(time.Now())
		return float64(count)
	})
	f.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: "varve", Subsystem: "agent", Name: "hanging_transaction_age_seconds",
		Help: "Time since the last append to the transaction that hangs for longest; 0 without one.",
	}, func() float64 {
		_, age := a.hangingTransactions(time.Now())
		return age.Seconds()
	})
}

// hangingTransactions counts them over all partitions and gives the age of the oldest.
func (a *Agent) hangingTransactions(now time.Time) (count int, age time.Duration) {
	t := a.topology.Load()
	if t == nil {
		return 0, 0
	}
	before := now.Add(-t.settings.Transactions.MaxTimeout - hangingAfter)
	for _, p := range t.open {
		n, since := p.Log().OpenTransactions(before)
		if count += n; n > 0 {
			age = max(age, now.Sub(since))
		}
	}
	return count, age
}

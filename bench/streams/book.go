package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/varve-log/varve/bench/jvm"
)

const (
	users    = 200
	regions  = 7
	apart    = 25 // milliseconds between the timestamps of two orders
	windowMS = 10_000
	seed     = 11
)

// book knows every order and what must come of it.
type book struct {
	orders int
	next   int            // order to be written next
	begun  int64          // timestamp of the first order in milliseconds
	user   []int          // by order
	want   map[string]int // orders by region@window
}

func newBook(orders int) *book {
	b := &book{orders: orders, user: make([]int, orders), want: map[string]int{}}
	// The last order is of now: topics of old timestamps would be retention's.
	b.begun = time.Now().UnixMilli() - int64(orders)*apart
	rng := rand.New(rand.NewPCG(seed, seed))
	for i := range orders {
		b.user[i] = rng.IntN(users)
		b.want[b.window(i)]++
	}
	return b
}

func userKey(user int) string { return "user" + strconv.Itoa(user) }

func region(user int) string { return "region" + strconv.Itoa(user%regions) }

func (b *book) timestamp(order int) int64 { return b.begun + int64(order)*apart }

func (b *book) window(order int) string {
	at := b.timestamp(order)
	return fmt.Sprintf("%s@%d", region(b.user[order]), at-at%windowMS)
}

// writeUsers fills the table. Its timestamps lie before those of all orders.
func (b *book) writeUsers(ctx context.Context, bootstrap string) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic("users"))
	if err != nil {
		return err
	}
	defer cl.Close()
	var rs []*kgo.Record
	for u := range users {
		rs = append(rs, &kgo.Record{
			Key: []byte(userKey(u)), Value: []byte(region(u)), Timestamp: time.UnixMilli(b.begun - 1000),
		})
	}
	if err := cl.ProduceSync(ctx, rs...).FirstErr(); err != nil {
		return fmt.Errorf("write users: %w", err)
	}
	return nil
}

// writeOrders writes orders at the rate given until so many are written.
func (b *book) writeOrders(ctx context.Context, bootstrap string, rate, until int) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(bootstrap), kgo.DefaultProduceTopic("orders"))
	if err != nil {
		return err
	}
	defer cl.Close()
	const tick = 50 * time.Millisecond
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	each := max(1, rate*int(tick)/int(time.Second))
	for b.next < until {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return fmt.Errorf("write orders: %w", ctx.Err())
		}
		var rs []*kgo.Record
		for ; len(rs) < each && b.next < until; b.next++ {
			rs = append(rs, &kgo.Record{
				Key: []byte(userKey(b.user[b.next])), Value: []byte(strconv.Itoa(b.next)),
				Timestamp: time.UnixMilli(b.timestamp(b.next)),
			})
		}
		if err := cl.ProduceSync(ctx, rs...).FirstErr(); err != nil {
			return fmt.Errorf("write orders: %w", err)
		}
	}
	return nil
}

// tally is what was read of the results.
type tally struct {
	book     *book
	enriched map[int]bool
	counts   map[string]int // highest count by region@window
	counted  int
	wrong    error
}

// read follows both results until each has so many records.
func (r *run) read(ctx context.Context, want int) (*tally, error) {
	t := &tally{book: r.book, enriched: map[int]bool{}, counts: map[string]int{}}
	err := jvm.Follow(ctx, r.Bootstrap, r.limit, []string{"enriched", "counts"},
		func(rec *kgo.Record) bool {
			t.wrong = t.see(rec)
			return t.wrong != nil || len(t.enriched) >= want && t.counted >= want
		})
	if err != nil {
		return t, fmt.Errorf("%w: %d joined and %d counted of %d", err, len(t.enriched), t.counted, want)
	}
	return t, t.wrong
}

// see takes one record of a result and refuses what is wrong or there twice.
func (t *tally) see(rec *kgo.Record) error {
	key, value := string(rec.Key), string(rec.Value)
	if rec.Topic == "counts" {
		count, err := strconv.Atoi(value)
		if err != nil || count != t.counts[key]+1 || count > t.book.want[key] {
			return fmt.Errorf("count of %s is %q after %d, of %d in all",
				key, value, t.counts[key], t.book.want[key])
		}
		t.counts[key]++
		t.counted++
		return nil
	}
	number, in, _ := strings.Cut(value, "@")
	order, err := strconv.Atoi(number)
	if err != nil || order < 0 || order >= t.book.orders {
		return fmt.Errorf("joined %q of %s", value, key)
	}
	if u := t.book.user[order]; key != userKey(u) || in != region(u) {
		return fmt.Errorf("order %d was joined as %q of %s", order, value, key)
	}
	if t.enriched[order] {
		return fmt.Errorf("order %d was joined twice", order)
	}
	t.enriched[order] = true
	return nil
}

// check reads everything and some time more, in which nothing may come.
func (r *run) check(ctx context.Context) error {
	t, err := r.read(ctx, r.book.orders)
	if err != nil {
		return err
	}
	for key, want := range r.book.want {
		if t.counts[key] != want {
			return fmt.Errorf("count of %s is %d, want %d", key, t.counts[key], want)
		}
	}
	fmt.Printf("streams: %d orders joined once, %d windows counted exactly\n",
		len(t.enriched), len(t.counts))
	return nil
}

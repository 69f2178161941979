package file

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	lockShards  = 64
	lockWaitMin = 50 * time.Microsecond
	lockWaitMax = 5 * time.Millisecond
)

// lockSet is a fixed set of locks shared by all processes on one store. Within this process a
// channel of one place stands before each flock, so that a waiting goroutine does not hold a
// thread.
type lockSet struct {
	dir    string
	shards [lockShards]lockShard
}

type lockShard struct {
	once sync.Once
	turn chan struct{}
	file *os.File // opened by the first holder, guarded by turn
}

func newLockSet(dir string) *lockSet { return &lockSet{dir: dir} }

// lock takes the lock of a key; unlock gives it back and must be called once.
func (l *lockSet) lock(ctx context.Context, key string) (unlock func(), err error) {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	n := h.Sum32() % lockShards
	sh := &l.shards[n]
	sh.once.Do(func() { sh.turn = make(chan struct{}, 1) })
	select {
	case sh.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if err := l.flock(ctx, sh, n); err != nil {
		<-sh.turn
		return nil, fmt.Errorf("lock: %w", err)
	}
	return func() {
		_ = releaseLock(sh.file)
		<-sh.turn
	}, nil
}

// flock polls, since a blocking flock cannot be interrupted by a context.
func (l *lockSet) flock(ctx context.Context, sh *lockShard, n uint32) error {
	if sh.file == nil {
		f, err := l.open(n)
		if err != nil {
			return err
		}
		sh.file = f
	}
	for wait := lockWaitMin; ; wait = min(2*wait, lockWaitMax) {
		got, err := tryLock(sh.file)
		if got || err != nil {
			return err
		}
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return ctx.Err()
		}
	}
}

func (l *lockSet) open(n uint32) (*os.File, error) {
	name := filepath.Join(l.dir, fmt.Sprintf("%02x", n))
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := makeDirs(l.dir); err != nil {
		return nil, err
	}
	return os.OpenFile(name, os.O_RDWR|os.O_CREATE, fileMode)
}

// close closes the lock files; whoever still holds a lock finishes first.
func (l *lockSet) close() error {
	var errs []error
	for i := range l.shards {
		sh := &l.shards[i]
		sh.once.Do(func() { sh.turn = make(chan struct{}, 1) })
		sh.turn <- struct{}{}
		if sh.file != nil {
			errs = append(errs, sh.file.Close())
			sh.file = nil
		}
		<-sh.turn
	}
	return errors.Join(errs...)
}

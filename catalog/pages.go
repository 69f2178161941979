package catalog

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/varve-log/varve/catalog/manifest"
	"github.com/varve-log/varve/internal/objstore"
	"github.com/varve-log/varve/kafka"
)

// pageCache keeps decoded manifest pages, least recently used first out, bounded by their items.
type pageCache struct {
	store   objstore.Store
	metrics *Metrics
	itemMax int

	mu    sync.Mutex
	items int
	order *list.List // of *cachedPage, newest in front
	byKey map[string]*list.Element
}

type cachedPage struct {
	key  string
	page manifest.Page
}

func (p cachedPage) weight() int { return len(p.page.Entries) + len(p.page.Refs) }

func newPageCache(store objstore.Store, metrics *Metrics, itemMax int) *pageCache {
	return &pageCache{
		store: store, metrics: metrics, itemMax: itemMax, order: list.New(),
		byKey: map[string]*list.Element{},
	}
}

// load gives the page that ref names. errVanished when the object is gone: look at a newer head.
func (c *pageCache) load(
	ctx context.Context, tp kafka.TopicPartition, ref manifest.PageRef,
) (manifest.Page, error) {
	key := ref.Key(tp)
	if p, ok := c.get(key); ok {
		c.metrics.pageLoads.WithLabelValues("true").Inc()
		return p, nil
	}
	c.metrics.pageLoads.WithLabelValues("false").Inc()
	raw, _, err := objstore.ReadAll(ctx, c.store, key, manifest.PageBytesMax)
	if errors.Is(err, objstore.ErrNotFound) {
		return manifest.Page{}, fmt.Errorf("read manifest page: %w: %w", errVanished, err)
	}
	if err != nil {
		return manifest.Page{}, fmt.Errorf("read manifest page: %w", err)
	}
	p, err := manifest.DecodePage(raw)
	if err != nil {
		return manifest.Page{}, fmt.Errorf("read manifest page %s: %w", key, err)
	}
	if err := p.Check(tp, ref); err != nil {
		return manifest.Page{}, fmt.Errorf("read manifest page: %w", err)
	}
	c.put(key, p)
	return p, nil
}

func (c *pageCache) get(key string) (manifest.Page, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byKey[key]
	if !ok {
		return manifest.Page{}, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*cachedPage).page, true
}

func (c *pageCache) put(key string, p manifest.Page) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, ok := c.byKey[key]; ok {
		return
	}
	cp := &cachedPage{key: key, page: p}
	c.byKey[key] = c.order.PushFront(cp)
	c.items += cp.weight()
	for c.items > c.itemMax && c.order.Len() > 1 {
		last := c.order.Back()
		old := c.order.Remove(last).(*cachedPage)
		delete(c.byKey, old.key)
		c.items -= old.weight()
	}
}

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/store"
)

// scope names whose answers state is built from: the server, and the tenant that
// plain headers ask for. Secrets are not in it.
func scope(cfg *config.Config) string {
	var b strings.Builder
	b.WriteString(strings.TrimRight(cfg.Prometheus.URL, "/"))
	if h := cfg.Prometheus.HTTP.HTTPHeaders; h != nil {
		var plain []string
		for name, header := range h.Headers {
			for _, v := range header.Values {
				plain = append(plain, fmt.Sprintf("%q: %q", name, v))
			}
		}
		slices.Sort(plain)
		b.WriteString("\n" + strings.Join(plain, "\n"))
	}
	return b.String()
}

// scope returns that of the configuration in use.
func (s *sidecar) scope() string { return *s.server.Load() }

// checkpoints keeps the state of tasks for one server at a time.
type checkpoints struct {
	*store.Checkpoints
	scope func() string
}

func (c *checkpoints) key(key string) string { return c.scope() + "\n" + key }

// Save implements pipeline.Keeper.
func (c *checkpoints) Save(task, key string, write func(io.Writer) error) error {
	return c.Checkpoints.Save(task, c.key(key), write)
}

// Load implements pipeline.Keeper.
func (c *checkpoints) Load(task, key string, read func(io.Reader) error) error {
	return c.Checkpoints.Load(task, c.key(key), read)
}

// storage cleans the data directory up and registers its metrics.
func (s *sidecar) storage(dir string) {
	if err := store.RemoveTemporary(dir); err != nil {
		s.log.Warn("files of a killed process were not removed", "err", err)
	}
	u := &usage{dir: dir}
	collector.NewGaugeFunc(s.reg, "upid_storage_bytes", func() float64 { used, _ := u.get(); return float64(used) })
	collector.NewGaugeFunc(s.reg, "upid_storage_free_bytes", func() float64 { _, free := u.get(); return float64(free) })
}

// usage remembers how large a directory is: to look takes a while.
type usage struct {
	dir        string
	mu         sync.Mutex
	at         time.Time
	used, free int64
}

// usageEvery is how old an answer may be.
const usageEvery = 15 * time.Second

func (u *usage) get() (used, free int64) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at.IsZero() || time.Since(u.at) > usageEvery {
		u.used, u.free = store.Usage(u.dir)
		u.at = time.Now()
	}
	return u.used, u.free
}

// holdLock takes the data directory again when somebody has removed it: what is
// written next makes a new one, which another process could take.
func (s *sidecar) holdLock(ctx context.Context) error {
	t := time.NewTicker(lockEvery)
	defer t.Stop()
	failed := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
		}
		again, err := s.lock.Hold()
		switch {
		case errors.Is(err, store.ErrLocked):
			return err // two processes must not share it
		case err != nil && !failed:
			s.log.Error("data directory gone", "err", err)
		case again:
			s.log.Warn("data directory was removed and is made anew")
		}
		failed = err != nil
	}
}

const lockEvery = 5 * time.Second

package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector"
	"github.com/upid/upid/collector/history"
	"github.com/upid/upid/collector/store"
)

// scope names whose answers state is built from: the server, and the tenant that
// plain headers ask for, and under which names what they say is known. Secrets are not in it.
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
	b.WriteString(cfg.Privacy.Fingerprint)
	return b.String()
}

// storageKeys reads the keys that the data directory is sealed with, nil if it is not.
func storageKeys(cfg *config.Config) (*store.Keys, error) {
	if cfg.Storage.EncryptionKeyFile == "" {
		return nil, nil
	}
	keys, err := store.ReadKeys(cfg.Storage.EncryptionKeyFile)
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	return keys, nil
}

// cleanUp removes what killed writers left in the data directory.
func (s *sidecar) cleanUp(dir string) {
	for _, own := range []string{store.CheckpointsDir, history.Dir, store.ModelsDir, threatsKind} {
		if err := store.RemoveTemporary(filepath.Join(dir, own)); err != nil {
			s.log.Warn("files of a killed process were not removed", "err", err)
		}
	}
}

// usageEvery is how old the size of the data directory may be on /metrics.
const usageEvery = 15 * time.Second

// measure keeps the metrics of the data directory up to date until ctx is done. A
// scrape does not wait for a disk.
func (s *sidecar) measure(ctx context.Context, dir string) {
	bytes := collector.NewGaugeVec(s.reg, "upid_storage_bytes")
	left := collector.NewGaugeVec(s.reg, "upid_storage_free_bytes")
	t := time.NewTicker(usageEvery)
	defer t.Stop()
	for {
		used, free := store.Usage(dir)
		bytes.WithLabelValues().Set(float64(used))
		left.WithLabelValues().Set(float64(free))
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
	}
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

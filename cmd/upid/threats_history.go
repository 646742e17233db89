package main

import (
	"context"
	"time"

	"github.com/upid/upid/cmd/upid/config"
	"github.com/upid/upid/collector/store"
	"github.com/upid/upid/collector/views"
)

// threatsKind is the kind of the records of threats, and their directory.
const threatsKind = "threats"

// saveThreatsEvery is how much of what was found a process that is killed may lose; what is
// still open then is found again.
const saveThreatsEvery = 2 * time.Second

// openThreatHistory reads the threats that were found before.
func (s *sidecar) openThreatHistory(cfg *config.Config, keys *store.Keys) {
	s.records = store.NewRecords(cfg.Storage.Path, threatsKind, keys)
	records, err := s.records.Load()
	if err != nil {
		s.log.Error("threats of before are lost, or some of them", "reason", store.Reason(err), "err", err)
	}
	if bad := s.views.LoadThreats(records); bad > 0 {
		s.log.Error("threats of before cannot be read", "records", bad)
	}
	if open, _ := s.views.Threats(views.ThreatFilter{State: views.Open, Limit: 1_000_000}); len(open) > 0 && len(cfg.Alertmanager.URLs) > 0 {
		s.log.Warn("threats were open when upid ended: their alerts are posted again once Prometheus answers, until then Alertmanager may take them for resolved", "open", len(open))
	}
}

// keepThreatHistory writes the threats when there are new ones until ctx is done, and once
// more then. That it fails is said once, and once that it works again.
func (s *sidecar) keepThreatHistory(ctx context.Context) error {
	tick := time.NewTicker(saveThreatsEvery)
	defer tick.Stop()
	failing := false
	for last := false; !last; {
		select {
		case <-ctx.Done():
			last = true
		case <-tick.C:
		}
		records, dirty := s.views.SaveThreats()
		if !dirty {
			continue
		}
		err := s.records.Save(records)
		if err != nil {
			s.views.UnsavedThreats()
			s.threatSaves.WithLabelValues(store.Reason(err)).Inc()
			if !failing {
				s.log.Error("threats are not written to disk, upid goes on from memory", "err", err)
			}
		} else if failing {
			s.log.Info("threats are written to disk again")
		}
		failing = err != nil
	}
	return nil
}

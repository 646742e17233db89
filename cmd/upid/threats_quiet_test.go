package main

import (
	"testing"
	"time"

	"github.com/upid/upid/cmd/upid/config"
)

func TestQuietTimes(t *testing.T) {
	if f, err := quietTimes(nil); f != nil || err != nil {
		t.Errorf("no maintenance: %v", err)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	quiet, err := quietTimes([]config.Maintenance{
		{Name: "test", Dates: []string{"2026-03-14T22:00..2026-03-15T02:00", "12-24"}, Location: berlin},
		{Name: "other", Dates: []string{"2026-05-01"}, Location: time.UTC},
	})
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]bool{
		"2026-03-14T20:59:59Z": false,
		"2026-03-14T21:00:00Z": true, // 22:00 in Berlin
		"2026-03-15T00:59:59Z": true,
		"2026-03-15T01:00:00Z": false, // the end is not in it
		"2027-12-23T23:00:00Z": true,  // every year, from midnight in Berlin
		"2026-05-01T23:59:59Z": true,
		"2026-05-02T00:00:00Z": false,
	} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := quiet(when.UnixMilli()); got != want {
			t.Errorf("%s: %v, want %v", at, got, want)
		}
	}
	if _, err := quietTimes([]config.Maintenance{{Name: "x", Dates: []string{"soon"}, Location: time.UTC}}); err == nil {
		t.Error("dates that are none")
	}
}

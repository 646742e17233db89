package models

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/upid/upid/forecast/features"
	"github.com/upid/upid/forecast/learn"
)

// rowsEvery is how far apart the rows of a workload are that a request for training makes.
const rowsEvery = 12 * time.Hour

var trainQuery = []string{"algorithm", "epochs", "force", "lookback", "seed"}

func (s *Service) train(r *http.Request) (any, error) {
	typ := r.PathValue("type")
	if !slices.Contains(features.Types, typ) {
		return nil, &refusal{http.StatusNotFound, "not_found", fmt.Errorf("model type %q, want one of %s", typ, strings.Join(features.Types, ", "))}
	}
	q, err := query(r, trainQuery...)
	if err != nil {
		return nil, err
	}
	number := func(name string, def, most int) int {
		text := q.Get(name)
		if text == "" {
			return def
		}
		n, nerr := strconv.Atoi(text)
		if nerr != nil || n < 1 || n > most {
			err = errors.Join(err, fmt.Errorf("%s: %q, want a whole number from 1 to %d", name, text, most))
		}
		return n
	}
	t := Training{
		ModelType: typ, Source: "request", Epochs: number("epochs", learn.DefaultEpochs, learn.MaxEpochs), Algorithm: q.Get("algorithm"),
		Seed: uint64(number("seed", 1, 1<<31)), Horizon: -1, Build: s.o.Build, Now: s.o.Now, //nolint:gosec // at least 1
	}
	days := number("lookback", 60, 3650)
	if t.Algorithm != "" && t.Algorithm != learn.Auto && !slices.Contains(learn.Algorithms(), t.Algorithm) {
		err = errors.Join(err, fmt.Errorf("algorithm: %q, want %s or one of %s", t.Algorithm, learn.Auto, strings.Join(learn.Algorithms(), ", ")))
	}
	force, ferr := strconv.ParseBool(q.Get("force"))
	if ferr != nil && q.Has("force") {
		err = errors.Join(err, fmt.Errorf("force: %q, want true or false", q.Get("force")))
	}
	if err != nil {
		return nil, bad("%w", err)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	rows := func(context.Context, func(string)) (*Rows, error) {
		rows, err := ReadRowsWithin(bytes.NewReader(body), sentLimits)
		if err != nil {
			return nil, err
		}
		return rows.LeaveOut(s.o.Excluded, DefaultHorizon(typ)), nil
	}
	if len(bytes.TrimSpace(body)) == 0 {
		if typ == features.SecurityThreat {
			return nil, bad("security_threat is learned from labelled rows: send them as the body")
		}
		t.Source, t.Every = "prometheus", rowsEvery
		rows = func(ctx context.Context, step func(string)) (*Rows, error) {
			now := s.o.Now()
			return Extract(ctx, s.o.Querier, Extraction{
				ModelType: typ, From: now.AddDate(0, 0, -days).UnixMilli(), To: now.UnixMilli(), Every: rowsEvery, Location: s.o.Location, Excluded: s.o.Excluded,
				Limits: serverLimits, Progress: stepper(step),
			})
		}
	}
	run, err := s.runs.start(Journal{Trail: s.o.Trail, Actor: "api", Source: r.RemoteAddr}, t, order{cause: CauseRequest, force: force}, rows)
	if errors.Is(err, errBusy) {
		return nil, fmt.Errorf("%w: %s; wait for it, or cancel it", err, run.ID)
	}
	if err != nil {
		return nil, err
	}
	return accepted{run}, nil
}

func (s *Service) training(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	return s.runs.get(r.PathValue("id"))
}

func (s *Service) cancel(r *http.Request) (any, error) {
	if _, err := query(r); err != nil {
		return nil, err
	}
	return s.runs.stop(r.Context(), r.PathValue("id"))
}

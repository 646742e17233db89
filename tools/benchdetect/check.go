package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
)

// secondOpinion has the outputs scored by detect_score.py too, where Python with
// numpy and pandas is installed, and fails if it says anything else than we do.
func secondOpinion(ctx context.Context, w io.Writer, o options, data, outputs string, ranked bool, all []*outcome) error {
	if exec.CommandContext(ctx, o.python, "-c", "import numpy, pandas").Run() != nil {
		fmt.Fprintf(w, "\nnot checked by %s: %s has no numpy or no pandas\n", o.scorer, o.python)
		return nil
	}
	if _, err := os.Stat(o.scorer); err != nil {
		fmt.Fprintf(w, "\nnot checked by an independent scorer: %v\n", err)
		return nil
	}
	result := filepath.Join(outputs, "score.json")
	args := []string{o.scorer, data, outputs, "--json", result}
	if !ranked {
		args = append(args, "--no-rank")
	}
	cmd := exec.CommandContext(ctx, o.python, args...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", cmd, err, lastLine(string(out)))
	}
	// NaN is no JSON: Python writes it all the same.
	b, err := os.ReadFile(result)
	if err != nil {
		return err
	}
	theirs, err := parseScores(b)
	if err != nil {
		return fmt.Errorf("%s: %w", result, err)
	}
	for _, r := range all {
		t, ok := theirs[filepath.Base(r.corpus.dir)]
		if !ok {
			return fmt.Errorf("%s: nothing about %s", o.scorer, r.corpus.name)
		}
		s := summarize(r.by[ours])
		for _, f := range []struct {
			what         string
			ours, theirs float64
		}{
			{"F1", s.f1, t.F1},
			{"precision", s.precision, t.Precision},
			{"recall", s.recall, t.Recall},
			{"false alarms", s.wrong, t.Wrong},
			{"delay", s.delay, t.Delay},
			{"VUS-PR", s.vus, t.VUS},
			{"AUC-PR", s.auc, t.AUC},
		} {
			rank := f.what == "VUS-PR" || f.what == "AUC-PR"
			if rank && !ranked || math.IsNaN(f.ours) && math.IsNaN(f.theirs) {
				continue
			}
			if !(math.Abs(f.ours-f.theirs) <= 1e-6) {
				return fmt.Errorf("%s: %s is %v, %s says %v", r.corpus.name, f.what, f.ours, o.scorer, f.theirs)
			}
		}
	}
	fmt.Fprintf(w, "\n%s says the same of %d corpora\n", o.scorer, len(all))
	return nil
}

package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-openapi/runtime"
	apisilence "github.com/prometheus/alertmanager/api/v2/client/silence"
	"github.com/prometheus/alertmanager/api/v2/models"
)

// Silence is what an Alertmanager keeps quiet about.
type Silence struct {
	ID, Comment, By string
	From, To        time.Time
	Matchers        []Matcher
}

// Matcher is one condition of a silence.
type Matcher struct {
	Name, Value    string
	Regex, Negated bool
}

// maxSilences bounds an answer, in bytes.
const maxSilences = 8 << 20

// Silences returns the silences that the Alertmanagers know, ended ones too, each once: those
// of a cluster tell each other. The error joins those of the ones that did not answer.
func (n *Notifier) Silences(ctx context.Context) ([]Silence, error) {
	n.mu.Lock()
	senders := append([]*sender(nil), n.senders...)
	n.mu.Unlock()
	var out []Silence
	var errs []error
	known := map[string]bool{}
	for _, s := range senders {
		some, err := s.client.silences(ctx, n.opts.Timeout)
		if err != nil {
			errs = append(errs, fmt.Errorf("silences of %s: %w", s.url, err))
			continue
		}
		for _, x := range some {
			if x.ID != "" && !known[x.ID] {
				known[x.ID] = true
				out = append(out, x)
			}
		}
	}
	return out, errors.Join(errs...)
}

func (c *client) silences(ctx context.Context, timeout time.Duration) ([]Silence, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var got models.GettableSilences
	p := apisilence.NewGetSilencesParamsWithContext(ctx).WithTimeout(timeout)
	_, err := c.quiet.GetSilences(p, func(op *runtime.ClientOperation) {
		op.Reader = runtime.ClientResponseReaderFunc(func(resp runtime.ClientResponse, with runtime.Consumer) (any, error) {
			if resp.Code() != 200 {
				return readReply(resp, with)
			}
			body, err := io.ReadAll(io.LimitReader(resp.Body(), maxSilences+1))
			if err != nil {
				return nil, err
			}
			if len(body) > maxSilences {
				return nil, fmt.Errorf("more than %d MiB of silences", maxSilences>>20)
			}
			return apisilence.NewGetSilencesOK(), json.Unmarshal(body, &got)
		})
	})
	if err != nil {
		return nil, err
	}
	var out []Silence
	for _, g := range got {
		if g == nil || g.ID == nil || g.StartsAt == nil || g.EndsAt == nil {
			continue
		}
		s := Silence{ID: *g.ID, From: time.Time(*g.StartsAt), To: time.Time(*g.EndsAt)}
		if g.Comment != nil {
			s.Comment = *g.Comment
		}
		if g.CreatedBy != nil {
			s.By = *g.CreatedBy
		}
		for _, m := range g.Matchers {
			if m != nil && m.Name != nil && m.Value != nil {
				s.Matchers = append(s.Matchers, Matcher{
					Name: *m.Name, Value: *m.Value, Regex: m.IsRegex != nil && *m.IsRegex, Negated: m.IsEqual != nil && !*m.IsEqual,
				})
			}
		}
		out = append(out, s)
	}
	return out, nil
}

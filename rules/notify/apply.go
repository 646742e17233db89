package notify

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Apply takes another list of Alertmanagers into use. Those that are in both
// lists keep their queue; one that is new gets every alert at once; one that is
// gone is sent what is queued for it. On an error nothing changes.
func (n *Notifier) Apply(ams []AlertmanagerConfig) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		return errors.New("notify: not running any more")
	}
	if err := n.apply(ams); err != nil {
		return err
	}
	n.configured = ams
	select {
	case n.wake <- struct{}{}:
	default:
	}
	return nil
}

// apply takes the Alertmanagers at all known addresses of ams into use. The caller
// holds n.mu.
func (n *Notifier) apply(ams []AlertmanagerConfig) error {
	senders, err := n.plan(ams)
	if err != nil {
		return err
	}
	old := n.senders
	added := n.adopt(senders)
	for _, s := range added {
		if n.running {
			n.wg.Go(s.run)
		}
		s.push(n.all()...)
	}
	for _, s := range old {
		if slices.Contains(n.senders, s) {
			continue
		}
		same := slices.ContainsFunc(n.senders, func(o *sender) bool { return o.url == s.url })
		if !n.running {
			s.cancel()
			if !same {
				n.m.remove(s.url)
				s.skew.Forget()
			}
			continue
		}
		if same {
			s.replace()
		} else {
			s.end()
		}
		n.wg.Go(func() { n.forget(s) })
	}
	return nil
}

// forget removes the metrics of a sender once it has ended.
func (n *Notifier) forget(s *sender) {
	<-s.done
	n.mu.Lock()
	defer n.mu.Unlock()
	if !slices.ContainsFunc(n.senders, func(o *sender) bool { return o.url == s.url }) {
		n.m.remove(s.url)
		s.skew.Forget()
	}
}

// plan returns the senders for a list of Alertmanagers, those of equal
// configuration kept. The caller holds n.mu or is New.
func (n *Notifier) plan(ams []AlertmanagerConfig) ([]*sender, error) {
	var (
		senders []*sender
		errs    []error
		seen    = map[string]bool{}
	)
	for _, am := range n.expand(ams) {
		am.URL = strings.TrimRight(am.URL, "/")
		if seen[am.URL+" "+am.address] {
			errs = append(errs, fmt.Errorf("alertmanager URL %q is listed twice", am.URL))
			continue
		}
		seen[am.URL+" "+am.address] = true
		if i := slices.IndexFunc(n.senders, func(s *sender) bool { return reflect.DeepEqual(s.cfg, am) }); i >= 0 {
			senders = append(senders, n.senders[i])
			continue
		}
		s, err := newSender(am, &n.opts, n.lookup)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		senders = append(senders, s)
	}
	return senders, errors.Join(errs...)
}

// adopt takes senders into use and returns those that were not before. The
// caller holds n.mu or is New.
func (n *Notifier) adopt(senders []*sender) (added []*sender) {
	for _, s := range senders {
		if !slices.Contains(n.senders, s) {
			s.enter(n.m)
			added = append(added, s)
		}
	}
	n.senders = senders
	n.m.known.WithLabelValues().Set(float64(len(senders)))
	return added
}

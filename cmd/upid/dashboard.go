package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	ossignal "os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/upid/upid/collector/views"
)

// dashboardCmd is the live view; what else a dashboard can be is beside it.
type dashboardCmd struct {
	Show   dashboardShowCmd   `cmd:"" default:"withargs" help:"Show a running sidecar in this terminal. (the default)"`
	Export dashboardExportCmd `cmd:"" help:"Write the Grafana dashboards and their provisioning."`
	Push   dashboardPushCmd   `cmd:"" help:"Upload the dashboards to a Grafana."`
}

// Help is shown by --help.
func (dashboardCmd) Help() string {
	return `Without a further word it is the live view; its flags: upid dashboard show --help

Examples:

    upid dashboard --refresh-interval 10
    upid dashboard export grafana
    upid dashboard push --grafana.url http://localhost:3000
`
}

type dashboardShowCmd struct {
	sidecarFlags    `embed:""`
	RefreshInterval bareSeconds `default:"10" placeholder:"TIME" help:"How often to ask again; a bare number is seconds. (default ${default})"`
}

// Help is shown by --help.
func (dashboardShowCmd) Help() string {
	return `q or Ctrl-C quits. Where the output is no terminal, or one that knows no cursor (TERM=dumb), the picture is printed once. NO_COLOR=1 shows it without colours.

SCORED counts series, OPEN anomalies; BUDGET is how many alerts were raised of those that the budget of the signal allows (300 %: three times as many); SKILL how much smaller errors are than those of the naive forecast, INSIDE the share of held-out values inside the interval.

Examples:

    upid dashboard
    upid dashboard --refresh-interval 10 --address http://monitor:9877
    upid dashboard | less
`
}

// Validate is called by kong.
func (c *dashboardShowCmd) Validate() error {
	if time.Duration(c.RefreshInterval) < time.Second {
		return fmt.Errorf("--refresh-interval is %v, want at least 1s", time.Duration(c.RefreshInterval))
	}
	return c.sidecarFlags.Validate()
}

// Run shows how the sidecar is doing. The first question must be answered: an
// address with a typing error is no sidecar that went away.
func (c *dashboardShowCmd) Run(ctx context.Context, e *env) error {
	cl := c.client(e)
	fd, live := terminal(e.stdout)
	live = live && os.Getenv("TERM") != "dumb"
	_, height := size(fd)
	p := &picture{base: cl.base, doubt: cl.doubt, every: time.Duration(c.RefreshInterval), loc: e.loc}
	if err := p.ask(ctx, cl, height); err != nil {
		return err
	}
	if !live {
		_, err := fmt.Fprintln(e.stdout, strings.Join(p.frame(e.style(), e.width(), 0), "\n"))
		return err
	}
	return c.live(ctx, e, cl, p, fd)
}

// ask renews the picture. What was said before stays if there is no answer.
func (p *picture) ask(ctx context.Context, cl *client, rows int) error {
	next := *p
	if _, _, err := cl.get(ctx, "status/runtime", nil, &next.status); err != nil {
		return err
	}
	var err error
	if next.signals, _, err = all[views.SignalStatus](ctx, cl, "signals", url.Values{}, 0); err != nil {
		return err
	}
	since := strconv.FormatFloat(next.status.Now-24*3600, 'f', 0, 64)
	if next.anomalies, next.found, err = all[views.Anomaly](ctx, cl, "anomalies", url.Values{"since": {since}}, rows); err != nil {
		return err
	}
	// Some of each signal: the series of the first would fill any screen.
	var forecast []string
	for _, s := range next.signals {
		if s.Forecast > 0 {
			forecast = append(forecast, s.Name)
		}
	}
	next.predictions, next.expected = nil, 0
	for i, name := range forecast {
		if i == rows {
			break
		}
		ps, total, err := all[views.Prediction](ctx, cl, "predictions", url.Values{"signal": {name}}, max(1, rows/len(forecast)))
		if err != nil {
			return err
		}
		next.predictions = append(next.predictions, ps...)
		next.expected += total
	}
	*p = next
	return nil
}

// What a terminal is told: a screen of its own, without cursor and without line
// breaks that we did not make.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"
	leaveScreen = "\x1b[?7h\x1b[?25h\x1b[?1049l"
)

// live draws until somebody quits. Questions are asked beside it, so that keys
// and a new size are seen while a sidecar hangs.
func (c *dashboardShowCmd) live(ctx context.Context, e *env, cl *client, p *picture, fd int) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	keys, restore, err := readKeys(e.stdin)
	if err != nil {
		return err
	}
	defer restore()
	resized := make(chan os.Signal, 1)
	ossignal.Notify(resized, syscall.SIGWINCH)
	defer ossignal.Stop(resized)

	fmt.Fprint(e.stdout, enterScreen)
	defer fmt.Fprint(e.stdout, leaveScreen)
	type answer struct {
		picture picture
		err     error
	}
	answers := make(chan answer, 1)
	next := time.NewTimer(p.every)
	defer next.Stop()
	for {
		width, height := size(fd)
		if err := paint(e.stdout, p.frame(e.style(), width, height)); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil // quit by a signal, as by q
		case k, ok := <-keys:
			switch {
			case !ok:
				keys = nil // no more keys will come
			case k == 'q' || k == 'Q' || k == 3: // Ctrl-C, which is no signal here
				return nil
			}
		case <-resized:
			fmt.Fprint(e.stdout, "\x1b[2J")
		case <-next.C:
			asked := *p
			go func() {
				err := asked.ask(ctx, cl, height)
				answers <- answer{asked, err}
			}()
		case a := <-answers:
			p.take(a.picture, a.err, time.Now())
			next.Reset(p.every)
		}
	}
}

// take takes an answer, or its absence, into the picture.
func (p *picture) take(said picture, err error, now time.Time) {
	var lost *notReachableError
	switch {
	case err == nil:
		*p = said
		p.problem, p.lost = nil, time.Time{}
	case errors.As(err, &lost):
		p.problem = lost.err
		if p.lost.IsZero() {
			p.lost = now
		}
	default:
		p.problem, p.lost = err, time.Time{}
	}
}

// paint writes a frame over the one before, in one piece.
func paint(w io.Writer, lines []string) error {
	var b strings.Builder
	b.WriteString("\x1b[H")
	for i, l := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString("\x1b[2K" + l) // to erase after a full line would take its last character
	}
	b.WriteString("\x1b[J")
	_, err := io.WriteString(w, b.String())
	return err
}

// readKeys makes a terminal hand over each key at once, without showing it.
// restore makes it as it was. Where r is no terminal no key ever comes.
func readKeys(r io.Reader) (keys <-chan byte, restore func(), err error) {
	f, ok := r.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return nil, func() {}, nil
	}
	was, err := term.MakeRaw(int(f.Fd()))
	if err != nil {
		return nil, nil, fmt.Errorf("terminal: %w", err)
	}
	c := make(chan byte)
	go func() { // it ends with the process: a read cannot be called off
		defer close(c)
		var b [1]byte
		for {
			if n, err := f.Read(b[:]); err != nil || n == 0 {
				return
			}
			c <- b[0]
		}
	}()
	return c, func() { _ = term.Restore(int(f.Fd()), was) }, nil
}

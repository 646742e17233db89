package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/upid/upid/cmd/upid/output"
	"github.com/upid/upid/collector/models"
	"github.com/upid/upid/forecast/features"
)

// cancelWait is how long it is waited for a training to end.
const cancelWait = time.Minute

type modelsCancelCmd struct {
	sidecarFlags `embed:""`
	ModelType    string `arg:"" name:"model-type" placeholder:"TYPE" help:"Of which type: ${model_types}."`
}

// Help is shown by --help.
func (modelsCancelCmd) Help() string {
	return `Cancels the training that a running sidecar is at, whoever began it; what was trained before stays. The next one begins when it is due. On the same machine it takes no flag: the sidecar is found by its data directory, and who may write to that may cancel. With --address the sidecar must run with --web.enable-lifecycle, and is asked from its own machine.

Examples:

    upid models cancel resource_prediction
`
}

// Validate is called by kong.
func (c *modelsCancelCmd) Validate() error { return oneOf("MODEL_TYPE", c.ModelType, features.Types) }

// Run cancels.
func (c *modelsCancelCmd) Run(ctx context.Context, e *env) error {
	at := c.client(e)
	var states []models.TypeState
	if _, _, err := at.get(ctx, "models/states", url.Values{"model_type": {c.ModelType}}, &states); err != nil {
		return err
	}
	at.sayDoubt(e)
	if len(states) != 1 || states[0].RunID == "" {
		return fmt.Errorf("no training of %s runs at %s", c.ModelType, at.base)
	}
	if at.dir != "" {
		return c.beside(ctx, e, at, states[0].RunID)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, at.base+"/api/v1/training/"+url.PathEscape(states[0].RunID)+"/cancel", nil)
	if err != nil {
		return usageErrorf("--address: %w", err)
	}
	resp, err := at.http.Do(req)
	if err != nil {
		return at.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusForbidden:
		return fmt.Errorf("%s refused (HTTP 403): it must run with --web.enable-lifecycle, and be called from its own machine", at.base)
	case http.StatusConflict, http.StatusNotFound:
		return fmt.Errorf("the training of %s has ended meanwhile", c.ModelType)
	default:
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<12)) // says why, as far as it goes
		return fmt.Errorf("%s: HTTP %d: %s", at.base, resp.StatusCode, output.Printable(string(body)))
	}
	fmt.Fprintf(e.stdout, "%s: the training is cancelled\n", c.ModelType)
	return nil
}

// beside cancels the training of a sidecar whose data directory is at hand.
func (c *modelsCancelCmd) beside(ctx context.Context, e *env, at *client, id string) error {
	if err := models.AskCancel(models.ProgressFile(at.dir, nil), id); err != nil {
		return fmt.Errorf("ask for the training to be cancelled: %w", err)
	}
	ctx, stop := context.WithTimeoutCause(ctx, cancelWait, fmt.Errorf("the training has not ended within %v; it ends with the epoch it is at", cancelWait))
	defer stop()
	err := wait(ctx, func() bool {
		var states []models.TypeState
		_, _, err := at.get(ctx, "models/states", url.Values{"model_type": {c.ModelType}}, &states)
		return err == nil && (len(states) != 1 || states[0].RunID != id)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s: the training is cancelled\n", c.ModelType)
	return nil
}

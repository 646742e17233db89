package collector

// Expire takes the results of a task off /metrics because they are too old: what
// is not known any more is absent.
func (c *Collector) Expire(task string) { c.Drop(task) }

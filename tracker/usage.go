package tracker

// Usage counts, exactly and at every moment, what hosts and services hold.
type Usage struct{}

package tracker

// Rule is the id of a rule of the transition tables.
type Rule uint8

// Name is the rule's stable name, as printed in transitions.
func (r Rule) Name() string { return "" }

// Source is the RFC section or kernel function that the rule follows.
func (r Rule) Source() string { return "" }

// Why is one line of reason.
func (r Rule) Why() string { return "" }

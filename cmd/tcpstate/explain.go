package main

import (
	"fmt"

	"github.com/spf13/pflag"
)

// checkExplain reads what only explain knows.
func checkExplain(f *flags, r *raw, fs *pflag.FlagSet) error { return nil }

// checkExplainOutputs reads -o of explain.
func checkExplainOutputs(f *flags, r *raw, fs *pflag.FlagSet) error { return nil }

// explain is "tcpstate explain".
func (c *cli) explain(f *flags) error { return fmt.Errorf("explain") }

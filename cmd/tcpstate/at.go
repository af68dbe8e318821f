package main

import (
	"fmt"

	"github.com/spf13/pflag"
)

// checkAt reads what only at knows.
func checkAt(f *flags, r *raw, fs *pflag.FlagSet) error { return nil }

// checkAtOutputs reads -o of at.
func checkAtOutputs(f *flags, r *raw, fs *pflag.FlagSet) error { return nil }

// at is "tcpstate at TIME".
func (c *cli) at(f *flags) error { return fmt.Errorf("at") }

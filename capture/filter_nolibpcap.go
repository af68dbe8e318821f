//go:build !cgo || nolibpcap

package capture

import "golang.org/x/net/bpf"

const haveLibpcap = false

func compile(string, uint32) ([]bpf.RawInstruction, error) { return nil, ErrNoLibpcap }

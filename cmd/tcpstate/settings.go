package main

import (
	"fmt"
	"io"
	"os"
)

// longestText bounds files that are read whole: policies, baselines, filters. The largest
// that anybody needs, the baseline of ten thousand captures, has some ten megabytes.
const longestText = 64 << 20

// readText reads such a file. It may be a pipe, or be a device by mistake, which never ends.
func readText(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, longestText+1))
	if err == nil && len(b) > longestText {
		err = fmt.Errorf("%s: longer than %d MiB", name, longestText>>20)
	}
	return b, err
}

package capture

import (
	"errors"
	"io"
	"testing"
	"testing/iotest"
)

// What is read ahead is what is read, whatever the pieces, and ends as it ends.
func TestAhead(t *testing.T) {
	data := make([]byte, 3*aheadSize+1000)
	for i := range data {
		data[i] = byte(i * i >> 8)
	}
	broken := errors.New("broken")
	for name, end := range map[string]error{"whole": io.EOF, "broken": broken} {
		for _, whole := range []bool{true, false} {
			for size, wrap := range map[int]func(io.Reader) io.Reader{
				1: iotest.HalfReader, 4097: iotest.DataErrReader, 5 * aheadSize: func(r io.Reader) io.Reader { return r },
			} {
				var in io.Reader = &stops{data, end}
				a := readAhead(wrap(in), whole)
				got, at := make([]byte, size), 0
				var err error
				for err == nil {
					var n int
					n, err = a.Read(got)
					if at+n > len(data) || string(got[:n]) != string(data[at:at+n]) {
						t.Fatalf("%s by %d: other octets after %d", name, size, at)
					}
					at += n
				}
				if at != len(data) || err != end {
					t.Errorf("%s by %d: %d octets, %v", name, size, at, err)
				}
				if n, again := a.Read(got); n != 0 || again != end {
					t.Errorf("%s by %d: then %d octets, %v", name, size, n, again)
				}
				a.stop()
			}
		}
	}
}

// stops has its octets and ends with an error.
type stops struct {
	b   []byte
	err error
}

func (s *stops) Read(b []byte) (n int, err error) {
	n = copy(b, s.b)
	if s.b = s.b[n:]; n == 0 {
		err = s.err
	}
	return n, err
}

// Nobody waits for more than a pipe has brought.
func TestAheadDelivers(t *testing.T) {
	r, w := io.Pipe()
	a := readAhead(r, false)
	defer a.stop()
	b := make([]byte, 100)
	for _, s := range []string{"one", "two"} {
		go io.WriteString(w, s)
		if n, err := a.Read(b); err != nil || string(b[:n]) != s {
			t.Errorf("%q: %q, %v", s, b[:n], err)
		}
	}
	w.Close()
}

// Decompression ahead reuses its buffers.
func TestAheadNoAllocations(t *testing.T) {
	a := readAhead(endless{}, true)
	defer a.stop()
	b := make([]byte, aheadSize)
	if n := testing.AllocsPerRun(50, func() { a.Read(b) }); n != 0 {
		t.Errorf("%v allocations a read", n)
	}
}

// endless has nothing but zeros.
type endless struct{}

func (endless) Read(b []byte) (int, error) { return len(b), nil }

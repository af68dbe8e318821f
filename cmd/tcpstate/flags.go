package main

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"tcpstate/capture"
	"tcpstate/report"
	"tcpstate/report/detect"
	"tcpstate/tracker"
)

// flags is the command line, understood and checked.
type flags struct {
	help, version, list bool
	catalogue           bool // tcpstate findings [ID]
	finding             string

	paths      []string
	iface      string
	selection  capture.Selection
	filterFile string // -F; "" for none
	count      uint64
	snapLen    int
	bufferKiB  int
	noPromisc  bool
	duration   time.Duration
	interval   time.Duration
	noScreen   bool
	metrics    string // --metrics; "" for none
	user       string // -Z; "" for the default

	write      string // -w; "" for none
	writeMB    int    // -C; 0 for no rotation
	writeFiles int    // -W; 0 for no limit
	annotate   bool
	narrow     string // --finding, for -w; "" for none

	check    checkFlags
	seeing   seeingFlags
	diff     bool            // tcpstate diff OLD NEW
	verdicts []verdictOutput // of check and diff

	outputs   []outputSpec
	report    report.Options // without Outputs
	tracker   tracker.Config
	failOn    detect.Severity // with report.Judge
	workers   int             // at least 1
	quiet     bool
	verbose   bool
	truncated bool // --allow-truncated
	checksums bool
	color     string
	progress  string
}

// raw is the command line as pflag reads it.
type raw struct {
	files, outputs, hosts, nets, ports, vlans []string
	filter, filterFile, show, where, stream   string
	since, until, sort, osName, clock         string
	sets, disabled                            []string
	minSeverity, failOn, ephemeral            string
	numeric                                   bool
	limit, workers, maxConnections            int
	maxMemory                                 string
	count                                     int64
	today                                     string
	timeWait, finTimeout                      time.Duration
}

// whens are the values of --color and --progress.
var whens = []string{"auto", "always", "never"}

// define puts all flags into a set. Their help is in usage.go, in the words
// of a page.
func define(f *flags, r *raw) *pflag.FlagSet {
	fs := pflag.NewFlagSet("tcpstate", pflag.ContinueOnError)
	fs.SortFlags = false
	fs.Usage = func() {}
	fs.StringArrayVarP(&r.files, "read", "r", nil, "")
	fs.StringVarP(&f.iface, "interface", "i", "", "")
	fs.BoolVarP(&f.list, "list-interfaces", "D", false, "")
	fs.Int64VarP(&r.count, "count", "c", 0, "")
	fs.IntVarP(&f.snapLen, "snapshot-length", "s", 256, "")
	fs.IntVarP(&f.bufferKiB, "buffer-size", "B", 0, "")
	fs.BoolVarP(&f.noPromisc, "no-promiscuous-mode", "p", false, "")
	fs.BoolVarP(&r.numeric, "numeric", "n", false, "")
	fs.StringVarP(&f.user, "drop-privileges", "Z", "", "")
	fs.DurationVar(&f.interval, "interval", 10*time.Second, "")
	fs.BoolVar(&f.noScreen, "no-screen", false, "")
	fs.StringVar(&f.metrics, "metrics", "", "")
	fs.StringVarP(&f.write, "write", "w", "", "")
	fs.IntVarP(&f.writeMB, "file-size", "C", 0, "")
	fs.IntVarP(&f.writeFiles, "file-count", "W", 0, "")
	fs.BoolVar(&f.annotate, "annotate", false, "")
	fs.StringVar(&f.narrow, "finding", "", "")
	defineCheck(fs, f, r)
	defineSeeing(fs, f)
	fs.StringVarP(&r.filter, "filter", "f", "", "")
	fs.StringVarP(&r.filterFile, "filter-file", "F", "", "")
	fs.StringSliceVar(&r.hosts, "host", nil, "")
	fs.StringSliceVar(&r.nets, "net", nil, "")
	fs.StringSliceVar(&r.ports, "port", nil, "")
	fs.StringSliceVar(&r.vlans, "vlan", nil, "")
	fs.StringArrayVarP(&r.outputs, "output", "o", nil, "")
	fs.StringVar(&r.show, "show", "", "")
	fs.StringVar(&r.where, "where", "", "")
	fs.StringVar(&r.stream, "stream", "", "")
	fs.IntVar(&r.limit, "limit", 20, "")
	fs.StringVar(&r.since, "since", "", "")
	fs.StringVar(&r.until, "until", "", "")
	fs.StringVar(&r.sort, "sort", "", "")
	fs.StringArrayVar(&r.sets, "set", nil, "")
	fs.StringSliceVar(&r.disabled, "disable", nil, "")
	fs.StringVar(&r.minSeverity, "min-severity", severities[0], "")
	fs.StringVar(&r.failOn, "fail-on", failNever, "")
	fs.StringVar(&r.osName, "os", "linux", "")
	fs.DurationVar(&r.timeWait, "time-wait", 0, "")
	fs.DurationVar(&r.finTimeout, "fin-timeout", 0, "")
	fs.StringVar(&r.ephemeral, "ports", "", "")
	fs.DurationVar(&f.duration, "duration", 0, "")
	fs.IntVar(&r.workers, "workers", 0, "")
	fs.IntVar(&r.maxConnections, "max-connections", 0, "")
	fs.StringVar(&r.maxMemory, "max-memory", "", "")
	fs.BoolVar(&f.truncated, "allow-truncated", false, "")
	fs.BoolVar(&f.checksums, "verify-checksums", false, "")
	fs.StringVar(&f.color, "color", "auto", "")
	fs.StringVar(&f.progress, "progress", "auto", "")
	fs.StringVar(&r.clock, "time", "utc", "")
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "")
	fs.BoolVarP(&f.help, "help", "h", false, "")
	fs.BoolVar(&f.version, "version", false, "")
	return fs
}

// plainValue is an error of the library about a value, with what a value would be in place of
// which of Go's functions did not like it.
func plainValue(err error) error {
	var bad *pflag.InvalidValueError
	if !errors.As(err, &bad) {
		return err
	}
	flag, want := bad.GetFlag(), "give a whole number"
	switch kind := flag.Value.Type(); {
	case kind == "duration":
		want = "give it as 90s, 5m or 1h30m"
	case kind == "bool":
		want = "it takes no value, or true or false"
	case errors.Is(err, strconv.ErrRange):
		want = "too large"
	}
	name := "--" + flag.Name
	if flag.Shorthand != "" {
		name = "-" + flag.Shorthand + ", " + name
	}
	return fmt.Errorf("invalid argument %q for %q flag: %s", bad.GetValue(), name, want)
}

// parseFlags reads the arguments. The error says what is wrong with them.
func parseFlags(args []string) (*flags, error) {
	f, r := &flags{}, &raw{}
	fs := define(f, r)
	if err := fs.Parse(args); err != nil {
		return nil, usageError(plainValue(err))
	}
	if f.help || f.version || f.list {
		return f, nil
	}
	f.check.on = isCheck(f, fs)
	if f.seeing.isSeeing(f, fs); f.seeing.explain && fs.Changed("interface") {
		return nil, usageError(fmt.Errorf("-i: not for tcpstate explain, which reads a capture twice: -w makes a file of one"))
	}
	steps := []func(*flags, *raw, *pflag.FlagSet) error{checkInput, checkSeeing, checkLive, checkWrite, checkSelection, checkTimers, checkBounds, checkFindings, checkReport, checkCheck, checkOutputs}
	if f.diff = isDiff(f, r, fs); f.diff {
		steps = append([]func(*flags, *raw, *pflag.FlagSet) error{checkDiff}, steps...)
	}
	if isAt(fs) {
		steps = append([]func(*flags, *raw, *pflag.FlagSet) error{checkMoment}, steps...)
	}
	if isCatalogue(f, r, fs) {
		steps = []func(*flags, *raw, *pflag.FlagSet) error{checkCatalogue, checkReport, checkOutputs}
	}
	for _, step := range steps {
		if err := step(f, r, fs); err != nil {
			return nil, usageError(err)
		}
	}
	return f, nil
}

// checkInput finds out what is read, and what of the remaining words are
// files and what a filter.
func checkInput(f *flags, r *raw, fs *pflag.FlagSet) error {
	words := f.words(fs)
	f.selection.Filter = r.filter
	switch {
	case f.iface == "" && fs.Changed("interface"): // as a script's unset variable gives it
		return fmt.Errorf("-i: the name of the interface is empty")
	case f.iface != "" && len(r.files) > 0:
		return fmt.Errorf("-i and -r cannot be used together")
	case f.iface == "" && len(r.files) == 0:
		f.paths = words
	default:
		f.paths = r.files
		if len(words) == 0 {
			break
		}
		if err := oneFilter(fs, words); err != nil {
			return err
		}
		f.selection.Filter = strings.Join(words, " ")
	}
	if f.iface == "" && len(f.paths) == 0 {
		return fmt.Errorf("nothing to read: name a capture file, - for standard input, or an interface with -i")
	}
	if fs.Changed("filter") && strings.TrimSpace(r.filter) == "" {
		return fmt.Errorf("-f: the filter expression is empty")
	}
	stdin := 0
	for _, p := range f.paths {
		switch p {
		case "-":
			stdin++
		case "":
			return fmt.Errorf("a file name is empty")
		}
	}
	if stdin > 1 {
		return fmt.Errorf("- (standard input) can be given once only")
	}
	if fs.Changed("filter") && r.filterFile != "" {
		return fmt.Errorf("-f and -F cannot be used together")
	}
	if f.filterFile = r.filterFile; f.filterFile != "" {
		b, err := readText(r.filterFile)
		if err != nil {
			return fmt.Errorf("-F: %w", err)
		}
		if f.selection.Filter = strings.TrimSpace(string(b)); f.selection.Filter == "" {
			return fmt.Errorf("-F %s: the filter expression is empty", r.filterFile)
		}
	}
	if fs.Changed("count") && r.count < 1 {
		return fmt.Errorf("-c %d: the number of packets is at least 1", r.count)
	}
	f.count = uint64(r.count)
	if f.snapLen < 0 {
		return fmt.Errorf("-s %d: the snapshot length is not negative", f.snapLen)
	}
	if f.snapLen == 0 {
		f.snapLen = 262144 // tcpdump's habit: 0 means all of it
	}
	if f.bufferKiB < 0 || f.bufferKiB > math.MaxInt32>>10 {
		return fmt.Errorf("-B %d: the buffer size is 1 to %d KiB", f.bufferKiB, math.MaxInt32>>10)
	}
	return nil
}

// oneFilter complains about trailing words where they cannot be a filter.
func oneFilter(fs *pflag.FlagSet, words []string) error {
	for _, w := range words {
		if fi, err := os.Stat(w); err == nil && fi.Mode().IsRegular() {
			if fs.Changed("interface") {
				return fmt.Errorf("%s: with -i, words after the flags are a filter expression", w)
			}
			return fmt.Errorf("%s: with -r, words after the flags are a filter expression; repeat -r for each file, or leave it out", w)
		}
	}
	for _, n := range []string{"filter", "filter-file"} {
		if fs.Changed(n) {
			return fmt.Errorf("a filter is given twice: by -%s and by the words %q", fs.Lookup(n).Shorthand, strings.Join(words, " "))
		}
	}
	return nil
}

// checkSelection reads --host, --net, --port and --vlan.
func checkSelection(f *flags, r *raw, fs *pflag.FlagSet) error {
	s := &f.selection
	for _, c := range []struct {
		flag   string
		values []string
	}{{"host", r.hosts}, {"net", r.nets}, {"port", r.ports}, {"vlan", r.vlans}} {
		// As a script's unset variable gives it: it would select everything.
		if fs.Changed(c.flag) && len(c.values) == 0 {
			return fmt.Errorf("--%s: the value is empty", c.flag)
		}
	}
	for _, h := range r.hosts {
		a, err := netip.ParseAddr(h)
		if err != nil {
			return fmt.Errorf("--host %s: not an IP address; names are not resolved", h)
		}
		s.Hosts = append(s.Hosts, a)
	}
	for _, n := range r.nets {
		p, err := netip.ParsePrefix(n)
		if err != nil {
			return fmt.Errorf("--net %s: give it as 10.0.0.0/8", n)
		}
		s.Nets = append(s.Nets, p.Masked())
	}
	for _, p := range r.ports {
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil {
			return fmt.Errorf("--port %s: a port is a number from 0 to 65535", p)
		}
		s.Ports = append(s.Ports, uint16(n))
	}
	for _, v := range r.vlans {
		n, err := strconv.ParseUint(v, 10, 12)
		if err != nil {
			return fmt.Errorf("--vlan %s: a VLAN id is a number from 0 to 4095", v)
		}
		s.VLANs = append(s.VLANs, uint16(n))
	}
	return nil
}

// checkTimers finds the length of TIME-WAIT and FIN-WAIT-2.
func checkTimers(f *flags, r *raw, fs *pflag.FlagSet) error {
	t, ok := timers[r.osName]
	if !ok {
		return fmt.Errorf("--os %s: it is one of linux, windows, macos, freebsd, rfc", r.osName)
	}
	f.tracker = tracker.DefaultConfig()
	f.tracker.TimeWait, f.tracker.FinTimeout = t.timeWait, t.finTimeout
	if f.iface != "" {
		f.tracker.Linger, f.tracker.Forget = liveLinger, liveForget
	}
	if fs.Changed("time-wait") {
		f.tracker.TimeWait = r.timeWait
	}
	if fs.Changed("fin-timeout") {
		f.tracker.FinTimeout = r.finTimeout
	}
	if f.tracker.TimeWait < 0 || f.tracker.FinTimeout < 0 {
		return fmt.Errorf("--time-wait and --fin-timeout are not negative")
	}
	return nil
}

// liveLinger is how long a live capture waits for stragglers of a connection that is over
// until it tells of it.
const liveLinger = 10 * time.Second

// liveForget is 2MSL of RFC 9293 section 3.4.2: by then no segment of a connection is on its
// way any more. Who repeats a segment in vain does so at least every two minutes
// (Linux, TCP_RTO_MAX), and has been heard of.
const liveForget = 4 * time.Minute

// maxWorkers is beyond what is of use: each goes through all segments, and one
// goroutine reads for all. Of 256 the switching alone took longer than the work.
const maxWorkers = 64

// checkBounds reads how much of the machine may be used.
func checkBounds(f *flags, r *raw, fs *pflag.FlagSet) error {
	if r.workers < 0 || r.workers > maxWorkers {
		return fmt.Errorf("--workers %d: the number of workers is 1 to %d, or 0 for one per core", r.workers, maxWorkers)
	}
	if r.workers > 1 && f.iface != "" {
		return fmt.Errorf("--workers %d: a live capture is followed by one worker", r.workers)
	}
	switch f.workers = r.workers; {
	case f.workers > 0:
	case f.iface != "":
		f.workers = 1 // more would remember all hosts and services for ever (tracker.Config.Forget)
	default:
		f.workers = min(runtime.GOMAXPROCS(0), maxWorkers)
	}
	if fs.Changed("max-connections") && r.maxConnections < 1 {
		return fmt.Errorf("--max-connections %d: the number of connections is at least 1", r.maxConnections)
	}
	f.tracker.MaxConnections = r.maxConnections
	switch {
	case fs.Changed("max-memory"):
		n, err := parseSize(r.maxMemory)
		if err != nil {
			return fmt.Errorf("--max-memory %s: %w", r.maxMemory, err)
		}
		f.tracker.MaxMemory = n
	case f.iface != "":
		f.tracker.MaxMemory = liveMemory
	}
	return nil
}

// liveMemory is the bound of a live capture, which may go on for ever.
const liveMemory = 512 << 20

// leastMemory is what the program takes without a single connection.
const leastMemory = 32 << 20

// parseSize reads a number of octets: 536870912, 512MiB or 512M, which is the
// same, or 512MB, which is 512,000,000.
func parseSize(s string) (int64, error) {
	i := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if i < 0 {
		i = len(s)
	}
	n, err := strconv.ParseInt(s[:i], 10, 64)
	unit, ok := sizeUnits[strings.ToLower(strings.TrimSpace(s[i:]))]
	switch {
	case err != nil || !ok:
		return 0, fmt.Errorf("give it as 512MiB or 2GiB")
	case n > math.MaxInt64/unit:
		return 0, fmt.Errorf("too large")
	case n*unit < leastMemory:
		return 0, fmt.Errorf("it is at least %dMiB", leastMemory>>20)
	}
	return n * unit, nil
}

var sizeUnits = map[string]int64{
	"": 1, "b": 1, "k": 1 << 10, "kib": 1 << 10, "kb": 1e3, "m": 1 << 20, "mib": 1 << 20, "mb": 1e6,
	"g": 1 << 30, "gib": 1 << 30, "gb": 1e9, "t": 1 << 40, "tib": 1 << 40, "tb": 1e12,
}

// checkReport reads what is to be reported and how it looks.
func checkReport(f *flags, r *raw, fs *pflag.FlagSet) (err error) {
	o := &f.report
	if fs.Changed("where") {
		if o.Where, err = report.ParseWhere(r.where); err != nil {
			return fmt.Errorf("--where: %w", err)
		}
	}
	if fs.Changed("stream") {
		o.Streams = map[uint64]bool{}
		for _, w := range strings.Split(r.stream, ",") {
			n, err := strconv.ParseUint(strings.TrimSpace(w), 10, 63)
			if err != nil {
				return fmt.Errorf("--stream %s: give connection numbers, as in 3,7", r.stream)
			}
			o.Streams[n] = true
		}
	}
	for _, m := range []struct {
		to   *report.Moment
		flag string
		s    string
	}{{&o.Since, "since", r.since}, {&o.Until, "until", r.until}} {
		if !fs.Changed(m.flag) {
			continue
		}
		if *m.to, err = report.ParseMoment(m.s); err != nil {
			return fmt.Errorf("--%s: %w", m.flag, err)
		}
	}
	if r.limit < 0 {
		return fmt.Errorf("--limit %d: the number of rows is not negative", r.limit)
	}
	o.Limit = r.limit
	o.Verbose, o.Quiet = f.verbose, f.quiet
	o.Program, o.Asked = "tcpstate "+programVersion(), chosenBy(f, fs)
	if fs.Changed("sort") {
		if o.Sort, err = report.ParseSort(r.sort); err != nil {
			return fmt.Errorf("--sort: %w", err)
		}
	}
	if o.Clock, err = report.ParseClock(r.clock); err != nil {
		return fmt.Errorf("--time: %w", err)
	}
	for _, w := range []struct{ flag, v string }{{"color", f.color}, {"progress", f.progress}} {
		if w.v != whens[0] && w.v != whens[1] && w.v != whens[2] {
			return fmt.Errorf("--%s %s: it is one of %s", w.flag, w.v, strings.Join(whens, ", "))
		}
	}
	if f.quiet && f.verbose {
		return fmt.Errorf("-q and -v cannot be used together")
	}
	return nil
}

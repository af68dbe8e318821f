package main

import (
	"fmt"
	"strings"

	"tcpstate/report"
	"tcpstate/report/verdict"
)

// usage is the text of --help, set by hand so that it reads like a page. A
// test holds it and the flags together.
func usage() string {
	var formats strings.Builder
	for _, f := range report.Formats {
		fmt.Fprintf(&formats, "                              %-8s %s\n", f.Name, f.Doc)
	}
	var verdicts strings.Builder
	for _, f := range verdict.Formats {
		fmt.Fprintf(&verdicts, "                              %-8s %s\n", f.Name, f.Doc)
	}
	return strings.Replace(strings.Replace(page, "VERDICTS\n", verdicts.String(), 1), "FORMATS\n", formats.String(), 1)
}

const page = `tcpstate - which state each end of every TCP connection is in, how it got
there and how sure that is

  tcpstate [flags] FILE...                        analyse captures and report
  tcpstate [flags] -r FILE [-r FILE...] [FILTER]  the same, tcpdump's way
  tcpstate [flags] -i IFACE [FILTER]              live: a screen on a terminal, else a
                                                  few lines at intervals; then report
  tcpstate explain [flags] FILE...                the ladder of each one chosen: every
                                                  segment with the states of both ends
  tcpstate at TIME [flags] FILE...                the states of all at one instant
  tcpstate check [flags] FILE|DIR|GLOB...         judge each capture by a policy
  tcpstate diff [flags] OLD NEW                   what changed between two captures
  tcpstate findings [ID]                          what can be found, or all about one

FILE is pcap or pcapng, plain or compressed with gzip or zstd; "-" is standard
input. Several files are one capture, merged in time order. FILTER is a pcap
filter expression. A state with ? is presumed: the segment that causes it was
seen on its way. One with ~ elapsed: a timer ran out. A finding says what is
wrong, with the frames that prove it. (A file called findings is ./findings; so it
is with check, diff, explain and at.)

Input
  -r, --read FILE             read FILE ("-" is standard input); may be repeated
  -f, --filter EXPR           select packets by a pcap filter expression
  -F, --filter-file FILE      the same, with the expression in FILE
      --host ADDR             select packets of a host; may be repeated, as the
      --net PREFIX            next three: a network such as 10.0.0.0/8,
      --port N                a port,
      --vlan N                a VLAN id
  -c, --count N               stop after N packets
      --allow-truncated       a file that ends inside a record is a warning only
      --verify-checksums      ignore segments with a wrong checksum (off: offload
                              makes sent segments look bad)

Live capture
  -i, --interface IFACE       capture from IFACE, or from any
  -D, --list-interfaces       list the interfaces and end
      --duration D            stop after D, such as 90s or 5m
      --interval D            report every D (10s), where there is no screen
      --no-screen             no screen on a terminal
      --metrics ADDR          serve metrics for Prometheus at ADDR, such as :9100
                              (of this machine alone, unless ADDR names a host)
  -Z, --drop-privileges USER  go on as USER once all is open (who called sudo, or
                              nobody)
  -s, --snapshot-length N     octets to keep of each packet (256)
  -B, --buffer-size KiB       size of the kernel's buffer (32768)
  -p, --no-promiscuous-mode   only what is meant for this machine

Packets to a file
  -w, --write FILE            write every packet selected to FILE (pcapng; "-" is
                              standard output); from files, of the connections that
                              --stream, --where or --finding choose
  -C, --file-size MB          begin another file after so many million octets
  -W, --file-count N          keep N files: the oldest is overwritten
      --annotate              put both ends' states into each packet's comment
      --finding ID            with -w or explain: the connections of this finding

What is reported
  -o, --output FORMAT[=FILE]  may be repeated, one of them on standard output:
FORMATS
      --show PARTS            any of summary, findings, connections, transitions,
                              states, services, top, with commas between
      --where EXPR            keep connections for which EXPR holds, such as
                              client.state == "CLOSE-WAIT" && duration > 60, or
                              "refused" in findings (shown when all is read);
                              the names are those of the JSON records
      --stream N[,N]          keep connections by number (Wireshark's tcp.stream)
      --since T, --until T    keep what lies in this window; T is a time such as
                              2026-11-20T22:48:00Z, 22:48:00 or 1795208387.18, or
                              +90s after the first packet
      --sort FIELD            order rows by FIELD, -FIELD from the largest
      --limit N               rows in tables (20); -o html has a bound of its own

Findings
      --set ID.PARAM=V        change a threshold, such as time-wait-buildup.count=400;
                              may be repeated; "tcpstate findings ID" names them
      --disable ID[,ID]       do not look for these; may be repeated
      --min-severity S        show only note (default), warning or error and above
      --fail-on S             end with status 1 when a finding reaches note, warning
                              or error; never (default). What --min-severity hides
                              counts; what --disable, --where, --stream, --since or
                              --until leave out does not (with the last four, what
                              counts ports, TIME-WAIT or attempts is left out, too)
      --ports LO-HI           the ports that clients connect from (as --os has them)

Ladders (tcpstate explain)
                              The connections are those of --stream, --where or
                              --finding, else all that are part of a finding. -o is
                              table, markdown or html
      --full                  a line for each segment, also where data flows as usual
      --plain                 the whole of each segment, to be read back

States over time (tcpstate at, --show states)
                              TIME is a time as --since takes it, or end. -o is table,
                              json, ndjson or csv
      --style STYLE           look like ss, netstat or table (default)
      --group-by WHAT         count by state, service or host
      --step D                time between the points of --show states; else a part of
                              the capture's length

Verdicts (tcpstate check)
      --policy FILE           judge by the rules in FILE (YAML); without it, findings
                              at --fail-on fail, which is error here
      --init                  write a policy that says what these captures, good ones,
                              show: to standard output, or to --policy FILE
      --merge                 judge all files as one capture, not each by itself
      --baseline FILE         what FILE has, an earlier -o json of tcpstate or of
                              tcpstate check, does not fail; assertions still do
      --update-baseline       write what is found into --baseline FILE; it passes
      --today DATE            the day on which entries of allow end, for today's
                              A DIR stands for the captures in it and below, which are
                              known by name (pcap, pcapng, cap, also with gz or zst)
                              or by content. -o here is one of
VERDICTS

Differences (tcpstate diff)
                              OLD and NEW are a capture each, a directory whose
                              captures are one, or a report of -o json, which is taken
                              as it is: what selects and what sets thresholds is for
                              captures. --fail-on judges what appeared, and what grew
                              by more than chance explains; -v shows what is the same,
                              too. -o is one of those of a verdict

How states end
      --os NAME               timers and client ports of linux (default), windows,
                              macos, freebsd or rfc
      --time-wait D           how long TIME-WAIT lasts (60s)
      --fin-timeout D         how long an orphan stays in FIN-WAIT-2 (60s)

How much of the machine
      --workers N             use N cores (0: all, and one live);
                              the report is the same
      --max-connections N     follow at most N at a time: the least useful is reported
                              as it stands and folded; --max-memory SIZE bounds what
      --max-memory SIZE       all of them take, as 512MiB (no bound on files, 512MiB
                              live); what gave way is counted

How it looks
      --time CLOCK            times as utc (default), local, epoch or relative
      --color WHEN            auto, always or never; NO_COLOR is honoured
      --progress WHEN         auto, always or never
  -q, --quiet                 only findings
  -v, --verbose               more about the input and the findings
  -n, --numeric               accepted; names are never looked up
  -h, --help                  this page
      --version               the version

Exit status: 0 done, 1 a finding reaches --fail-on, or a policy does not hold, 2
wrong usage or a policy that is not understood, 3 input
unreadable or damaged (what could be read is reported), 4 a live capture cannot
start, 130 interrupted. 2 and 4 win over 3, 3 over 1.

Examples
  tcpstate server.pcap
  tcpstate --where 'server.state == "CLOSE-WAIT"' --show connections server.pcap
  tcpstate -q --fail-on warning test.pcap
  ssh host tcpdump -U -s 256 -w - tcp | tcpstate -r -
  tcpstate -o ndjson --show transitions server.pcap | jq -c 'select(.id == 3)'
  tcpstate check --policy tcp.yaml -o junit=tcp.xml -o table captures/
`

package tracker
import ("testing";"fmt";"path/filepath";"os";"tcpstate/capture";"unsafe";"strings")
func TestTmpRows(t *testing.T){
 fmt.Println("sizes", unsafe.Sizeof(zeekConn{}), unsafe.Sizeof(zeekEnd{}), unsafe.Sizeof(zeekRecord{}), unsafe.Sizeof(StreamBase{}), unsafe.Sizeof(Completeness{}))
 files,_:=filepath.Glob(os.Getenv("TCPSTATE_CAPTURES")+"/*.pcap")
 for _,f:=range files{ if strings.Contains(f,"server"){continue}
  segs,_:=tsharkSegments(t,f)
  hist:=map[string]int{}; var order []string
  k:=NewZeek(func(r *ZeekRow){ s:=fmt.Sprintf("%-7s %-14s",r.State,r.History); if hist[s]==0{order=append(order,s)}; hist[s]++})
  k.Process(&capture.Batch{Segments:segs}); k.Finish()
  fmt.Println("==",filepath.Base(f),len(segs))
  for i,s:=range order{ if i<12 {fmt.Println("   ",hist[s],s)}}
 }
}

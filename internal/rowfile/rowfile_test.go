package rowfile
import ("testing";"io";"fmt";"time";"os")
func TestX(t *testing.T){
 p:="/work/shared/data/flights-3m.parquet"
 if _,err:=os.Stat(p);err!=nil{t.Skip()}
 r,err:=Open(p,Options{}); if err!=nil{t.Fatal(err)}
 t0:=time.Now();n:=0;b:=0
 for { row,err:=r.Next(); if err==io.EOF{break}; if err!=nil{t.Fatal(err)}; if n<3{fmt.Printf("%s %s %v\n",row.Value,row.Key,row.Timestamp)}; n++; b+=len(row.Value)}
 fmt.Println(n,b,time.Since(t0)); r.Close()
}

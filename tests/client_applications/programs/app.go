// An application on Go's net/http/fcgi. It listens at the Unix socket that its argument names.
package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"strconv"
	"strings"
	"time"
)

func params(w http.ResponseWriter, r *http.Request) {
	for name, values := range r.Header {
		name = "HTTP_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		fmt.Fprintf(w, "%s=%s\n", name, strings.Join(values, ", "))
	}
	for name, value := range fcgi.ProcessEnv(r) {
		fmt.Fprintf(w, "%s=%s\n", name, value)
	}
	fmt.Fprintf(w, "REQUEST_METHOD=%s\nREQUEST_URI=%s\n", r.Method, r.URL.RequestURI())
	fmt.Fprintf(w, "REMOTE_ADDR=%s\n", strings.Split(r.RemoteAddr, ":")[0])
}

func large(w http.ResponseWriter, r *http.Request) {
	rest, _ := strconv.Atoi(r.URL.Query().Get("n"))
	block := []byte(strings.Repeat("x", 65536))
	for rest > 0 {
		written, err := w.Write(block[:min(rest, len(block))])
		if err != nil {
			return
		}
		rest -= written
	}
}

func min(a, b int) int {
	if a < b {
		return a
	}
	return b
}

func main() {
	mux := http.NewServeMux()
	mux.HandleFunc("/hello", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") })
	mux.HandleFunc("/echo", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Write(body)
	})
	mux.HandleFunc("/count", func(w http.ResponseWriter, r *http.Request) {
		count, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprint(w, count)
	})
	mux.HandleFunc("/params", params)
	mux.HandleFunc("/missing", func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(404)
		io.WriteString(w, "nothing")
	})
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", 302) })
	mux.HandleFunc("/large", large)
	mux.HandleFunc("/lie", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		io.WriteString(w, "0123456789")
	})
	mux.HandleFunc("/die", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, strings.Repeat("x", 100000))
		w.(http.Flusher).Flush()
		time.Sleep(100 * time.Millisecond)
		os.Exit(1)
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(2 * time.Second)
		io.WriteString(w, "slow")
	})
	listener, err := net.Listen("unix", os.Args[1])
	if err != nil {
		panic(err)
	}
	panic(fcgi.Serve(listener, mux))
}

// The application on Go's net/http/fcgi.
package main

import (
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"strconv"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: server unix:PATH|ADDRESS:PORT")
	}
	listener, err := listen(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(listener.Addr())
	log.Fatal(fcgi.Serve(listener, application()))
}

func listen(address string) (net.Listener, error) {
	if path := strings.TrimPrefix(address, "unix:"); path != address {
		return net.Listen("unix", path)
	}
	return net.Listen("tcp", address)
}

func application() http.Handler {
	released := make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { hello(w) })
	mux.Handle("/64k", large(64*1024))
	mux.Handle("/1m", large(1024*1024))
	mux.HandleFunc("/upload", upload)
	mux.HandleFunc("/held", func(w http.ResponseWriter, r *http.Request) {
		<-released
		upload(w, r)
	})
	mux.HandleFunc("/release", func(w http.ResponseWriter, r *http.Request) {
		close(released)
		hello(w)
	})
	mux.HandleFunc("/busy", func(w http.ResponseWriter, r *http.Request) {
		computed(compute())
		hello(w)
	})
	return mux
}

func hello(w http.ResponseWriter) { small(w, "Hello, World!") }

func small(w http.ResponseWriter, body string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	io.WriteString(w, body)
}

func large(length int) http.HandlerFunc {
	body := make([]byte, length)
	for i := range body {
		body[i] = byte(i % 251)
	}
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(length))
		w.Write(body)
	}
}

func upload(w http.ResponseWriter, r *http.Request) {
	length, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	small(w, strconv.FormatInt(length, 10))
}

// Some 200 microseconds of one processor.
func compute() uint64 {
	state := uint64(1)
	for i := 0; i < 100000; i++ {
		state ^= state << 13
		state ^= state >> 7
		state ^= state << 17
	}
	return state
}

// Keeps the compiler from leaving the computation out.
//
//go:noinline
func computed(uint64) {}

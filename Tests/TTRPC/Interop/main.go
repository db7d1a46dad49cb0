// The other end for the interoperability test: the Go implementation of ttrpc, as Debian packages it.
//
//	interop client SOCKET   calls the service interop.Text there and prints what came out, a line a call
//	interop server SOCKET   serves interop.Text there until its standard input ends
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/containerd/ttrpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

const service = "interop.Text"

// Text is `message Text { string value = 1; }`, without generated code.
type Text struct {
	Value string `protobuf:"bytes,1,opt,name=value,proto3"`
}

func (t *Text) Reset()         { *t = Text{} }
func (t *Text) String() string { return t.Value }
func (t *Text) ProtoMessage()  {}

func main() {
	if len(os.Args) != 3 {
		fail("usage: interop client|server SOCKET")
	}
	switch os.Args[1] {
	case "client":
		client(os.Args[2])
	case "server":
		server(os.Args[2])
	default:
		fail("usage: interop client|server SOCKET")
	}
}

func fail(words ...interface{}) {
	fmt.Fprintln(os.Stderr, words...)
	os.Exit(1)
}

func client(path string) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		fail(err)
	}
	c := ttrpc.NewClient(conn)
	defer c.Close()
	call := func(ctx context.Context, method, value string) string {
		var answer Text
		err := c.Call(ctx, service, method, &Text{value}, &answer)
		if err == context.DeadlineExceeded {
			// Its own clock was first, or the server's was: the same to the caller.
			err = status.Error(codes.DeadlineExceeded, "late")
		}
		if err != nil {
			return fmt.Sprintf("%v: %v", status.Code(err), status.Convert(err).Message())
		}
		return answer.Value
	}
	background := context.Background()
	fmt.Println("Reverse", call(background, "Reverse", "stressed"))
	fmt.Println("Reverse nothing", len(call(background, "Reverse", "")))
	fmt.Println("Fail", call(background, "Fail", "not on a sunday"))
	fmt.Println("Missing", call(background, "Missing", ""))
	fmt.Println("Metadata", call(ttrpc.WithMetadata(background, ttrpc.MD{"user": {"ann"}}), "Metadata", "user"))
	late, cancel := context.WithTimeout(background, 50*time.Millisecond)
	defer cancel()
	fmt.Println("Wait", strings.SplitN(call(late, "Wait", ""), ":", 2)[0])
	fmt.Println("Oversize", call(background, "Reverse", strings.Repeat("x", 5<<20)))
	long := call(background, "Reverse", strings.Repeat("x", 4<<20-100))
	fmt.Println("Long", len(long))

	var group sync.WaitGroup
	var lock sync.Mutex
	right := 0
	for i := 0; i < 500; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			if call(background, "Reverse", fmt.Sprintf("%03d<", i)) == "<"+reverse(fmt.Sprintf("%03d", i)) {
				lock.Lock()
				right++
				lock.Unlock()
			}
		}(i)
	}
	group.Wait()
	fmt.Println("Concurrent", right)
}

func server(path string) {
	s, err := ttrpc.NewServer()
	if err != nil {
		fail(err)
	}
	text := func(f func(context.Context, string) (string, error)) ttrpc.Method {
		return func(ctx context.Context, decode func(interface{}) error) (interface{}, error) {
			var request Text
			if err := decode(&request); err != nil {
				return nil, err
			}
			answer, err := f(ctx, request.Value)
			return &Text{answer}, err
		}
	}
	s.Register(service, map[string]ttrpc.Method{
		"Reverse": text(func(_ context.Context, value string) (string, error) { return reverse(value), nil }),
		"Fail": text(func(_ context.Context, value string) (string, error) {
			return "", status.Error(codes.FailedPrecondition, value)
		}),
		"Metadata": text(func(ctx context.Context, key string) (string, error) {
			value, _ := ttrpc.GetMetadataValue(ctx, key)
			return value, nil
		}),
		"Wait": text(func(ctx context.Context, _ string) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}),
	})
	listener, err := net.Listen("unix", path)
	if err != nil {
		fail(err)
	}
	go s.Serve(context.Background(), listener)
	fmt.Println("listening")
	io.Copy(io.Discard, os.Stdin)
	s.Close()
}

func reverse(value string) string {
	letters := []rune(value)
	for i, j := 0, len(letters)-1; i < j; i, j = i+1, j-1 {
		letters[i], letters[j] = letters[j], letters[i]
	}
	return string(letters)
}

// The OpenTelemetry collector's receiver of the forward protocol as a process: `otel PORT FILE`.
//
// It writes each event as a JSON line and syncs the file; only then does the collector's code ack the chunk.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	"github.com/open-telemetry/opentelemetry-collector-contrib/receiver/fluentforwardreceiver"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/consumer"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/receiver/receivertest"
)

type event struct {
	Tag    string         `json:"tag"`
	TimeNs string         `json:"time_ns"`
	Record map[string]any `json:"record"`
}

// store appends events to the file. The receiver's collector calls it from one goroutine.
func store(file *os.File, logs plog.Logs) error {
	var lines bytes.Buffer
	encoder := json.NewEncoder(&lines)
	for _, resource := range logs.ResourceLogs().All() {
		for _, scope := range resource.ScopeLogs().All() {
			for _, one := range scope.LogRecords().All() {
				record := one.Attributes().AsRaw()
				tag, _ := record["fluent.tag"].(string)
				delete(record, "fluent.tag")
				if body := one.Body().AsRaw(); body != nil { // what a record has under "log" or "message"
					record["message"] = body
				}
				shown := event{tag, strconv.FormatInt(int64(one.Timestamp()), 10), record}
				if err := encoder.Encode(shown); err != nil {
					return err
				}
			}
		}
	}
	if _, err := file.Write(lines.Bytes()); err != nil {
		return err
	}
	return file.Sync()
}

// opened returns the file without the half line that a predecessor may have left, which was killed inside its write.
func opened(path string) (*os.File, error) {
	content, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	return file, file.Truncate(int64(bytes.LastIndexByte(content, '\n') + 1))
}

// freePort finds a port for both TCP and UDP: the receiver cannot tell which one it took.
func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return listener.Addr().(*net.TCPAddr).Port, listener.Close()
}

func run(port int, path string) error {
	file, err := opened(path)
	if err != nil {
		return err
	}
	if port == 0 {
		if port, err = freePort(); err != nil {
			return err
		}
	}
	next, err := consumer.NewLogs(func(_ context.Context, logs plog.Logs) error { return store(file, logs) })
	if err != nil {
		return err
	}
	factory := fluentforwardreceiver.NewFactory()
	config := factory.CreateDefaultConfig().(*fluentforwardreceiver.Config)
	config.ListenAddress = fmt.Sprintf("127.0.0.1:%d", port)
	ctx := context.Background()
	server, err := factory.CreateLogs(ctx, receivertest.NewNopSettings(factory.Type()), component.Config(config), next)
	if err != nil {
		return err
	}
	if err := server.Start(ctx, componenttest.NewNopHost()); err != nil {
		return err
	}
	fmt.Println(port)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	<-stop
	return server.Shutdown(ctx)
}

func main() {
	port, err := strconv.Atoi(os.Args[1])
	if err == nil {
		err = run(port, os.Args[2])
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

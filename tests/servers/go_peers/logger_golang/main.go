// A sender of the forward protocol that is not ours, fluent-logger-golang, as a process: `logger_golang OPTIONS`.
//
// OPTIONS is JSON: port, count, ack, tls. It sends {"n": 0} to {"n": count - 1} with the tag "go.t", one by one, and ends
// when every event was sent, or acked if it asks for that. The library itself tries again what failed.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/fluent/fluent-logger-golang/fluent"
)

type options struct {
	Port  int  `json:"port"`
	Count int  `json:"count"`
	Ack   bool `json:"ack"`
	TLS   bool `json:"tls"`
}

func run() error {
	var wanted options
	if err := json.Unmarshal([]byte(os.Args[1]), &wanted); err != nil {
		return err
	}
	config := fluent.Config{
		FluentHost: "127.0.0.1", FluentPort: wanted.Port, RequestAck: wanted.Ack, SubSecondPrecision: true,
		RetryWait: 20, MaxRetry: 1000, MaxRetryWait: 100, Timeout: 10 * time.Second, ReadTimeout: 10 * time.Second,
	}
	if wanted.TLS { // it has no way to name an authority
		config.FluentNetwork, config.TlsInsecureSkipVerify = "tls", true
	}
	logger, err := fluent.New(config)
	for tried := 0; err != nil && tried < 500; tried++ { // until somebody listens
		time.Sleep(20 * time.Millisecond)
		logger, err = fluent.New(config)
	}
	if err != nil {
		return err
	}
	for n := 0; n < wanted.Count; n++ {
		stamp := time.Unix(1700000000, int64(n))
		if err := logger.PostWithTime("go.t", stamp, map[string]interface{}{"n": n}); err != nil {
			return err
		}
	}
	return logger.Close()
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

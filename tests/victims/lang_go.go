// SPDX-License-Identifier: GPL-2.0-or-later

// lang_go.go - a Go program: goroutines, channels, timers, garbage collection, files and signals
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

var wrong int

func check(held bool, what string) {
	if !held {
		wrong++
		fmt.Fprintln(os.Stderr, "lang_go: not so:", what)
	}
}

func number(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

func tell(word string, n int) {
	if os.Getenv("VICTIM_READY") != "" {
		fmt.Println(word, n)
	}
}

// squares of 1 to n, made by as many goroutines as there are numbers
func sumOfSquares(n int) int {
	results := make(chan int, 4)
	for i := 1; i <= n; i++ {
		go func(i int) {
			runtime.Gosched()
			results <- i * i
		}(i)
	}
	sum := 0
	for i := 0; i < n; i++ {
		sum += <-results
	}
	return sum
}

func countUnderLock() int {
	var lock sync.Mutex
	var all sync.WaitGroup
	count := 0
	for i := 0; i < 8; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			for j := 0; j < 100; j++ {
				lock.Lock()
				count++
				lock.Unlock()
			}
		}()
	}
	all.Wait()
	return count
}

func main() {
	rounds, stop := number("VICTIM_ROUNDS", 10), os.Getenv("VICTIM_STOP")
	pause := time.Duration(number("VICTIM_PAUSE_US", 10000)) * time.Microsecond
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	file, err := os.CreateTemp("", "victim")
	if err != nil {
		os.Exit(3)
	}
	os.Remove(file.Name())
	kept := map[int]string{}
	tell("ready", os.Getpid())
	for n := 1; ; n++ {
		check(sumOfSquares(20) == 20*21*41/6, "goroutines and a channel")
		check(countUnderLock() == 800, "a mutex")
		kept[n] = strings.Repeat("x", n%100)
		for i, s := range kept {
			check(len(s) == i%100, "a map kept")
		}
		began := time.Now()
		select {
		case <-time.After(time.Millisecond):
		case <-make(chan int):
		}
		check(time.Since(began) >= time.Millisecond, "a timer")
		line := fmt.Sprintf("%08d\n", n)
		file.WriteString(line)
		got := make([]byte, len(line))
		file.ReadAt(got, int64((n-1)*len(line)))
		check(string(got) == line, "a file")
		if n%5 == 0 {
			runtime.GC()
			syscall.Kill(os.Getpid(), syscall.SIGUSR1)
			check(<-signals == syscall.SIGUSR1, "a signal")
		}
		time.Sleep(pause)
		if n%rounds == 0 {
			tell("rounds", n)
			if _, err := os.Stat(stop); stop == "" || err == nil {
				break
			}
		}
	}
	if wrong > 0 {
		os.Exit(1)
	}
}

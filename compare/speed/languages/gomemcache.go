// Gets of many goroutines with one client. Prints the CPU time of a get in microseconds.
package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

func cpu() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1000
}

func main() {
	outstanding, _ := strconv.Atoi(os.Args[2])
	seconds, _ := strconv.ParseFloat(os.Args[3], 64)
	client := memcache.New("127.0.0.1:" + os.Args[1])
	client.Timeout = 10 * time.Second
	keys := make([]string, 1000)
	for i := range keys {
		keys[i] = fmt.Sprintf("bench:key:%09d", i)
		if err := client.Set(&memcache.Item{Key: keys[i], Value: []byte(strings.Repeat("x", 100))}); err != nil {
			panic(err)
		}
	}
	run := func(duration float64) float64 {
		until := time.Now().Add(time.Duration(duration * float64(time.Second)))
		counts := make([]int, outstanding)
		var lanes sync.WaitGroup
		before := cpu()
		for lane := 0; lane < outstanding; lane++ {
			lanes.Add(1)
			go func(lane int) {
				defer lanes.Done()
				for time.Now().Before(until) {
					for _, key := range keys[:50] {
						if _, err := client.Get(key); err != nil {
							panic(err)
						}
					}
					counts[lane] += 50
				}
			}(lane)
		}
		lanes.Wait()
		total := 0
		for _, count := range counts {
			total += count
		}
		return (cpu() - before) / float64(total)
	}
	run(seconds / 4)
	fmt.Println(run(seconds))
}

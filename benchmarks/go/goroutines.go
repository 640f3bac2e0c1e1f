// A process of the benchmark suite: measures goroutines as worker.py measures greenlets.
//
// usage: goroutines ring NUMBER SECONDS
//
//	goroutines lives SECONDS
//	goroutines parked NUMBER CALLS
//
// `ring` is a switch of so many goroutines, and the main one, that take turns. `lives` is to start a goroutine, which
// returns at once. Both talk as `worker.py row` does: "ready", then for each line that is read the time of one
// operation, in ns. `parked` prints the bytes of one of so many goroutines that wait so many calls deep.
package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

// One thread runs Go code: these have no need of atomic operations.
var (
	switches int
	ended    int
)

// Does an operation so many times, or more often. Returns how often.
type loop func(count int) int

// System calls that the scheduler does not hear of: no other goroutine runs meanwhile, and none takes the processor
// from the process that is measured next.

func say(what string) {
	line := []byte(what + "\n")
	syscall.RawSyscall(syscall.SYS_WRITE, 1, uintptr(unsafe.Pointer(&line[0])), uintptr(len(line)))
}

// Returns whether there is another line. Lines are empty.
func hear() bool {
	line := make([]byte, 1)
	for {
		n, _, err := syscall.RawSyscall(syscall.SYS_READ, 0, uintptr(unsafe.Pointer(&line[0])), 1)
		if err != syscall.EINTR {
			return n == 1
		}
	}
}

func timed(run loop, count int) (operations int, nanoseconds float64) {
	start := time.Now()
	operations = run(count)
	return operations, float64(time.Since(start).Nanoseconds())
}

func measure(run loop, seconds float64) {
	run(1)
	count := 1
	for {
		_, nanoseconds := timed(run, count)
		if nanoseconds >= seconds*1e9/4 {
			count = int(math.Max(1, math.Round(float64(count)*seconds*1e9/nanoseconds)))
			break
		}
		count *= 2
	}
	say(`"ready"`)
	for hear() {
		operations, nanoseconds := timed(run, count)
		say(fmt.Sprint(nanoseconds / float64(operations)))
	}
}

func ring(number int) loop {
	for i := 0; i < number; i++ {
		go func() {
			for {
				switches++
				runtime.Gosched()
			}
		}()
	}
	return func(rounds int) int {
		before := switches
		for i := 0; i < rounds; i++ {
			switches++
			runtime.Gosched()
		}
		return switches - before
	}
}

func lives(count int) int {
	before := ended
	for i := 0; i < count; i++ {
		go func() { ended++ }()
		runtime.Gosched()
	}
	for ended < before+count {
		runtime.Gosched()
	}
	return count
}

//go:noinline
func descend(calls int, then func()) int {
	if calls > 1 {
		return descend(calls-1, then) + 1
	}
	then()
	return 1
}

// Resident bytes, and those of page tables.
func inUse() (resident, pageTables int) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		panic(err)
	}
	for _, line := range strings.Split(string(status), "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		switch fields[0] {
		case "VmRSS:":
			resident = integer(fields[1]) << 10
		case "VmPTE:":
			pageTables = integer(fields[1]) << 10
		}
	}
	return
}

func park(number, calls int) {
	waiting := 0
	forever := make(chan bool)
	for i := 0; i < number; i++ {
		go descend(calls, func() {
			waiting++
			<-forever
		})
	}
	for waiting < number {
		runtime.Gosched()
	}
}

func parked(number, calls int) {
	park(100, calls)
	runtime.GC()
	resident, pageTables := inUse()
	park(number, calls)
	runtime.GC()
	residentAfter, pageTablesAfter := inUse()
	fmt.Printf("{\"resident\": %g, \"page tables\": %g}\n",
		float64(residentAfter-resident)/float64(number), float64(pageTablesAfter-pageTables)/float64(number))
}

func integer(text string) int {
	number, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	return number
}

func seconds(text string) float64 {
	number, err := strconv.ParseFloat(text, 64)
	if err != nil {
		panic(err)
	}
	return number
}

func main() {
	runtime.GOMAXPROCS(1)
	switch arguments := os.Args[2:]; os.Args[1] {
	case "ring":
		measure(ring(integer(arguments[0])), seconds(arguments[1]))
	case "lives":
		measure(lives, seconds(arguments[0]))
	case "parked":
		parked(integer(arguments[0]), integer(arguments[1]))
	}
}

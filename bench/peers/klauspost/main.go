// Command klauspost measures github.com/klauspost/reedsolomon on one thread; ../README.md says how it is asked.
package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"github.com/klauspost/reedsolomon"
)

// shape is what memory and encoder are made for.
type shape struct {
	data, parity, cellBytes, stripes int
}

// bench keeps the memory of the last shape: rounds of hot and cold, encode and reconstruct ask for it again.
type bench struct {
	shape   shape
	encoder reedsolomon.Encoder
	stripes [][][]byte
	turn    int
}

func main() {
	// Processor time is told per thread, and a collection in between would count against the codec.
	runtime.LockOSThread()
	debug.SetGCPercent(-1)
	fmt.Println("klauspost/reedsolomon", version(), runtime.Version())
	var b bench
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		bytes, took, err := b.answer(lines.Text())
		if err != nil {
			fmt.Fprintf(os.Stderr, "%q: %v\n", lines.Text(), err)
			os.Exit(1)
		}
		fmt.Println(bytes, took.Nanoseconds())
	}
}

func (b *bench) answer(line string) (int, time.Duration, error) {
	var work string
	var s shape
	var milliseconds int
	if _, err := fmt.Sscan(line, &work, &s.data, &s.parity, &s.cellBytes, &s.stripes, &milliseconds); err != nil {
		return 0, 0, err
	}
	if err := b.prepare(s); err != nil {
		return 0, 0, err
	}
	return b.slice(work, time.Duration(milliseconds)*time.Millisecond)
}

func (b *bench) prepare(s shape) error {
	if b.shape == s {
		return nil
	}
	encoder, err := reedsolomon.New(s.data, s.parity, reedsolomon.WithMaxGoroutines(1))
	if err != nil {
		return err
	}
	b.stripes = nil
	debug.FreeOSMemory()
	stripes := make([][][]byte, s.stripes)
	noise := uint64(0x9e3779b97f4a7c15)
	for i := range stripes {
		// As the library advises: aligned, and not at distances that compete for places in the cache.
		stripes[i] = reedsolomon.AllocAligned(s.data+s.parity, s.cellBytes)
		for _, cell := range stripes[i] {
			for at := range cell {
				noise ^= noise << 13
				noise ^= noise >> 7
				noise ^= noise << 17
				cell[at] = byte(noise >> 32)
			}
		}
		if err := encoder.Encode(stripes[i]); err != nil {
			return err
		}
	}
	*b = bench{shape: s, encoder: encoder, stripes: stripes}
	return nil
}

// slice does work for about so long and returns the bytes of content and the processor time.
func (b *bench) slice(work string, length time.Duration) (int, time.Duration, error) {
	began, cpuBegan := time.Now(), threadTime()
	bytes := 0
	// Once at least: on a busy machine the time may be over before the work begins.
	for bytes == 0 || time.Since(began) < length {
		stripe := b.stripes[b.turn%len(b.stripes)]
		b.turn++
		if err := b.once(work, stripe); err != nil {
			return 0, 0, err
		}
		bytes += b.shape.data * b.shape.cellBytes
	}
	return bytes, threadTime() - cpuBegan, nil
}

func (b *bench) once(work string, stripe [][]byte) error {
	switch work {
	case "encode":
		return b.encoder.Encode(stripe)
	case "reconstruct":
		// Empty with room: the library rebuilds in place.
		for i := range min(b.shape.data, b.shape.parity) {
			stripe[i] = stripe[i][:0]
		}
		return b.encoder.ReconstructData(stripe)
	}
	return fmt.Errorf("no such work: %s", work)
}

// threadTime is what this thread has had of a processor.
func threadTime() time.Duration {
	// Giving way brings the kernel's count up to date; without that it lags by a scheduler tick.
	_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_YIELD, 0, 0, 0)
	text, err := os.ReadFile("/proc/thread-self/schedstat")
	if err != nil {
		panic(err)
	}
	var nanoseconds int64
	if _, err := fmt.Sscan(string(text), &nanoseconds); err != nil {
		panic(err)
	}
	return time.Duration(nanoseconds)
}

// version of the library, as it was built in.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, module := range info.Deps {
		if strings.HasSuffix(module.Path, "/reedsolomon") {
			return module.Version
		}
	}
	return "unknown"
}

package olap

import (
	"runtime"
	"syscall"
)

// stepBack is how much nicer than the rest of the process a gentle thread is: beside a
// busy one it gets a tenth of a core, so that a roll still ends while an import goes on.
const stepBack = 10

// gently runs do on a thread of its own that leaves the processor to others first, as
// will the threads that do starts. Rolling a tail keeps every core busy for seconds, and
// each step of a commit or a get would queue behind it.
func gently(do func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		// For good: a thread may not raise itself again, so it ends with the goroutine.
		runtime.LockOSThread()
		if runtime.GOOS == "linux" { // elsewhere it would be the whole process
			if inverse, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err == nil {
				_ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, 20-inverse+stepBack) // refused, it is as fast as the others
			}
		}
		do()
	}()
	<-done
}

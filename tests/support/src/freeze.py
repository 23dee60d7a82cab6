"""Holds some threads of a process where they are, while its other threads go on.

    freeze.py PID SECONDS NAME     every thread whose name begins with NAME

Prints the number of threads once they stand still, and lets them go after SECONDS or when its
standard input ends. A thread is stopped while it is at work, not while it waits for something:
what it waits for would be none of its fault. Linux only: ptrace's SEIZE and INTERRUPT stop one
thread without a signal.
"""
import ctypes
import os
import select
import sys
import time

SEIZE, INTERRUPT, CONT, DETACH = 0x4206, 0x4207, 7, 17
WALL = 0x40000000
TRIES = 20000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"ptrace {request:#x} of {thread}: {os.strerror(error)}")


def waits(pid, thread):
    """Whether the stopped thread is inside a system call."""
    with open(f"/proc/{pid}/task/{thread}/syscall", encoding="utf-8") as syscall:
        return not syscall.read().startswith("-1")


def stop_at_work(pid, thread):
    ptrace(SEIZE, thread)
    for _ in range(TRIES):
        ptrace(INTERRUPT, thread)
        os.waitpid(thread, WALL)
        if not waits(pid, thread):
            return
        ptrace(CONT, thread)
        time.sleep(0.0005)
    sys.exit(f"thread {thread} is never at work")


def main():
    pid, seconds, name = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    held = []
    for thread in map(int, os.listdir(f"/proc/{pid}/task")):
        with open(f"/proc/{pid}/task/{thread}/comm", encoding="utf-8") as comm:
            if comm.read().startswith(name):
                held.append(thread)
    for thread in held:
        stop_at_work(pid, thread)
    print(len(held), flush=True)
    select.select([sys.stdin], [], [], seconds)
    for thread in held:
        ptrace(DETACH, thread)


main()

"""Holds some threads of a process where they are, while its other threads go on.

    freeze.py PID SECONDS NAME     every thread whose name begins with NAME

Prints the number of threads once they stand still, and lets them go after SECONDS or when its
standard input ends. Linux only: ptrace's SEIZE and INTERRUPT stop one thread without a signal.
"""
import ctypes
import os
import select
import sys

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17
WALL = 0x40000000

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, thread):
    if libc.ptrace(request, thread, None, None) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"ptrace {request:#x} of {thread}: {os.strerror(error)}")


def main():
    pid, seconds, name = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    held = []
    for thread in map(int, os.listdir(f"/proc/{pid}/task")):
        with open(f"/proc/{pid}/task/{thread}/comm", encoding="utf-8") as comm:
            if comm.read().startswith(name):
                held.append(thread)
    for thread in held:
        ptrace(SEIZE, thread)
        ptrace(INTERRUPT, thread)
        os.waitpid(thread, WALL)
    print(len(held), flush=True)
    select.select([sys.stdin], [], [], seconds)
    for thread in held:
        ptrace(DETACH, thread)


main()

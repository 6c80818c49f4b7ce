"""Confine a process that parses what others send: it reads and writes its pipes, and nothing else.

Called by the process itself, once all that it needs is imported, before it starts a thread or reads a byte. Two walls:
seccomp passes a few system calls, none of which opens, connects, starts or signals anything; Landlock closes files a
second time, and, as the kernel's version knows it, TCP and signals. Where a wall is missing the process goes on with
the other, unless its parent insists on both (``services.runtime.confined``).

``python -m services.runtime.confine`` reports what this machine can do.
"""

import ctypes
import errno
import json
import os
import resource
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass

INSIST = "CONFINEMENT_REQUIRED"  # in the environment of such a process
NOT_CONFINED = 78  # the status with which it refuses to start (EX_CONFIG)

_PARENT_DEATH_SIGNAL, _DUMPABLE, _NO_NEW_PRIVILEGES = 1, 4, 38
_CLONE_THREAD = 0x10000

# What Python, its threads and FFmpeg call while they work on memory and on descriptors that are open. Names differ
# between x86-64 and arm64; those that a machine does not have are left out.
ALLOWED = """
    read readv write writev lseek close fstat
    mmap munmap mremap mprotect madvise brk
    futex set_robust_list rseq sched_yield sched_getaffinity
    rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack restart_syscall
    clock_gettime clock_getres clock_nanosleep nanosleep gettimeofday poll ppoll
    getpid gettid getrandom getrusage sysinfo uname
    exit exit_group
"""
# What libraries ask by the way and can do without, with the answer that they expect.
DENIED = {
    errno.EACCES: """
        open openat openat2 creat stat lstat newfstatat statx access faccessat faccessat2
        readlink readlinkat getdents getdents64 getcwd chdir
    """,
    errno.ENOTTY: "ioctl",
}
# What no decoder ever calls: the process is killed, and its parent reports it.
HOSTILE = """
    execve execveat fork vfork
    socket socketpair connect bind listen accept accept4 sendto sendmsg sendmmsg recvfrom recvmsg recvmmsg
    kill tkill rt_sigqueueinfo rt_tgsigqueueinfo pidfd_open pidfd_send_signal pidfd_getfd
    ptrace process_vm_readv process_vm_writev kcmp
    unlink unlinkat rmdir rename renameat renameat2 link linkat symlink symlinkat mkdir mkdirat mknod mknodat
    truncate chmod fchmod fchmodat chown fchown lchown fchownat
    mount umount2 pivot_root chroot setns unshare open_by_handle_at name_to_handle_at
    io_uring_setup bpf perf_event_open userfaultfd keyctl add_key request_key memfd_create
    init_module finit_module kexec_load reboot
"""


class WallMissing(Exception):
    """A wall cannot be raised here; the text says why."""


@dataclass(frozen=True)
class Limits:
    """Bytes of address space, seconds of processor time, open files."""

    memory: int = 1 << 30
    cpu_seconds: int = 3600
    files: int = 32


def confine(limits: Limits) -> None:
    """Drop what this process does not need: it writes no file (not even a core), and ends with its parent.

    Ends the process with status ``NOT_CONFINED`` where a wall is missing and its parent insists.
    """
    missing = raise_walls(limits)
    if missing and INSIST in os.environ:
        sys.exit(NOT_CONFINED)


def raise_walls(limits: Limits) -> dict[str, str]:
    """Set the limits and raise both walls; return why, by the name of each that is missing."""
    missing: dict[str, str] = {}
    ready: dict[str, Callable[[], None]] = {}
    for name, prepare in (("Landlock", _landlock), ("seccomp", _seccomp)):  # behind seccomp, Landlock cannot be called
        try:
            ready[name] = prepare()
        except WallMissing as error:
            missing[name] = str(error)
    set_limits(limits)
    for name, apply in ready.items():
        try:
            apply()
        except WallMissing as error:
            missing[name] = str(error)
    return missing


def set_limits(limits: Limits) -> None:
    """Bound this process, have it end with its parent, and write no file; without walls."""
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PARENT_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
        libc.prctl(_DUMPABLE, 0, 0, 0, 0)
        libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_NOFILE, limits.files),
    ):
        hard = resource.getrlimit(what)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))


def _landlock() -> Callable[[], None]:
    """Return what closes every file, and what else this kernel's Landlock knows."""
    from py_landlock import Landlock, LandlockError  # noqa: PLC0415 - parents import this module for its names alone

    ruleset = Landlock(strict=False)  # without a rule nothing is allowed
    try:
        _ = ruleset.abi_version
    except LandlockError as error:
        raise WallMissing(str(error)) from error

    def apply() -> None:
        try:
            ruleset.apply()
        except LandlockError as error:
            raise WallMissing(str(error)) from error

    return apply


def _seccomp() -> Callable[[], None]:
    """Return what loads the filter."""
    try:
        import pyseccomp  # noqa: PLC0415 - raises without the system's library, and asks the linker for it
    except (RuntimeError, OSError) as error:
        raise WallMissing("libseccomp is not installed (the system package libseccomp2)") from error
    try:
        # All else is unknown, as on an older kernel, without which a C library goes on: clone3 too, whose flags lie in
        # memory where no filter sees them, becomes clone.
        filters = pyseccomp.SyscallFilter(pyseccomp.ERRNO(errno.ENOSYS))
        filters.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.KILL_PROCESS)
        filters.set_attr(pyseccomp.Attr.CTL_TSYNC, 1)

        def rule(action: int, name: str, *arguments: pyseccomp.Arg) -> None:
            number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, name)
            if number >= 0:
                filters.add_rule(action, number, *arguments)

        answers = {pyseccomp.ERRNO(code): names for code, names in DENIED.items()}
        for action, names in {pyseccomp.ALLOW: ALLOWED, pyseccomp.KILL_PROCESS: HOSTILE, **answers}.items():
            for name in names.split():
                rule(action, name)
        thread = pyseccomp.MASKED_EQ, _CLONE_THREAD
        rule(pyseccomp.ALLOW, "clone", pyseccomp.Arg(0, *thread, _CLONE_THREAD))
        rule(pyseccomp.KILL_PROCESS, "clone", pyseccomp.Arg(0, *thread, 0))
        # Limits are read, and only its own: another process's would end it.
        own, nothing = pyseccomp.Arg(0, pyseccomp.EQ, 0), pyseccomp.Arg(2, pyseccomp.EQ, 0)
        rule(pyseccomp.ALLOW, "prlimit64", own, nothing)
        rule(pyseccomp.ALLOW, "tgkill", pyseccomp.Arg(0, pyseccomp.EQ, os.getpid()))  # abort()
    except OSError as error:
        raise WallMissing(f"the filter cannot be made: {error.strerror}") from error

    def apply() -> None:
        try:
            filters.load()
        except OSError as error:
            raise WallMissing(f"the kernel does not accept the filter: {error.strerror}") from error

    return apply


def clean_environment(*, insist: bool = False) -> dict[str, str]:
    """Return the environment for such a process: no setting and no credential."""
    allowed = ("LD_LIBRARY_PATH", "SYSTEMROOT", "TZDIR")
    return {
        **{name: os.environ[name] for name in allowed if name in os.environ},
        "PYTHONDONTWRITEBYTECODE": "1",
        "MALLOC_ARENA_MAX": "1",
        **({INSIST: "1"} if insist else {}),
    }


def main() -> None:
    """Print as JSON which walls are missing here, and why."""
    missing = raise_walls(Limits())
    sys.stdout.write(json.dumps(missing))
    sys.stdout.flush()


if __name__ == "__main__":
    main()

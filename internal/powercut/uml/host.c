/* What User-Mode Linux does not expect of its host; preloaded into it.
**
** 1. Up to Linux 6.12, User-Mode Linux keeps a process's vector registers in a buffer
** of 2,696 bytes, enough for AVX-512. On a CPU with AMX they take 11,000, the host
** refuses to set only a part of them (EFAULT), and the guest's first process dies
** with “ptrace set fp regs failed, errno = 14”. Here such a part is laid over the
** registers as they are; what lies behind it, AMX, nobody in the guest may use.
**
** 2. A SIGCONT for one of the guest's processes, which whoever thaws a machine
** sends to all of them, kills that process, since its kernel has no idea of it
** (“child stopped with signal 18”). Here the process just goes on. */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

/* The guest has one CPU, thus one caller. */
static _Alignas(64) char registers[1 << 16];
static long resumed; /* how the process that is waited for was set going */

static long set_part(long pid, void *kind, const struct iovec *part) {
	struct iovec all = {registers, sizeof registers};
	if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, kind, &all) < 0) return -1;
	if (part->iov_len > all.iov_len) {
		errno = EFAULT;
		return -1;
	}
	memcpy(registers, part->iov_base, part->iov_len);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, kind, &all);
}

long ptrace(enum __ptrace_request request, ...) {
	va_list args;
	va_start(args, request);
	long pid = va_arg(args, int);
	void *addr = va_arg(args, void *);
	void *data = va_arg(args, void *);
	va_end(args);

	/* The C library returns what is peeked, the system call stores it. */
	if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
		long word;
		if (syscall(SYS_ptrace, request, pid, addr, &word) < 0) return -1;
		errno = 0;
		return word;
	}
	switch ((long)request) {
	case PTRACE_CONT: case PTRACE_SYSCALL: case PTRACE_SINGLESTEP: case PTRACE_SYSEMU: case PTRACE_SYSEMU_SINGLESTEP:
		resumed = request;
	}
	long result = syscall(SYS_ptrace, request, pid, addr, data);
	if (result < 0 && errno == EFAULT && request == PTRACE_SETREGSET && (long)addr == NT_X86_XSTATE)
		return set_part(pid, addr, data);
	return result;
}

pid_t waitpid(pid_t pid, int *status, int options) {
	int ignored;
	if (status == NULL) status = &ignored;
	for (;;) {
		long result = syscall(SYS_wait4, pid, status, options, NULL);
		if (result <= 0 || resumed == 0 || !WIFSTOPPED(*status) || WSTOPSIG(*status) != SIGCONT) return result;
		if (syscall(SYS_ptrace, resumed, result, NULL, NULL) < 0) return result;
	}
}
